"""A chip behind a bus that a master of others drives: random accesses beside programs."""

import json
from pathlib import Path

from mho.hw.config import Chip, PulseChip
from mho.rtl_gen import emit_core
from mho.rtl_gen.kinds.tnsa import write_macro_model
from mho.sim.chip.verify import HOSTS, ChipReport, require_tiles
from tests.sim.chip.buses import BusProgram, build_for_icarus, run_with_master

__all__ = ["verify_bus"]

_START_S, _ACCESS_S = 1800.0, 5.0
"""How long a simulation may take, in s: to begin, and for an access, in Icarus on a busy machine."""


def verify_bus(chip: Chip, wrap: str, *, accesses: int, seed: int = 0) -> ChipReport:
    """Run programs on a chip behind a bus while a master of cocotbext reads and writes.

    In Icarus Verilog, where all begins unknown: slow, and a master that we did not write. That of
    :mod:`mho.sim.chip.bus_masters` is for many accesses.

    Parameters
    ----------
    chip
        A chip of at least three tiles, or of one.
    wrap
        ``axil`` or ``wishbone``.
    accesses, seed
        Random accesses; of all that is random.

    Raises
    ------
    InputError
        If the chip has other tiles.
    ToolError
        If anything is not as expected, or a tool or cocotb is missing or fails.
    """
    parts = require_tiles(chip)
    job = {"chip": chip.to_dict(), "wrap": wrap, "accesses": accesses, "seed": seed}
    answers = run_with_master(_build(chip, wrap), "tests.sim.chip.bus_server", job, _START_S + _ACCESS_S * accesses)
    return ChipReport.of(
        parts, host=HOSTS[wrap], accesses=accesses, errors=answers["errors"], images=answers["images"], cells=0,
        cycles=answers["cycles"],
    )


def _sources(chip: Chip, wrap: str, folder: Path) -> tuple[list[Path], str]:
    """Verilog of a chip with ideal macros, and the name of its top."""
    pulses = PulseChip.of(chip)
    sources = emit_core(pulses, folder / "rtl", wrap, part="chip")
    model = folder / "tnsa_macro.v"
    model.write_text(write_macro_model("tnsa_macro", chip.lines, pulses.programming.verify_bits))
    return [*sources, model], f"mho_{sources[0].stem}"


def _build(chip: Chip, wrap: str) -> BusProgram:
    hardware = json.dumps(chip.hardware("core", "noc", "tile").to_dict(), sort_keys=True)
    return build_for_icarus("chip-bus", [hardware, wrap], lambda folder: _sources(chip, wrap, folder))
