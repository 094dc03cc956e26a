"""What is made a layout: a generated design, or one module of it, with the views of its macros."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from mho.hw.config import Chip
from mho.macro_models.errors import InputError
from mho.macro_models.files.scripts import NAME
from mho.rtl_gen import generate
from mho.rtl_gen.verilog.module.gating import CLOCK_GATE
from mho.rtl_gen.verilog.ports import module_ports
from mho.sim.layout.macros import Macro, analog_macro, hardened, memory_macros
from mho.sim.layout.pdk import Pdk
from mho.sim.silicon.memories.binding import binding
from mho.sim.silicon.synthesis.blocks import black_box

_MODULE_LIMITS = """create_clock -name clk -period {period:g} [get_ports clk]
set_clock_uncertainty 0.1 [all_clocks]
set inputs [all_inputs -no_clocks]
set clock_outside [expr {{[info exists io_reference] ? [list -reference_pin $io_reference] : {{}}}}]
set_input_delay -max {outside:g} -clock clk {{*}}$clock_outside $inputs
set_input_delay -min 0.2 -clock clk {{*}}$clock_outside $inputs
set_output_delay -max {outside:g} -clock clk {{*}}$clock_outside [all_outputs]
set_output_delay -min 0 -clock clk {{*}}$clock_outside [all_outputs]
set_input_transition 0.3 $inputs
set_load 0.05 [all_outputs]
set_max_transition 1 [current_design]
set_max_fanout 16 [current_design]
"""
"""Constraints of a module alone. Inputs come from flip-flops, which take 0.2 ns at least."""

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
    macros: tuple[Macro, ...]
    ports: Mapping[str, int]
    """Widths of the top's ports."""
    clock_gate: str
    """Verilog of the module of clock gates, which is a cell of the process here; empty without one."""
    period_ns: float
    """Of the clock."""
    inner: str
    """Folder of the layout of parts of a mesh; empty without one."""


def generate_block(
    chip: Chip, pdk: Pdk, folder: Path, *, part: str, module: str, abstract: Path | None = None
) -> Block:
    """Write the Verilog of a chip's part into ``folder/rtl``; what is made of it: its top, or a module.

    ``abstract``: folder of the layout of a module within, which is a macro here.

    Raises InputError if the part is none of the chip, or has no such module, or views of macros are missing.
    """
    report = generate(chip, folder / "rtl", part=part, bind=binding(chip))
    names = [file.path for file in report.files]
    sources = (folder / "rtl" / f"{report.top}.f").read_text().split()
    texts = {path: by_words((folder / "rtl" / path).read_text()) for path in sources}
    for path, text in texts.items():
        (folder / "rtl" / path).write_text(text)
    top, constraints = report.top, f"rtl/{report.top}.sdc"
    period = 1000 / chip.clock.f_clk_MHz
    if module:
        top = _module(texts.values(), chip.verilog.prefix, module)
        constraints = "block.sdc"
        (folder / constraints).write_text(_MODULE_LIMITS.format(period=period, outside=_OUTSIDE * period))
    stubs = [f"rtl/{name}" for name in names if name.startswith("stubs/")]
    macros = [analog_macro(folder, Path("rtl", name)) for name in names if name.endswith(".lef")]
    if abstract is not None:
        inner = hardened(abstract, folder)
        source = next((path for path, text in texts.items() if re.search(rf"^module {inner.name}\b", text, re.M)), None)
        if source is None:
            raise InputError(f"--abstract must be the layout of a module of this design, not of {inner.name!r}")
        (folder / "abstract.v").write_text(black_box(texts.pop(source)))
        stubs, macros = [*stubs, "abstract.v"], [inner]
    texts = _below(top, texts)
    return Block(
        top=top, ports=_widths(texts.values(), top),
        sources=tuple(f"rtl/{name}" for name in texts), stubs=tuple(stubs), constraints=constraints,
        macros=(*macros, *memory_macros(pdk, texts.values(), folder)), period_ns=period,
        inner="" if abstract is None else str(abstract.absolute()),
        clock_gate=next((text for path, text in texts.items() if Path(path).stem == CLOCK_GATE), ""),
    )


_WORDS = re.compile(r"^ *(\w+)\[[^=]* \+: \d+\] <=", re.MULTILINE)


def by_words(text: str) -> str:
    """Verilog that tells Yosys to have an enable for each word of a register whose words are written one by one.

    Else it moves all of its bits through multiplexers in each cycle, and no clock is gated.
    """
    names = "|".join(dict.fromkeys(_WORDS.findall(text)))
    if not names:
        return text
    return re.sub(rf"^( *(?:output )?reg +\[\d+:0\] (?:{names})\b)", r"(* nowrshmsk *)\1", text, flags=re.MULTILINE)


def _below(top: str, texts: Mapping[str, str]) -> dict[str, str]:
    """The files of a module and of those in it."""
    homes = {name: path for path, text in texts.items() for name in re.findall(rf"^module ({NAME})", text, re.M)}
    kept, wanted = set[str](), {top}
    while wanted:
        name = wanted.pop()
        if homes[name] not in kept:
            kept.add(homes[name])
            wanted |= homes.keys() & set(re.findall(NAME, texts[homes[name]]))
    return {path: text for path, text in texts.items() if path in kept}


def _widths(texts: Iterable[str], top: str) -> dict[str, int]:
    ports = next(ports for text in texts if (ports := module_ports(text, top)) is not None)
    return {port.name: port.width or 1 for port in ports.values() if not port.guarded}


def _module(texts: Iterable[str], prefix: str, module: str) -> str:
    """The Verilog name of a module."""
    names = [name for text in texts for name in re.findall(rf"^module ({NAME})", text, re.MULTILINE)]
    name = module if module in names else f"{prefix}{module}"
    if name not in names:
        shown = ", ".join(sorted(each.removeprefix(prefix) for each in names))
        raise InputError(f"--module must be a module of this design ({shown}), not {module!r}")
    return name
