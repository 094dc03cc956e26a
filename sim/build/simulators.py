"""Simulators of generated cores: the Verilog of chips, or a netlist of one, compiled once and kept."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from mho.hw.config import Chip
from mho.hw.kinds import core_blocks
from mho.macro_models.errors import InputError
from mho.rtl_gen.macro.body import pins_module, shell_body
from mho.sim.build.shells import core_defines, core_sources, half_period, write_bench, write_contracts
from mho.sim.build.toolchain import HDL, cached_build, hash_files, require_cocotb, require_tool, tool_version
from mho.sim.build.verilate import compile_icarus, compile_verilator, compiler_key, hardware_hash
from mho.sim.kinds import body

SHELL_DEPTH = 2048
"""Words of each stream that one batch may have in a simulator without DPI."""

_BURST = 64
"""Cycles of one time step of the simulator, where nobody looks at the time."""

_SHIM = ("asking.cpp", "philox.cpp", "streams.cpp", "cells.cpp", "conversion.h", "pauses.h", "rows.h", "strobes.h")

_PUBLIC = (("core_tb", "wake"),)


@dataclass(frozen=True, kw_only=True)
class Simulator:
    """A compiled simulator."""

    folder: Path
    """What the build left: the simulator, the Verilog of the core, the log."""
    program: tuple[str, ...]
    """Command without its arguments."""
    shell: str
    """Path of the shell of its core."""
    icarus: bool = False
    """Whether it is Icarus, which traces every build."""

    def command(self, waves: Path | None = None) -> list[str]:
        """Command that runs it; ``waves`` is the trace that it writes, if it was built for that."""
        if waves is None:
            return list(self.program)
        if self.icarus:
            return [*self.program, "-fst", f"+waves={waves.absolute()}"]
        return [*self.program, "--trace", "--trace-file", str(waves.absolute())]


def _common_key(chip: Chip, defines: dict[str, object]) -> list[str]:
    sources_hash = hash_files([Path(__file__), Path(__file__).with_name("shells.py"), *HDL.iterdir()])
    hardware = json.dumps(chip.hardware("core").to_dict(), sort_keys=True)
    return [hardware, hardware_hash(), sources_hash, str([defines, body(chip).defines(chip)])]


def _own_key(chip: Chip, own_macro: bool) -> list[str]:
    """What of a user's own macro can change the simulator."""
    if not own_macro:
        return []
    from mho.rtl_gen.macro.port_map import macro_files, rtl_files

    content = json.dumps(chip.hardware("core", "adapter").to_dict(), sort_keys=True)
    return [f"own macro {content}", hash_files([*rtl_files(chip), *macro_files(chip)])]


def _has_body(chip: Chip, own_macro: bool) -> bool:
    """Whether our own body of the macro is in the simulation: not where the user has a model."""
    from mho.rtl_gen.macro.port_map import has_model

    return not own_macro or not has_model(chip)


def _own_defines(chip: Chip, own_macro: bool) -> dict[str, object]:
    """What a user's own model is compiled with: it may take its cells from a file."""
    return {} if _has_body(chip, own_macro) else {"CELLS_FILE": 1}


def _netlist_key(netlist: Path | None, cells: Path | None) -> list[str]:
    key: list[str] = []
    for name, path in (("netlist", netlist), ("cells", cells)):
        if path is None:
            continue
        if not path.is_file():
            raise InputError(f"{name} must be a Verilog file, and {path} is none")
        key.append(f"{name} {hash_files([path])}")
    return key


def _sources(
    chip: Chip, folder: Path, netlist: Path | None, cells: Path | None, own_macro: bool = False, adapter: str = ""
) -> list[Path]:
    generated = core_sources(chip, folder / "rtl", own_macro=own_macro, adapter=adapter)
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


