"""Libraries of standard cells: Liberty files, as they come or packed by gzip, and what they say as a tree."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mho.macro_models.errors import InputError
from mho.macro_models.files import FileKind, decode_text, read_file, reading, unpacked
from mho.macro_models.files.scripts import script_name
from mho.sim.build.toolchain import cached_build

LIBERTY = FileKind("Liberty file", 1 << 28)

_MOST_STATEMENTS = 4_000_000
"""Ten times those of a library of 10,000 cells; each takes a few hundred bytes."""

CLOCK_PIN, ENABLE_PIN, OUT_PIN = "clock_gate_clock_pin", "clock_gate_enable_pin", "clock_gate_out_pin"
"""Attributes of the pins of a cell that gates a clock."""

_COMMENT = re.compile(r'("[^"]*")|/\*(?:.*?\*/|.*)|(?<![\w:])//[^\n]*|\\\r?\n', re.DOTALL)
_JOINED = re.compile(r"\\\r?\n")
"""Comments and joined lines, and texts in quotes, in which there are none: what the tools read is what is checked."""

_STATEMENT = re.compile(
    r'\s*(?:([^\s:(){};"]+)\s*(?:\(((?:"[^"]*"|[^()"])*)\)\s*(\{|;)?|:\s*("[^"]*"|[^;\n}"]*)\s*;?)|(\})|;)'
)
_ITEM = re.compile(r'"([^"]*)"|([^\s,"]+)')
_SCALE = {"": 1.0, "f": 1e-15, "p": 1e-12, "n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3}


@dataclass
class Group:
    """``kind (names) { .. }``: its attributes, those with brackets as lists, and the groups in it."""

    kind: str
    names: list[str]
    values: dict[str, str] = field(default_factory=dict)
    lists: dict[str, list[str]] = field(default_factory=dict)
    groups: list["Group"] = field(default_factory=list)

    def all(self, *kinds: str) -> Iterator["Group"]:
        """Groups of some kinds in this one."""
        return (group for group in self.groups if group.kind in kinds)

    def first(self, kind: str) -> "Group | None":
        """The first of a kind."""
        return next(self.all(kind), None)

    @property
    def name(self) -> str:
        """Its first name."""
        return self.names[0] if self.names else ""


def liberty_text(path: Path) -> str:
    """Text of a file, as it is or packed by gzip.

    Raises InputError if it cannot be read.
    """
    return decode_text(path, unpacked(path, read_file(path, LIBERTY), LIBERTY), LIBERTY)


def parse_liberty(text: str, origin: str) -> Group:
    """The group ``library`` of a text.

    Raises InputError if the text, which came from ``origin``, has none, or more than any has.
    """
    with reading(origin, LIBERTY):
        return _parsed(_COMMENT.sub(lambda match: _JOINED.sub(" ", match[1] or " "), text), origin)


def _parsed(text: str, origin: str) -> Group:
    root = Group("", [])
    open_groups, at, end, statements = [root], 0, len(text.rstrip()), 0
    while at < end:
        statements += 1
        if statements > _MOST_STATEMENTS:
            raise InputError(f"{origin}: must have at most {_MOST_STATEMENTS:,} statements, and has more")
        match = _STATEMENT.match(text, at)
        if match is None or (match[5] and len(open_groups) == 1):
            raise InputError(f"{origin}: must be a Liberty file; line {text.count(chr(10), 0, at) + 1} is none of it")
        at = match.end()
        name, arguments, opens, value = match[1], match[2], match[3], match[4]
        if match[5]:
            open_groups.pop()
        elif value is not None:
            open_groups[-1].values[name] = value.strip().strip('"')
        elif arguments is not None:
            items = [quoted or bare for quoted, bare in _ITEM.findall(arguments)]
            if opens == "{":
                open_groups[-1].groups.append(Group(name, items))
                open_groups.append(open_groups[-1].groups[-1])
            else:
                open_groups[-1].lists[name] = items
    library = root.first("library")
    if library is None:
        raise InputError(f"{origin}: must be a Liberty file; it has no library")
    return library


@dataclass(frozen=True, kw_only=True)
class Units:
    """What numbers of a library are in: farads, joules of internal power, watts of leakage; and its voltage in V."""

    farad: float
    joule: float
    watt: float
    volt: float

    @classmethod
    def of(cls, library: Group) -> "Units":
        """From the head of a library: internal power is in the unit of capacitance times that of voltage squared."""
        number, unit = [*library.lists.get("capacitive_load_unit", ()), "1", "pf"][:2]
        farad = float(number) * _SCALE[unit[:-1].lower()]
        volt = _unit(library.values.get("voltage_unit", "1V"))
        return cls(
            farad=farad, joule=farad * volt**2, watt=_unit(library.values.get("leakage_power_unit", "1nW")),
            volt=float(library.values.get("nom_voltage", "1")) * volt,
        )


def _unit(text: str) -> float:
    """``10pW`` as a number of the unit."""
    match = re.fullmatch(r"\s*([\d.eE+-]*?)\s*([fpnumk]?)[A-Za-z]\s*", text)
    if match is None:
        raise ValueError(f"{text!r} is no unit")
    return float(match[1] or 1) * _SCALE[match[2]]


class Lookup:
    """A table of numbers by the transition of an input, in units of the library, and the load of an output in F.

    Between its points it is linear, so it is above them; below the least transition it stays.
    """

    def __init__(self, table: Group, templates: dict[str, Group], farad: float) -> None:
        template = templates.get(table.name, table)
        values = _numbers(table.lists.get("values", ["0"]))
        axes = [
            _numbers(table.lists.get(f"index_{k}", template.lists.get(f"index_{k}", ())))
            for k in (1, 2) if f"variable_{k}" in template.values or f"index_{k}" in table.lists
        ]
        loads = ["capacitance" in template.values.get(f"variable_{k + 1}", "") for k in range(len(axes))]
        if not loads and values.size > 1:
            raise ValueError("a table must have the axes of its template")
        grid = values.reshape([len(axis) for axis in axes])
        if loads in ([True], [True, False]):
            grid, axes = np.atleast_2d(grid.T), axes[::-1]
        elif loads == [False]:
            grid = grid[:, None]
        none: NDArray[np.float64] = np.zeros(1)
        axes = {(): [none, none], (True,): [none, *axes], (False,): [*axes, none]}.get(tuple(loads), axes)
        self.slews, self.loads, self.grid = axes[0], axes[1] * farad, grid.reshape(len(axes[0]), len(axes[1]))

    def at(self, slew: NDArray[np.float64], load: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values at some transitions and loads."""
        i, s = _place(self.slews, np.maximum(slew, self.slews[0]))
        j, t = _place(self.loads, load)
        grid = self.grid
        i1, j1 = np.minimum(i + 1, grid.shape[0] - 1), np.minimum(j + 1, grid.shape[1] - 1)
        low = grid[i, j] * (1 - t) + grid[i, j1] * t
        return low * (1 - s) + (grid[i1, j] * (1 - t) + grid[i1, j1] * t) * s

    def middle(self) -> float:
        """The number in the middle of the table."""
        return float(self.grid[self.grid.shape[0] // 2, self.grid.shape[1] // 2])


def _place(axis: NDArray[np.float64], at: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The interval of an axis, and how far in it."""
    if len(axis) == 1:
        return np.zeros(np.shape(at), np.int64), np.zeros(np.shape(at))
    i = np.clip(np.searchsorted(axis, at) - 1, 0, len(axis) - 2)
    return i, (at - axis[i]) / (axis[i + 1] - axis[i])


def _numbers(items: "list[str] | tuple[str, ...]") -> NDArray[np.float64]:
    return np.array([float(number) for item in items for number in item.replace(",", " ").split()])


_DRIVER = "buf_2"
"""Part of the name of the cell that drives the ports of a module, for ABC."""

_NOT_FOR_LOGIC = ("lgcp", "sighold", "dly", "antenna")
"""Parts of names of cells that are not for logic."""


class Library:
    """A Liberty file, unpacked for the tools into the cache.

    Raises InputError if the file cannot be read, has no cells, or names that are none for a script.

    Attributes
    ----------
    name
        Of the file, without folder and endings.
    hash, path
        Of its text; the unpacked file.
    unused, driver
        Cells that are not for logic; the cell that drives the ports of a module.
    clock_gate
        The first cell that gates a clock whose edges rise, and its pins of enable, clock and gated clock, if there is
        one that needs no other.
    """

    def __init__(self, path: Path) -> None:
        text = liberty_text(path)
        cells = list(parse_liberty(text, str(path)).all("cell"))
        if not cells:
            raise InputError(f"{path}: must be a Liberty file with cells; none is there")
        names = [script_name(" ".join(cell.names), f"{path}: the name of a cell") for cell in cells]
        self.name = path.name.removesuffix(".gz").removesuffix(".lib")
        self.hash = hashlib.sha256(text.encode()).hexdigest()[:16]
        folder = cached_build("liberty", [text], lambda made: (made / "cells.lib").write_text(text), what="")
        self.path = folder / "cells.lib"
        self.unused = [cell for cell in names if any(part in cell for part in _NOT_FOR_LOGIC)]
        self.driver = next((cell for cell in names if _DRIVER in cell), names[0])
        self.clock_gate = next((pins for cell in cells if (pins := _clock_gate(cell, path)) is not None), None)


def _clock_gate(cell: Group, path: Path) -> tuple[str, str, str, str] | None:
    if cell.values.get("clock_gating_integrated_cell") != "latch_posedge":
        return None
    pins = [next((" ".join(pin.names) for pin in cell.all("pin") if pin.values.get(kind) == "true"), None)
            for kind in (ENABLE_PIN, CLOCK_PIN, OUT_PIN)]
    if None in pins:
        return None
    enable, clock, out = (script_name(pin or "", f"{path}: the name of a pin of {cell.name}") for pin in pins)
    return cell.name, enable, clock, out
