"""Simulators of the generated core: the Verilog of a chip, or a netlist of it, compiled once and kept."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from hw.config import Chip, PulseChip
from macro_models.errors import InputError
from sim.build.toolchain import (
    HDL,
    cached_build,
    hash_files,
    require_cocotb,
    require_tool,
    run_logged,
    tool_version,
)
from sim.build.verilate import compile_verilator, compiler_key, hardware_hash

__all__ = ["SHELL_DEPTH", "Simulator", "core_sources", "icarus_build", "verilator_build"]

SHELL_DEPTH = 2048
"""Words of each stream that one batch may have in a simulator without DPI."""

_BURST = 64
"""Cycles of one time step of the simulator, where nobody looks at the time."""

_BENCH = ("tnsa_macro.sv", "core_tb.sv", "shim.cpp", "streams.cpp", "cells.cpp")

_PUBLIC = (("core_tb", "wake"),)


@dataclass(frozen=True, kw_only=True)
class Simulator:
    """A compiled simulator.

    Attributes
    ----------
    folder
        What the build left: the simulator, the Verilog of the core, the log.
    program
        Command without its arguments.
    icarus
        Whether it is Icarus, which traces every build.
    """

    folder: Path
    program: tuple[str, ...]
    icarus: bool = False

    def command(self, waves: Path | None = None) -> list[str]:
        """Command that runs it; ``waves`` is the trace that it writes, if it was built for that."""
        if waves is None:
            return list(self.program)
        if self.icarus:
            return [*self.program, "-fst", f"+waves={waves.absolute()}"]
        return [*self.program, "--trace", "--trace-file", str(waves.absolute())]


def core_sources(chip: Chip, folder: Path) -> list[Path]:
    """Write the Verilog of the unwrapped core into ``folder``."""
    from rtl_gen import emit_core

    return emit_core(chip, folder, wrap="none")


def _common_key(chip: Chip, defines: dict[str, object]) -> list[str]:
    own = hash_files([Path(__file__), *HDL.iterdir()])
    return [json.dumps(chip.hardware("core").to_dict(), sort_keys=True), hardware_hash(), own, str(defines)]


def _netlist_key(netlist: Path | None, cells: Path | None) -> list[str]:
    key: list[str] = []
    for name, path in (("netlist", netlist), ("cells", cells)):
        if path is None:
            continue
        if not path.is_file():
            raise InputError(f"{name} must be a Verilog file, and {path} is none")
        key.append(f"{name} {hash_files([path])}")
    return key


def _sources(chip: Chip, folder: Path, netlist: Path | None, cells: Path | None) -> list[Path]:
    generated = core_sources(chip, folder / "rtl")
    if netlist is None:
        return generated
    top, adapter = f"{chip.verilog.prefix}core", f"{chip.verilog.prefix}macro_adapter"
    text = netlist.read_text(errors="replace")
    if re.search(rf"\bmodule\s+{top}\b", text) is None:
        raise InputError(f"{netlist} must have the module {top}, which is the top of {chip.name}")
    # The adapter has no logic, so a synthesis may have kept it as a black box.
    needed = adapter in text and re.search(rf"\bmodule\s+{adapter}\b", text) is None
    adapters = [path for path in generated if path.name == "macro_adapter.v"] if needed else []
    return [netlist.absolute(), *adapters, *([cells.absolute()] if cells else [])]


def _defines(chip: Chip) -> dict[str, object]:
    from hw.core.config import CoreConfig
    from hw.core.layout import OpLayout
    from hw.core.masks import MaskLayout

    defines: dict[str, object] = {
        "MHO_CORE": f"{chip.verilog.prefix}core",
        "MHO_LINES": chip.lines,
        "MHO_OP_BITS": OpLayout().size,
        "MHO_MASK_BITS": MaskLayout(CoreConfig.from_chip(chip)).size,
        "MHO_HALF_PS": max(round(5e5 / chip.clock.f_clk_MHz), 1),
    }
    if chip.verilog.reset == "async_low":
        defines["MHO_RESET_LOW"] = ""
    if PulseChip.of(chip).programming.engine:
        defines |= _write_defines(chip)
    return defines


def _write_defines(chip: Chip) -> dict[str, object]:
    from hw.core.write_verify import CellLayout, ParameterLayout, TargetLayout, WriteVerifyConfig

    cfg = WriteVerifyConfig.from_chip(chip)
    return {
        "MHO_VERIFY_BITS": cfg.verify_bits,
        "MHO_TARGET_BITS": TargetLayout(cfg).size,
        "MHO_CELL_BITS": CellLayout(cfg).size,
        "MHO_PARAMETER_BITS": ParameterLayout(cfg).size,
        "MHO_MAP_BITS": (cfg.map_words - 1).bit_length(),
        "MHO_MAP_WIDTH": cfg.map_width,
    }


def verilator_build(
    chip: Chip, *, waves: bool = False, netlist: Path | None = None, cells: Path | None = None
) -> Simulator:
    """The core of ``chip`` in Verilator, from the cache or built now (10 to 30 s).

    Parameters
    ----------
    waves
        With tracing to FST.
    netlist, cells
        A gate-level netlist of the same top instead of the generated RTL, and the models of its cells.

    Raises
    ------
    ToolError
        If a tool is missing or fails.
    """
    require_cocotb()
    import cocotb_tools
    from cocotb_tools import config

    def build(folder: Path) -> None:
        compile_verilator(
            folder, [*_sources(chip, folder, netlist, cells), *(HDL / name for name in _BENCH)], top="core_tb",
            defines=defines, public=_PUBLIC, waves=waves, optimise=not (waves or netlist),
        )

    defines = _defines(chip) | ({} if waves else {"MHO_BURST": _BURST})
    key = [
        *_common_key(chip, defines), f"waves {waves}", *_netlist_key(netlist, cells), *compiler_key(),
        cocotb_tools.__file__, str(config.libs_dir),
    ]
    folder = cached_build("verilator", key, build)
    return Simulator(folder=folder, program=(str(folder / "simulator"),))


def icarus_build(
    chip: Chip, *, waves: bool = False, netlist: Path | None = None, cells: Path | None = None
) -> Simulator:
    """The core of ``chip`` in Icarus Verilog, inside the Verilog-2005 shell ``hdl/core_tb.v``.

    Icarus drops a time-0 trigger of ``always @*`` in its SystemVerilog modes, so all is compiled as Verilog-2005.
    """
    require_cocotb()
    from cocotb_tools import config

    def build(folder: Path) -> None:
        command = [
            require_tool("iverilog"), "-g2005", "-s", "core_tb", "-o", str(folder / "core_tb.vvp"),
            *(f"-D{name}={value}" if value != "" else f"-D{name}" for name, value in defines.items()),
            *map(str, [*_sources(chip, folder, netlist, cells), HDL / "tnsa_macro.v", HDL / "core_tb.v"]),
        ]
        run_logged(command, folder / "build.log", "iverilog")

    defines = _defines(chip) | {"MHO_DEPTH": SHELL_DEPTH}
    key = [*_common_key(chip, defines), *_netlist_key(netlist, cells), tool_version("iverilog")]
    folder = cached_build("icarus", key, build)
    return Simulator(
        folder=folder,
        icarus=True,
        program=(
            require_tool("vvp"),
            "-n",
            "-m",
            str(config.lib_name_path("vpi", "icarus")),
            str(folder / "core_tb.vvp"),
        ),
    )