def verilator_build(
    chip: Chip, *, waves: bool = False, netlist: Path | None = None, cells: Path | None = None, own_macro: bool = False
) -> Simulator:
    """The core of ``chip`` in Verilator, from the cache or built now (10 to 30 s).

    Parameters
    ----------
    waves
        With tracing to FST.
    netlist, cells
        A gate-level netlist of the same top instead of the generated RTL, and the models of its cells.
    own_macro
        With the adapter of the user's own macro and, if there is one, the user's model.
    """
    require_cocotb()
    import cocotb_tools
    from cocotb_tools import config

    shell, generated = "core_tb.core_0", body(chip).text(chip, core_blocks(chip).pins.module)

    def build(folder: Path) -> None:
        adapter = f"{shell}.core.macro{'.adapter' if chip.verilog.test else ''}"
        sources = _sources(chip, folder, netlist, cells, own_macro, adapter)
        if own_macro:
            sources += write_contracts(chip, sources, adapter, folder)
        write_bench(chip, folder / "bench.sv", own_macro=own_macro, bodies=_has_body(chip, own_macro))
        compile_verilator(
            folder, [*sources, folder / "bench.sv", *(HDL / name for name in (*_SHIM, *sorted(body(chip).sources)))],
            top="core_tb", defines=defines, public=_PUBLIC, waves=waves, optimise=not (waves or netlist),
            asserts=own_macro,
        )

    # Clocks of a macro's own run in time, which a burst has none of.
    timed = waves or (own_macro and chip.macro is not None and bool(chip.macro.clocks))
    defines: dict[str, object] = {
        "MHO_HALF_PS": half_period(chip), **({} if timed else {"MHO_BURST": _BURST}), **_own_defines(chip, own_macro),
    }
    key = [
        *_common_key(chip, defines), *_own_key(chip, own_macro), f"waves {waves}", *_netlist_key(netlist, cells),
        *compiler_key(), generated, cocotb_tools.__file__, str(config.libs_dir),
    ]
    folder = cached_build("verilator", key, build)
    return Simulator(folder=folder, program=(str(folder / "simulator"),), shell=shell)


def icarus_build(
    chip: Chip, *, waves: bool = False, netlist: Path | None = None, cells: Path | None = None, own_macro: bool = False,
    delays: bool = False,
) -> Simulator:
    """The core of ``chip`` in Icarus Verilog, inside the Verilog-2005 shell ``hdl/core_tb.v``.

    ``delays``: cells have their paths, and take the longest times of the SDF that the netlist names.

    Icarus drops a time-0 trigger of ``always @*`` in its SystemVerilog modes, so all is compiled as Verilog-2005.
    """
    require_cocotb()
    from cocotb_tools import config

    body(chip)
    text, options = shell_body(chip), ("-gspecify", "-Tmax") if delays else ()

    def build(folder: Path) -> None:
        sources = _sources(chip, folder, netlist, cells, own_macro, "core_tb.core.macro")
        (folder / "body.v").write_text(text, encoding="utf-8")
        bodies = [folder / "body.v"] if _has_body(chip, own_macro) else []
        compile_icarus(folder, [*sources, *bodies, HDL / "core_tb.v"], "core_tb.vvp", top="core_tb", defines=defines,
                       options=options)

    defines = core_defines(chip, own_macro=own_macro) | {"MHO_HALF_PS": half_period(chip), "MHO_DEPTH": SHELL_DEPTH}
    defines |= _own_defines(chip, own_macro)
    if _has_body(chip, own_macro):
        defines["MHO_PINS"] = pins_module(core_blocks(chip).pins)
    key = [
        *_common_key(chip, defines), *_own_key(chip, own_macro), *_netlist_key(netlist, cells),
        tool_version("iverilog"), text, *options,
    ]
    folder = cached_build("icarus", key, build)
    return Simulator(
        folder=folder,
        icarus=True,
        shell="core_tb",
        program=(
            require_tool("vvp"),
            "-n",
            "-m",
            str(config.lib_name_path("vpi", "icarus")),
            str(folder / "core_tb.vvp"),
        ),
    )
