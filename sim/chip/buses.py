"""A chip behind a bus that a master of others drives: random accesses beside programs, in Icarus from unknown."""

import json
import subprocess
from pathlib import Path
from typing import Any

from hw.config import Chip, PulseChip
from macro_models.errors import ToolError
from macro_models.workspace import Workspace
from rtl_gen import emit_core
from rtl_gen.macro.model import write_macro_model
from sim.build.children import Child
from sim.build.toolchain import (
    cached_build,
    cocotb_environment,
    hash_files,
    keep_log,
    require_cocotb,
    require_tool,
    run_logged,
    tool_version,
)
from sim.build.verilate import hardware_hash
from sim.chip.verify import HOSTS, ChipReport, require_tiles

__all__ = ["verify_bus"]


def verify_bus(chip: Chip, wrap: str, *, accesses: int, seed: int = 0) -> ChipReport:
    """Run programs on a chip behind a bus while a master of cocotbext reads and writes.

    In Icarus Verilog, where all begins unknown: slow, and a master that we did not write. That of
    :mod:`sim.chip.bus_masters` is for many accesses.

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
    with Workspace("bus") as folder:
        program, top = _build(chip, wrap)
        job, result, log = folder / "job.json", folder / "result.json", folder / "bus.log"
        job.write_text(json.dumps({
            "chip": chip.to_dict(), "wrap": wrap, "accesses": accesses, "seed": seed, "result": str(result),
        }), encoding="utf-8")
        extra = {
            "MHO_JOB": str(job), "COCOTB_RESULTS_FILE": str(folder / "results.xml"),
            # In Icarus a write that takes effect at once overtakes the flip-flops that the same edge clocks.
            "COCOTB_TRUST_INERTIAL_WRITES": "0",
        }
        environment = cocotb_environment("sim.chip.bus_server", top, extra)
        with log.open("wb") as handle:
            process = Child(
                program, stdin=subprocess.DEVNULL, stdout=handle, stderr=handle, cwd=folder, env=environment)
            code = process.end(_START_S + _ACCESS_S * accesses)
        if not result.exists():
            raise ToolError(f"the simulation of the chip failed with exit code {code}"
                            f"{keep_log(log, f'failed-{log.stem}.log')}")
        found: dict[str, Any] = json.loads(result.read_text("utf-8"))
    if "wrong" in found:
        raise ToolError(found["wrong"])
    return ChipReport.of(
        parts, host=HOSTS[wrap], accesses=accesses, errors=found["errors"], images=found["images"], cells=0,
        cycles=found["cycles"],
    )


_START_S, _ACCESS_S = 1800.0, 5.0
"""How long a simulation may take, in s: to begin, and for an access, in Icarus on a busy machine."""


def _sources(chip: Chip, wrap: str, folder: Path) -> tuple[list[Path], str]:
    """Verilog of a chip with ideal macros, and the name of its top."""
    pulses = PulseChip.of(chip)
    sources = emit_core(pulses, folder / "rtl", wrap, part="chip")
    model = folder / "tnsa_macro.v"
    model.write_text(write_macro_model("tnsa_macro", chip.lines, pulses.programming.verify_bits))
    return [*sources, model], f"mho_{sources[0].stem}"


def _key(chip: Chip, wrap: str) -> list[str]:
    hardware = json.dumps(chip.hardware("core", "noc", "tile").to_dict(), sort_keys=True)
    return [hardware, wrap, hardware_hash(), hash_files([Path(__file__)])]


def _build(chip: Chip, wrap: str) -> tuple[list[str], str]:
    """Command and top of a simulator, from the cache or built now."""
    require_cocotb()
    from cocotb_tools import config

    def build(folder: Path) -> None:
        sources, top = _sources(chip, wrap, folder)
        scale = folder / "timescale.v"
        scale.write_text("`timescale 1ns / 1ps\n")
        command = [require_tool("iverilog"), "-g2005", "-s", top, "-o", str(folder / "chip.vvp"),
                   *map(str, [scale, *sources])]
        run_logged(command, folder / "build.log", "iverilog")
        (folder / "top").write_text(top)

    folder = cached_build("chip-bus-icarus", [*_key(chip, wrap), tool_version("iverilog")], build)
    vpi = str(config.lib_name_path("vpi", "icarus"))
    return [require_tool("vvp"), "-n", "-m", vpi, str(folder / "chip.vvp")], (folder / "top").read_text()
