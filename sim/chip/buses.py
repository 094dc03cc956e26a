"""A chip behind a bus that a master of others drives: random accesses beside programs, in Verilator or Icarus."""

import json
import re
import subprocess
from collections.abc import Mapping
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
from sim.build.verilate import compile_verilator, compiler_key, hardware_hash
from sim.chip.verify import ChipReport, require_tiles

__all__ = ["MASTERS", "verify_bus"]

MASTERS: Mapping[str, str] = {"axil": "AXI4-Lite", "wishbone": "Wishbone"}
"""Buses with a master, and what they are called."""


def verify_bus(chip: Chip, wrap: str, *, accesses: int, seed: int = 0, icarus: bool = False) -> ChipReport:
    """Run two programs on a chip behind a bus while its master reads and writes.

    Parameters
    ----------
    chip
        A chip of at least three tiles.
    wrap
        One of :data:`MASTERS`.
    accesses, seed
        Random accesses; of all that is random.
    icarus
        In Icarus Verilog, where all begins unknown, rather than in Verilator.

    Raises
    ------
    InputError
        If the chip has fewer tiles.
    ToolError
        If anything is not as expected, or a tool or cocotb is missing or fails.
    """
    parts = require_tiles(chip)
    with Workspace("bus") as folder:
        program, top = _icarus(chip, wrap) if icarus else _verilator(chip, wrap)
        job, result, log = folder / "job.json", folder / "result.json", folder / "bus.log"
        job.write_text(json.dumps({
            "chip": chip.to_dict(), "wrap": wrap, "accesses": accesses, "seed": seed, "result": str(result),
        }), encoding="utf-8")
        extra = {"MHO_JOB": str(job), "COCOTB_RESULTS_FILE": str(folder / "results.xml")}
        if icarus:
            # There a write that takes effect at once overtakes the flip-flops that the same edge clocks.
            extra["COCOTB_TRUST_INERTIAL_WRITES"] = "0"
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
        parts, host=MASTERS[wrap], accesses=accesses, errors=found["errors"], images=found["images"], cells=0,
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


def _verilator(chip: Chip, wrap: str) -> tuple[list[str], str]:
    """Command and top of a simulator, from the cache or built now."""
    require_cocotb()

    def build(folder: Path) -> None:
        sources, top = _sources(chip, wrap, folder)
        control = folder / "ports.vlt"
        names = re.findall(r"^\s*(?:input|output)\b[^;,]*?(\w+)\s*[;,)]?$", _module(sources, top), re.MULTILINE)
        control.write_text("`verilator_config\n" + "".join(
            f'public_flat_rw -module "{top}" -var "{name}"\n' for name in names))
        compile_verilator(folder, [control, *sources], top=top, defines={}, public=())
        (folder / "top").write_text(top)

    folder = cached_build("chip-bus", [*_key(chip, wrap), *compiler_key()], build)
    return [str(folder / "simulator")], (folder / "top").read_text()


def _module(sources: list[Path], name: str) -> str:
    """Text of a module."""
    for path in sources:
        if found := re.search(rf"^module {name}\b.*?^endmodule", path.read_text("utf-8"), re.MULTILINE | re.DOTALL):
            return found[0]
    raise AssertionError(name)


def _icarus(chip: Chip, wrap: str) -> tuple[list[str], str]:
    """The same of Icarus Verilog."""
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
