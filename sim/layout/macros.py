"""Macros of a block and their views: the analog array, SRAM of the process, parts that are layouts already."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mho.macro_models.errors import InputError
from mho.macro_models.files import FileKind, parse_json, read_text
from mho.macro_models.files.scripts import NAME, is_plain, script_name
from mho.sim.layout.pdk import Pdk

_LEF = FileKind("LEF file", 1 << 28)
_LIBERTY = FileKind("Liberty file", 1 << 28)
_SETTINGS = FileKind("settings of a layout", 1 << 24)
_PIN = re.compile(r"^\s*PIN (\S+)(.*?)^\s*END \1\s*$", re.MULTILINE | re.DOTALL)
_WORD = re.compile(rf"{NAME}!?")

_CORNERS: tuple[str, ...] = ("slow", "typ", "fast")


@dataclass(frozen=True, kw_only=True)
class Macro:
    """A cell that is placed as it is. Paths are absolute, or relative to the folder of the layout."""

    name: str
    side: str
    """Module; where it is put: at the ``right`` or ``left`` edge, or in a ``mesh`` of its like."""
    lef: str
    liberty: dict[str, str]
    """By corner."""
    netlist: str
    layout: str
    """Empty where there is none: then the netlist is of its pins alone, and it is drawn as its LEF says."""
    width: float
    height: float
    """In um."""
    supplies: dict[str, str]
    """Pins of its supplies: ``power`` or ``ground`` by name."""
    pins: int
    """How many pins it has."""


def analog_macro(folder: Path, lef: Path) -> Macro:
    """The array, from the views beside its LEF in a folder: its user's or templates."""
    netlist, layout = lef.with_suffix(".cdl"), lef.with_suffix(".gds")
    liberty = dict.fromkeys(_CORNERS, str(lef.with_suffix(".lib")))
    return _macro(lef.stem, "right", folder, lef, liberty, netlist, layout)


def memory_macros(pdk: Pdk, texts: Iterable[str], folder: Path) -> list[Macro]:
    """SRAM of a process that some Verilog has instances of.

    Raises InputError if a view of one is missing.
    """
    if not pdk.memories:
        return []
    where = pdk.memories
    names = sorted({name for text in texts for name in re.findall(rf"\b{where['prefix']}\w*", text)})
    macros = []
    for name in names:
        views = {view: pdk.file(f"{where[view]}/{name}.{end}", folder / "pdk")
                 for view, end in (("lef", "lef"), ("layouts", "gds"), ("netlists", "cdl"))}
        liberty = {corner: mended_liberty(pdk.file(f"{where['liberty']}/{name}{where[corner]}", folder / "pdk"), folder)
                   for corner in _CORNERS}
        macros.append(_macro(name, "left", folder, views["lef"], liberty, views["netlists"], views["layouts"]))
    return macros


def mended_liberty(path: Path, folder: Path) -> str:
    """A Liberty file for a flow: largest loads that are too small for pF are taken as the farads that they are.

    A fan-out for all of its cells goes: with 8, trees of buffers were twice as deep as slopes and loads want.
    """
    text = read_text(path, _LIBERTY)
    limits = re.compile(r"(max_capacitance\s*:\s*)\"?(\d[\d.]*e-\d+)\"?")
    mended = limits.sub(
        lambda limit: f"{limit[1]}{float(limit[2]) * 1e12:g}" if float(limit[2]) < 1e-9 else limit[0], text)
    mended = re.sub(r"^\s*default_max_fanout\s*:.*\n", "", mended, flags=re.MULTILINE)
    if mended == text:
        return str(path)
    place = folder / path.name
    place.write_text(mended)
    return str(place)


def hardened(abstract: Path, folder: Path) -> Macro:
    """A part that is a layout in a folder of its own, ``abstract``: what ``mho harden`` left there.

    Raises InputError if there is none.
    """
    abstract = abstract.absolute()
    settings = parse_json(read_text(abstract / "settings.json", _SETTINGS))
    top = script_name(str(settings.get("top", "") if isinstance(settings, dict) else ""), f"{abstract}: its top module")
    views = {end: abstract / f"{top}.{end}" for end in ("lef", "lib", "gds", "lvs.cdl")}
    fast = abstract / f"{top}.fast.lib"
    if not is_plain(abstract) or not (views["lef"].is_file() and views["lib"].is_file() and fast.is_file()):
        raise InputError(f"{abstract}: must have {top}.lef, {top}.lib and {top}.fast.lib of mho harden, a plain path")
    liberty = dict.fromkeys(_CORNERS, str(views["lib"])) | {"fast": str(fast)}
    return _macro(top, "mesh", folder, views["lef"], liberty, views["lvs.cdl"], views["gds"])


def _macro(
    name: str, side: str, folder: Path, lef: Path, liberty: dict[str, str], netlist: Path, layout: Path
) -> Macro:
    text = read_text(folder / lef, _LEF)
    pins = dict(_PIN.findall(text))
    if not (folder / netlist).exists():
        netlist = Path(f"{name}.cdl")
        (folder / netlist).write_text(f".SUBCKT {name} {' '.join(pins)}\n.ENDS\n")
    uses = {pin: use[1].lower() for pin, body in pins.items() if (use := re.search(r"USE (POWER|GROUND) ;", body))}
    wrong = [word for word in (name, *uses) if not _WORD.fullmatch(word)]
    if wrong:
        shown = repr(wrong[0][:60])
        raise InputError(f"{lef}: names of a macro and its supplies must be of letters, digits and _, not {shown}")
    size = re.search(r"^\s*SIZE ([\d.]+) BY ([\d.]+) ;", text, re.MULTILINE)
    width, height = (float(size[1]), float(size[2])) if size else (0.0, 0.0)
    return Macro(
        name=name, side=side, lef=str(lef), liberty=liberty, netlist=str(netlist),
        layout=str(layout) if (folder / layout).exists() else "", width=width, height=height, supplies=uses,
        pins=len(pins))
