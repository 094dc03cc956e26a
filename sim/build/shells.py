"""The bench around simulated cores: SystemVerilog in which each of them has a shell of its own."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from hw.config import Chip, PulseChip
from hw.core.config import CoreConfig
from hw.core.layout import OpLayout
from hw.core.masks import MaskLayout
from sim.build.toolchain import HDL

__all__ = ["MACRO", "core_defines", "core_sources", "half_period", "own_names", "write_bench"]

MACRO = "tnsa_macro"
"""Module of the macro in the generated Verilog."""

_READ = ("tnsa_macro.sv", "core_bench.sv")
"""Read once for each different core."""


def core_sources(chip: Chip, folder: Path) -> list[Path]:
    """Write the Verilog of the unwrapped core into ``folder``."""
    from rtl_gen import emit_core

    return emit_core(chip, folder, wrap="none")


def own_names(cores: Sequence[Chip]) -> list[Chip]:
    """The cores, with prefixes of their modules such that no name is another's; that of the first stays."""
    return [
        core if k == 0 else replace(core, verilog=replace(core.verilog, prefix=f"{core.verilog.prefix}{k}_"))
        for k, core in enumerate(cores)
    ]


def half_period(chip: Chip) -> int:
    """Half a clock period, in ps."""
    return max(round(5e5 / chip.clock.f_clk_MHz), 1)


def core_defines(chip: Chip) -> dict[str, object]:
    """Names and widths of one core, as macros of the preprocessor."""
    defines: dict[str, object] = {
        "MHO_CORE": f"{chip.verilog.prefix}core",
        "MHO_LINES": chip.lines,
        "MHO_OP_BITS": OpLayout().size,
        "MHO_MASK_BITS": MaskLayout(CoreConfig.from_chip(chip)).size,
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


def write_bench(cores: Sequence[Chip], kinds: Sequence[int], path: Path) -> None:
    """Write the top ``core_tb`` and what is between it and the generated cores.

    Parameters
    ----------
    cores
        Different cores, as of :func:`own_names`.
    kinds
        For each core of the simulation its index in ``cores``; it gets the path ``core_tb.core_N``.
    """
    texts = []
    for k, core in enumerate(cores):
        defines = {"MHO_MACRO": macro_module(k), "MHO_SHELL": f"core_bench_{k}", **core_defines(core)}
        texts += [f"`define {name} {value}\n" for name, value in defines.items()]
        texts += [(HDL / name).read_text(encoding="utf-8") for name in _READ]
        texts += [f"`undef {name}\n" for name in defines]
    shells = " \\\n    ".join(
        f"core_bench_{kind} core_{n} (.clk(clk), .rst(rst), .wake(wakes[{n}]));" for n, kind in enumerate(kinds)
    )
    texts += [f"`define MHO_CORES {len(kinds)}\n`define MHO_SHELLS {shells}\n", (HDL / "core_tb.sv").read_text("utf-8")]
    path.write_text("".join(texts), encoding="utf-8")


def macro_module(kind: int) -> str:
    """Name of the macro's module in a simulation; generated Verilog has one, that of the first core."""
    return MACRO if kind == 0 else f"{MACRO}_{kind}"
