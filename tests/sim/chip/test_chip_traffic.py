"""Random accesses find what a host or a chip does wrong: lost, doubled, reordered and misanswered ones."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from mho.hw.chip.map import ChipParts, tile_name
from mho.hw.chip.tops import TiledChip
from mho.hw.config import load_chip
from mho.hw.host.registers import Access, Register
from mho.macro_models.errors import ToolError
from mho.sim.chip.programs import Programs, programs_of
from mho.sim.chip.simulation import chip_text
from mho.sim.chip.traffic import IDLE, Expected, Traffic
from mho.sim.chip.verify import verify_chip, with_traffic

CHIP = load_chip("tnsa16-core", {"mesh.columns": 3, "tile.at.1,0.lanes": 8, "tile.at.2,0.buffer_kib": 32})
PARTS = ChipParts.from_chip(CHIP)


class FakeChip:
    """Registers and memories as the map has them; ``fault`` is what it does wrong, once, after 300 accesses."""

    def __init__(self, fault: str = "") -> None:
        self.fault, self.left = fault, 300
        self.words: dict[int, int] = {}
        self.masks: dict[int, int] = {}
        self.whole: set[int] = set()
        self.received = 0
        map, tiles = PARTS.address_map, [tile_name(PARTS.mesh, node) for node in range(3)]
        self.running: set[int] = set()
        self.counter = map.address(f"tile_{IDLE}_0_node", "received")
        for block in map.blocks:
            for entry in block.map.entries:
                for k in range(entry.words):
                    at = block.base + entry.address + 4 * k
                    placed = entry.placed if isinstance(entry, Register) else ()
                    self.masks[at] = 0xFFFFFFFF if not placed else sum(
                        (1 << p.field.width) - 1 << p.low for p in placed if p.field.access is Access.RW)
                    self.words[at] = sum(p.field.reset << p.low for p in placed)
                    if block.name in tiles:
                        self.whole.add(at)
                    if block.name in tiles[:IDLE] and entry.name in ("program", "descriptors"):
                        self.running.add(at)

    def answer(self, accesses: Sequence[Expected]) -> list[tuple[bool, int]]:
        return [self._one(access) for access in accesses]

    def _one(self, access: Expected) -> tuple[bool, int]:
        self.left -= 1
        written = access.data is not None and not access.error
        strikes = self.fault and self.left < 0 and access.address >> 20 == IDLE and written
        if strikes:
            fault, self.fault = self.fault, ""
            if fault == "lost":
                return False, 0
            if fault == "doubled":
                self._do(access)
            if fault == "misanswered":
                return True, self._do(access)[1]
        return self._do(access)

    def _do(self, access: Expected) -> tuple[bool, int]:
        count = self.received
        if access.address >> 20 == IDLE:
            self.received += 1 if access.data is None else 2
        cut = access.data is not None and access.address in self.whole and access.strobe != 15
        if access.address not in self.words or cut:
            return True, 0
        if access.data is not None and access.address in self.running:
            return True, 0
        if access.data is None:
            return False, count if access.address == self.counter else self.words[access.address]
        bits = sum(0xFF << 8 * k for k in range(4) if access.strobe >> k & 1) & self.masks[access.address]
        self.words[access.address] = self.words[access.address] & ~bits | access.data & bits
        return False, 0


def test_a_right_chip_passes() -> None:
    assert with_traffic(FakeChip(), PARTS, 3000) > 100


@pytest.mark.parametrize("fault", ["lost", "doubled", "misanswered"])
def test_one_wrong_access_of_a_thousand_is_found(fault: str) -> None:
    with pytest.raises(ToolError, match="must"):
        with_traffic(FakeChip(fault), PARTS, 1000)


def test_nothing_that_programs_use_is_written() -> None:
    traffic, map = Traffic(PARTS), PARTS.address_map
    drawn = (traffic.draw() for _ in range(5000))
    written = {access.address for access in drawn if access.data is not None and not access.error}
    for block in ("tile_0_0", "tile_1_0"):
        base = map[block].base
        assert not any(base + 0x1000 <= at < base + 0x2000 + 4 * 144 for at in written)
        assert not any(base + 0x10000 <= at < base + 0x10000 + 1024 for at in written)
    assert all(map.address(f"tile_{k}_0", "control") not in written for k in range(3))


def test_spare_words_of_tiles_of_all_kinds_are_written() -> None:
    traffic, map = Traffic(PARTS), PARTS.address_map
    buffers = [map[f"tile_{k}_0"].map["buffer"] for k in range(3)]
    assert [buffer.words for buffer in buffers] == [4096, 4096, 8192]
    drawn = (traffic.draw() for _ in range(5000))
    written = {access.address for access in drawn if access.data is not None and not access.error}
    for k, buffer in enumerate(buffers):
        end = map[f"tile_{k}_0"].base + buffer.address + 4 * buffer.words
        assert {end - 4 * word for word in range(1, 65)} & written


def test_states_go_on() -> None:
    programs = Programs(CHIP)
    states = [tuple(state) for state in programs.states(100)]
    assert len(set(states)) > 50
    assert states[1] == tuple(np.clip((np.array(programs.product(states[0])) + 8) >> 4, -7, 7).tolist())


@pytest.mark.slow
@pytest.mark.cosim("verilator", "g++", "make")
def test_a_chip_with_programs_traffic_and_write_verify() -> None:
    report = verify_chip(CHIP, accesses=250)
    assert (report.accesses, report.cells) == (250, 256)
    assert report.images > 5


@pytest.mark.slow
@pytest.mark.cosim("verilator", "g++", "make")
def test_a_chip_of_one_tile_behind_axi() -> None:
    """One program beside the accesses, and then the cells of its core."""
    report = verify_chip(load_chip("tnsa16-core", {"tile.programs": True}), wrap="axil", accesses=250)
    assert (report.accesses, report.cells) == (250, 256)
    assert report.images > 5
    assert report.errors > 10


@pytest.mark.long
@pytest.mark.cosim("verilator", "g++", "make")
@pytest.mark.parametrize("phases", [1, 4])
def test_a_chip_of_phase_change_cores(phases: int) -> None:
    engine = {"programming.engine": True, "mesh.columns": 3, "read.phases": phases}
    report = verify_chip(load_chip("pwm16-core", engine), accesses=500)
    assert (report.accesses, report.cells) == (500, 0)
    assert report.images > 10
    # The host gives commands to a core whose tile runs no program.
    assert {"calibrate", "measure", "range", "read", "program"} <= set(report.commands)
    assert report.commands["program"] == 2


def test_requests_that_load_the_only_tile_are_counted() -> None:
    programs = programs_of(load_chip("tnsa16-core", {"tile.programs": True}))
    assert len(programs.texts()) == 1
    assert programs.counted == 2 * len(programs.writes()) > 100
    assert [request.node for request in programs.made(3)] == [0]
    assert [request.node for request in programs_of(CHIP).made(3)] == [0, 1]


@pytest.mark.parametrize("name", ["pwm16-2x2", "hermes"])
def test_states_of_phase_change_cores_go_on(name: str) -> None:
    states = {tuple(state) for state in Programs(load_chip(name)).states(20)}
    assert len(states) == 21


@pytest.mark.long
@pytest.mark.cosim("verilator", "g++", "make")
def test_gated_clocks_change_no_answer_and_no_cycle() -> None:
    gated = replace(CHIP, verilog=replace(CHIP.verilog, clock_gate="module"))
    text = chip_text(gated, TiledChip(ChipParts.from_chip(gated)), "top")
    # Gates of registers, and one before the clock of all of a tile but its node.
    assert text.count("\n  mho_clock_gate ") > 10
    assert "mho_clock_gate" not in chip_text(CHIP, TiledChip(PARTS), "top")
    assert verify_chip(gated, accesses=2000) == verify_chip(CHIP, accesses=2000)
