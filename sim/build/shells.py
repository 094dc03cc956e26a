"""The bench around simulated cores: SystemVerilog in which each of them has a shell of its own."""

import re
from collections.abc import Sequence
from pathlib import Path

from mho.hw.config import Chip
from mho.hw.core.write_verify.config import ParameterLayout, WriteVerifyConfig
from mho.hw.core.write_verify.engine import CellLayout, TargetLayout
from mho.hw.kinds import core_blocks
from mho.sim.build.toolchain import HDL
from mho.sim.kinds import body

_SHELL = "core_bench.sv"
"""Read once for each different core, behind the body of its macro."""


def core_sources(chip: Chip, folder: Path, *, own_macro: bool = False, adapter: str = "") -> list[Path]:
    """Write the Verilog of the unwrapped core into ``folder``.

    With ``own_macro`` it has the adapter of the user's own macro, and behind that the user's model; if there is none, a
    module with its ports in which the contract's macro is, where ``adapter`` is the path of the adapter.
    """
    from mho.rtl_gen import emit_core
    from mho.rtl_gen.macro.contract import write_mirror
    from mho.rtl_gen.macro.pin_check import macro_map
    from mho.rtl_gen.macro.port_map import has_model, macro_files, rtl_files

    sources = emit_core(chip, folder, wrap="none", own_macro=own_macro)
    if not own_macro or chip.macro is None:
        return sources
    if has_model(chip):
        return [*sources, *(path.absolute() for path in (*rtl_files(chip), *macro_files(chip)))]
    mirror, pins, name = folder / "own_macro_mirror.v", core_blocks(chip).pins, chip.macro.outer
    if name == pins.module:
        # The name of the body within.
        name += "_mirror"
        (adapter_file,) = (path for path in sources if path.name == "macro_adapter.v")
        adapter_file.write_text(re.sub(rf"\b{pins.module}\b", name, adapter_file.read_text("utf-8")), "utf-8")
    mirror.write_text(write_mirror(name, pins, macro_map(chip), adapter), "utf-8")
    return [*sources, mirror]


def write_contracts(chip: Chip, sources: Sequence[Path], adapter: str, folder: Path) -> list[Path]:
    """Assertions of the pins of the user's own macro: as the core drives them and, behind the adapter, at its pins.

    ``sources`` hold the generated Verilog of the core, ``adapter`` is the path of the adapter.
    """
    from mho.rtl_gen.macro.contract import pin_values
    from mho.rtl_gen.macro.pin_check import macro_map
    from mho.rtl_gen.parts import contract_texts

    modules: dict[str, str] = {}
    for path in sources:
        text = path.read_text("utf-8", errors="replace")
        modules |= dict.fromkeys(re.findall(r"^module (\w+)", text, re.MULTILINE), text)
    prefix = chip.verilog.prefix
    (text,) = contract_texts(chip, modules, f"{prefix}core", prefix).values()
    if chip.macro is not None and not chip.macro.commands:
        before, bind = text[: (at := text.rindex("\nbind "))], text[at:]
        values = pin_values(core_blocks(chip).pins, macro_map(chip), adapter, f"{adapter}.macro.")
        at_pins = re.sub(r"\.(\w+)\(\w*\)", lambda m: f".{m[1]}({values.get(m[1], m[0][len(m[1]) + 2 : -1])})", bind)
        text = before + bind + re.sub(r"(bind \w+ \w+ )\w+", r"\1macro_contract_at_its_pins", at_pins)
    path = folder / "own_macro_contract.sv"
    path.write_text(text, encoding="utf-8")
    return [path]


def half_period(chip: Chip) -> int:
    """Half a clock period, in ps."""
    return max(round(5e5 / chip.clock.f_clk_MHz), 1)


def core_defines(chip: Chip, *, own_macro: bool = False) -> dict[str, object]:
    """Names and widths of one core, as macros of the preprocessor."""
    blocks = core_blocks(chip)
    defines: dict[str, object] = {
        "MHO_CORE": f"{chip.verilog.prefix}core",
        "MHO_LINES": chip.lines,
        "MHO_OP_BITS": blocks.port.op_bits,
        "MHO_MASK_BITS": blocks.port.mask_bits,
        **body(chip).defines(chip),
    }
    if chip.verilog.reset == "async_low":
        defines["MHO_RESET_LOW"] = ""
    if own_macro and (extra := _extra_inputs(chip)):
        defines["MHO_EXTRA"] = extra
    if own_macro and chip.macro is not None and chip.macro.clocks:
        halves = {name: max(round(5e5 / rate), 1) for name, rate in chip.macro.clocks.items()}
        defines["MHO_CLOCKS"] = " ".join(
            f"reg own_clock_{name} = 1'b0; always #({half}) own_clock_{name} = ~own_clock_{name};"
            for name, half in halves.items()
        )
    if blocks.programs:
        defines |= _write_defines(chip)
    unused = {**blocks.idle, **({"test_mode": 1} if chip.verilog.test else {})}
    if idle := "".join(f", .{name}({width}'d0)" for name, width in unused.items()):
        defines["MHO_IDLE"] = idle
    return defines


def _extra_inputs(chip: Chip) -> str:
    """Connections of the inputs that the user's own macro brings to the top: its clocks, and others, which are 0."""
    from mho.rtl_gen.macro.adapter import through
    from mho.rtl_gen.macro.pin_check import macro_map

    ports = through(chip.macro, macro_map(chip)).extra or {}
    clocks = chip.macro.clocks if chip.macro is not None else {}
    return "".join(
        f", .{name}(own_clock_{port.name})" if port.name in clocks else f", .{name}({port.width}'d0)"
        for name, port in ports.items() if port.direction == "input"
    )


def _write_defines(chip: Chip) -> dict[str, object]:
    cfg = WriteVerifyConfig.from_chip(chip)
    return {
        "MHO_VERIFY_BITS": cfg.verify_bits,
        "MHO_TARGET_BITS": TargetLayout(cfg).size,
        "MHO_CELL_BITS": CellLayout(cfg).size,
        "MHO_PARAMETER_BITS": ParameterLayout(cfg).size,
        "MHO_MAP_BITS": (cfg.map_words - 1).bit_length(),
        "MHO_MAP_WIDTH": cfg.map_width,
    }


def write_bench(chip: Chip, path: Path, *, own_macro: bool = False, bodies: bool = True) -> None:
    """Write the top ``core_tb`` and what is between it and the generated core, whose path is ``core_tb.core_0``.

    Parameters
    ----------
    own_macro, bodies
        The core has the adapter of the user's macro; without ``bodies``, the user's model behind it.
    """
    defines = {"MHO_SHELL": "core_bench", **core_defines(chip, own_macro=own_macro)}
    texts = [f"`define {name} {value}\n" for name, value in defines.items()]
    texts += [body(chip).text(chip, core_blocks(chip).pins.module)] if bodies else []
    texts += [(HDL / name).read_text(encoding="utf-8") for name in (_SHELL, "core_tb.sv")]
    path.write_text("".join(texts), encoding="utf-8")
