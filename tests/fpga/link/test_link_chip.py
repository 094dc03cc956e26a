"""A chip of tiles behind the host link: random accesses over the serial line beside programs."""

import pytest

from mho.fpga.link import simulated as line
from mho.fpga.link.simulated import verify_line
from mho.hw.chip.map import ChipParts
from mho.hw.chip.tops import ChipTop
from mho.hw.config import load_chip
from mho.sim.build.bench import cached_bench
from mho.sim.build.verilate import hardware_hash
from mho.sim.chip.simulation import chip_text

CHIP = load_chip("tnsa16-core", {"mesh.columns": 3})


@pytest.mark.long
@pytest.mark.cosim("verilator", "g++", "make")
def test_random_accesses_over_the_line_beside_programs() -> None:
    report = verify_line(CHIP, accesses=120)
    assert (report.accesses, report.host) == (120, "serial line")
    assert report.images > 2
    assert report.errors > 5


@pytest.mark.long
@pytest.mark.cosim("verilator", "g++", "make")
def test_tiles_apart_are_the_chip_in_one_piece_to_the_cycle(monkeypatch: pytest.MonkeyPatch) -> None:
    chip = load_chip("tnsa16-core", {"mesh.columns": 3, "tile.at.1,0.lanes": 8})
    apart = verify_line(chip, accesses=120, seed=1)
    parts, uart = ChipParts.from_chip(chip), line._UART
    whole = cached_bench(
        "whole-line", [hardware_hash(), str(parts)], lambda: chip_text(
            chip, ChipTop(parts, wrap="uart", line=uart), "top"), top="top",
        fast="-O1",
    )
    monkeypatch.setattr(line, "_build", lambda *_: whole)
    assert verify_line(chip, accesses=120, seed=1) == apart
