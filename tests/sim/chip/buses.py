"""Verilog behind a bus that a master of others drives (cocotbext), in Icarus, where all begins unknown."""

import json
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mho.macro_models.errors import ToolError
from mho.macro_models.workspace import Workspace
from mho.sim.build.children import Child
from mho.sim.build.toolchain import (
    cached_build,
    cocotb_environment,
    hash_files,
    keep_log,
    require_cocotb,
    require_tool,
    tool_version,
)
from mho.sim.build.verilate import compile_icarus, hardware_hash

__all__ = ["BusProgram", "build_for_icarus", "run_with_master"]

BusProgram = tuple[list[str], str]
"""Command of a simulator, and the name of its top."""


def run_with_master(program: BusProgram, server: str, job: Mapping[str, Any], limit_s: float) -> dict[str, Any]:
    """Run a simulator with the cocotb test of the module ``server``, which is given ``job``; what it found.

    Raises
    ------
    ToolError
        If it found something ``wrong``, or the simulation failed or took longer than ``limit_s``.
    """
    command, top = program
    with Workspace("bus") as folder:
        path, result, log = folder / "job.json", folder / "result.json", folder / "bus.log"
        path.write_text(json.dumps({**job, "result": str(result)}), encoding="utf-8")
        extra = {
            "MHO_JOB": str(path), "COCOTB_RESULTS_FILE": str(folder / "results.xml"),
            # In Icarus a write that takes effect at once overtakes the flip-flops that the same edge clocks.
            "COCOTB_TRUST_INERTIAL_WRITES": "0",
        }
        with log.open("wb") as handle:
            process = Child(command, stdin=subprocess.DEVNULL, stdout=handle, stderr=handle, cwd=folder,
                            env=cocotb_environment(server, top, extra))
            code = process.end(limit_s)
        if not result.exists():
            raise ToolError(f"the simulation of the chip failed with exit code {code}"
                            f"{keep_log(log, f'failed-{log.stem}.log')}")
        answers: dict[str, Any] = json.loads(result.read_text("utf-8"))
    if "wrong" in answers:
        raise ToolError(answers["wrong"])
    return answers


def build_for_icarus(
    kind: str, key: Sequence[str], sources: Callable[[Path], tuple[list[Path], str]]
) -> BusProgram:
    """A simulator from the cache or built now, of Verilog that ``sources`` writes into a folder, with its top's name.

    Raises
    ------
    ToolError
        If a tool or cocotb is missing or fails.
    """
    require_cocotb()
    from cocotb_tools import config

    def build(folder: Path) -> None:
        files, top = sources(folder)
        scale = folder / "timescale.v"
        scale.write_text("`timescale 1ns / 1ps\n")
        compile_icarus(folder, [scale, *files], "chip.vvp", top=top)
        (folder / "top").write_text(top)

    whole = [*key, hardware_hash(), hash_files([Path(__file__)]), tool_version("iverilog")]
    folder = cached_build(f"{kind}-icarus", whole, build)
    vpi = str(config.lib_name_path("vpi", "icarus"))
    return [require_tool("vvp"), "-n", "-m", vpi, str(folder / "chip.vvp")], (folder / "top").read_text()
