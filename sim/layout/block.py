"""What is made a layout: a generated design, or one module of it, with the views of its macros."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mho.hw.config import Chip
from mho.macro_models.errors import InputError
from mho.macro_models.files import FileKind, read_text
from mho.macro_models.files.scripts import NAME
from mho.rtl_gen import generate
from mho.rtl_gen.macro.supplies import supply_pins

_MODULE_LIMITS = """create_clock -name clk -period {period:g} [get_ports clk]
set_clock_uncertainty 0.1 [all_clocks]
set inputs [all_inputs -no_clocks]
set_input_delay -max {outside:g} -clock clk $inputs
set_input_delay -min 0.2 -clock clk $inputs
set_output_delay -max {outside:g} -clock clk [all_outputs]
set_output_delay -min 0 -clock clk [all_outputs]
set_input_transition 0.3 $inputs
set_load 0.05 [all_outputs]
set_max_transition 1 [current_design]
set_max_fanout 16 [current_design]
"""
"""Constraints of a module alone. Inputs come from flip-flops, which take 0.2 ns at least."""

_LEF = FileKind("LEF file", 1 << 28)

_OUTSIDE = 0.1
"""Share of the period that is spent before and behind a module, which is in the midst of paths of its own design."""


@dataclass(frozen=True, kw_only=True)
class Block:
    """A design that becomes a layout. Paths are relative to the folder of the layout."""

    top: str
    """Module."""
    sources: tuple[str, ...]
    stubs: tuple[str, ...]
    """Verilog, and black boxes."""
    constraints: str
    """SDC."""
    macro: str
    lef: str
    liberty: str
    netlist: str
    layout: str
    """Module of the macro and its views; where its user has none, the netlist is of its pins alone, and no layout."""
    macro_size: tuple[float, float]
    """Its width and height in um."""
    supplies: dict[str, str]
    """Pins of the macro's supplies: ``power`` or ``ground`` by name."""
    period_ns: float
    """Of the clock."""


def generate_block(chip: Chip, folder: Path, *, part: str, module: str) -> Block:
    """Write the Verilog of a chip's part into ``folder/rtl``; what is made of it: its top, or a module.

    Raises InputError if the part is none of the chip, or has no such module.
    """
    report = generate(chip, folder / "rtl", part=part)
    names = [file.path for file in report.files]
    sources = (folder / "rtl" / f"{report.top}.f").read_text().split()
    top, constraints = report.top, f"rtl/{report.top}.sdc"
    period = 1000 / chip.clock.f_clk_MHz
    if module:
        top = _module(folder, sources, chip.verilog.prefix, module)
        constraints = "block.sdc"
        (folder / constraints).write_text(_MODULE_LIMITS.format(period=period, outside=_OUTSIDE * period))
    lef = next((f"rtl/{name}" for name in names if name.endswith(".lef")), "")
    power, ground = supply_pins(chip.macro)
    return Block(
        top=top, sources=tuple(f"rtl/{name}" for name in sources),
        stubs=tuple(f"rtl/{name}" for name in names if name.startswith("stubs/")), constraints=constraints,
        supplies=dict.fromkeys(power, "power") | dict.fromkeys(ground, "ground"), period_ns=period,
        **_views(folder, Path(lef) if lef else None),
    )


def _views(folder: Path, lef: Path | None) -> dict[str, Any]:
    """Views of the macro beside its LEF, its user's or templates; a netlist of its pins alone where there is none."""
    if lef is None:
        return {"macro": "", "lef": "", "liberty": "", "netlist": "", "layout": "", "macro_size": (0.0, 0.0)}
    text = read_text(folder / lef, _LEF)
    liberty, netlist, layout = (lef.with_suffix(end) for end in (".lib", ".cdl", ".gds"))
    if not (folder / netlist).exists():
        netlist, pins = Path("macro.cdl"), re.findall(r"^\s*PIN (\S+)", text, re.MULTILINE)
        (folder / netlist).write_text(f".SUBCKT {lef.stem} {' '.join(pins)}\n.ENDS\n")
    return {
        "macro": lef.stem, "lef": str(lef), "liberty": str(liberty), "netlist": str(netlist),
        "layout": str(layout) if (folder / layout).exists() else "", "macro_size": _size(text),
    }


def _module(folder: Path, sources: list[str], prefix: str, module: str) -> str:
    """The Verilog name of a module."""
    texts = "".join((folder / "rtl" / path).read_text() for path in sources)
    names = re.findall(rf"^module ({NAME})", texts, re.MULTILINE)
    name = module if module in names else f"{prefix}{module}"
    if name not in names:
        shown = ", ".join(sorted(each.removeprefix(prefix) for each in names))
        raise InputError(f"--module must be a module of this design ({shown}), not {module!r}")
    return name


def _size(lef: str) -> tuple[float, float]:
    match = re.search(r"^\s*SIZE ([\d.]+) BY ([\d.]+) ;", lef, re.MULTILINE)
    return (float(match[1]), float(match[2])) if match else (0.0, 0.0)
