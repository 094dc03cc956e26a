"""Titles of columns and their units: in the name, in brackets, or in a row of their own; wide tables made tidy."""

import re
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path

import numpy as np

from mho.macro_models.errors import InputError
from mho.macro_models.types import Reals

_SCALES = {
    "s": {"s": 1.0, "sec": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "min": 60.0, "h": 3600.0, "d": 86400.0},
    "S": {"S": 1.0, "mS": 1e-3, "uS": 1e-6, "nS": 1e-9},
    "ohm": {"ohm": 1.0, "kohm": 1e3, "Mohm": 1e6, "Gohm": 1e9},
    "A": {"A": 1.0, "mA": 1e-3, "uA": 1e-6, "nA": 1e-9, "pA": 1e-12},
    "V": {"V": 1.0, "mV": 1e-3},
    "C": {"C": 1.0, "degC": 1.0, "K": 1.0},
}
_QUANTITY = {
    "t_s": ("s", 1.0), "g_uS": ("S", 1e6), "g_S": ("S", 1.0), "r_ohm": ("ohm", 1.0), "g_target_uS": ("S", 1e6),
    "g_target_S": ("S", 1.0), "temp_C": ("C", 1.0), "read_temp_C": ("C", 1.0), "pulse_V": ("V", 1.0),
    "pulse_ns": ("s", 1e9), "i_A": ("A", 1.0), "v_read_V": ("V", 1.0),
}
"""Kind of unit of each column that has one, and its own unit in that of the kind."""

CONVERTED = {
    "t_ms": ("t_s", "ms"), "t_us": ("t_s", "us"), "t_min": ("t_s", "min"), "t_h": ("t_s", "h"), "t_d": ("t_s", "d"),
    "g_nS": ("g_uS", "nS"), "g_mS": ("g_uS", "mS"), "r_kohm": ("r_ohm", "kohm"), "r_Mohm": ("r_ohm", "Mohm"),
    "i_uA": ("i_A", "uA"), "i_nA": ("i_A", "nA"), "i_mA": ("i_A", "mA"), "v_read_mV": ("v_read_V", "mV"),
    "temp_K": ("temp_C", "K"), "read_temp_K": ("read_temp_C", "K"), "g_target_nS": ("g_target_uS", "nS"),
    "g_target_mS": ("g_target_uS", "mS"), "pulse_us": ("pulse_ns", "us"),
}
"""Columns in other units: the column that they become, and their unit."""

_SPELT = {
    "\u00b5": "u", "\u03bc": "u", "\u03a9": "ohm", "\u2126": "ohm", "\u00b0": "", "Ohms": "ohm", "Ohm": "ohm",
    "OHM": "ohm", "ohms": "ohm",
}
"""Other spellings: both micro signs, both omegas, degrees."""
_NO_UNIT = frozenset({"", "-", "--", "\u2013", "\u2014", "1"})
"""What stands in a row of units below a column without one."""
_IN_BRACKETS = re.compile(r"^(.*?)\s*[\[(/]\s*([^\[\]()/]+?)\s*[\])]?$")


def _plain(unit: str) -> str:
    for spelling, meant in _SPELT.items():
        unit = unit.replace(spelling, meant)
    return unit.strip(" []()")


def unit_factor(name: str, unit: str) -> float | None:
    """What a number in ``unit`` is multiplied by to be in that of column ``name``; None if it is no unit of it."""
    kind, of_name = _QUANTITY.get(name, ("", 1.0))
    scale = _SCALES.get(kind, {}).get(_plain(unit))
    if scale is None:
        return None
    factor = scale * of_name
    return float(f"{factor:.12g}")


def unit_row(row: Sequence[str]) -> bool:
    """Whether a row holds units: no number, and at least one of it is one that is known."""
    units = {unit for scale in _SCALES.values() for unit in scale}
    fields = [_plain(field) for field in row if _plain(field) not in _NO_UNIT]
    return any(unit in units for unit in fields) and not any(re.match(r"[-+.\d]", unit) for unit in fields)


def renamed(
    path: Path, header: Sequence[str], columns: Mapping[str, str], units: Sequence[str] | None, names: Sequence[str]
) -> tuple[dict[str, tuple[int, str, float, bool]], frozenset[str]]:
    """Where the columns are that are understood: (place, title, factor to their unit, whether they are in kelvin).

    With them come the columns whose unit was given apart from their names. ``known`` are the names that are understood,
    in other units as well. Raises InputError if a column is there twice, is missing though it was named, or its unit is
    not one of it.
    """
    titles = [_IN_BRACKETS.match(title) for title in header]
    bare = [match[1] if match else title for match, title in zip(titles, header, strict=True)]
    places: dict[str, tuple[int, str, float, bool]] = {}
    stated: set[str] = set()
    for name in names:
        expected = columns.get(name, name)
        matches = [k for k, title in enumerate(header) if title == expected] or [
            k for k, title in enumerate(bare) if title == expected and titles[k]
        ]
        if not matches:
            continue
        if len(matches) > 1:
            raise InputError(f"{path}, line 1: column {expected} is there twice")
        place, (target, default_unit) = matches[0], CONVERTED.get(name, (name, ""))
        match = titles[place]
        unit = (units[place] if units else "") or (match[2] if match and header[place] != name else "") or default_unit
        factor = unit_factor(target, unit) if unit and target in _QUANTITY else 1.0
        if factor is None:
            if match and not (units and units[place]):
                factor, unit = 1.0, ""  # brackets that hold something else
            else:
                raise InputError(f"{path}, line 2: column {header[place]} is in {unit!r}, which is no unit of {target}")
        if unit:
            stated.add(target)
        if target in places:
            raise InputError(f"{path}, line 1: columns {places[target][1]} and {header[place]} are the same quantity")
        places[target] = place, header[place], factor, _plain(unit) == "K"
    return places, frozenset(stated)


_LEAST_US, _MOST_US = 1e-3, 2e4
_FACTOR = 300.0
_ROOM_K = (285.0, 305.0)
_EPOCH_S = 1e9


def _typical(values: Reals) -> float:
    good = values[np.isfinite(values) & (values > 0.0)]
    return float(np.median(good)) if good.size else 0.0


def check_units(path: Path, numbers: Mapping[str, Reals], titles: Mapping[str, str], stated: frozenset[str]) -> None:
    """Refuse columns whose numbers belong to another unit.

    Raises InputError with the column, a number of it, and how to name it.

    Parameters
    ----------
    numbers
        Columns, in their own units.
    titles
        What the file calls them.
    stated
        Columns whose unit the file says apart from their name: these are believed.
    """

    def refuse(name: str, why: str) -> None:
        raise InputError(f"{path}, column {titles.get(name, name)}: {why}")

    for name, scale, rival, unit in (
        ("g_uS", 1.0, "g_S", "siemens"), ("g_target_uS", 1.0, "g_target_S", "siemens"),
        ("g_S", 1e6, "g_uS", "uS"), ("g_target_S", 1e6, "g_target_uS", "uS"),
    ):
        typical = _typical(numbers.get(name, np.zeros(0)))
        if name in stated or not typical:
            continue
        far = typical * scale < _LEAST_US if scale == 1.0 else typical * scale > _MOST_US
        if far:
            written = "uS" if scale == 1.0 else "S"
            refuse(name, f"the median is {typical:.3g} {written}; if it is in {unit}, it is --columns {rival}=NAME")
    typical = _typical(numbers.get("r_ohm", np.zeros(0)))
    if typical and "r_ohm" not in stated and 1e6 / typical > _MOST_US:
        refuse("r_ohm", f"the median is {typical:.3g} ohm; if it is in kilohms, it is --columns r_kohm=NAME")
    _check_pair(path, numbers, titles)
    for name in ("temp_C", "read_temp_C"):
        temp = numbers.get(name, np.zeros(0))
        temp = temp[np.isfinite(temp)]
        room = (temp >= _ROOM_K[0]) & (temp <= _ROOM_K[1])
        if name not in stated and temp.size and temp.min() > 200.0 and room.any():
            hint = f"if it is in kelvin, it is --columns {name.replace('_C', '_K')}=NAME"
            refuse(name, f"{temp[room][0]:g} C beside nothing below 200 C; {hint}")
    times = numbers.get("t_s", np.zeros(0))
    times = times[np.isfinite(times)]
    if times.size and times.min() > _EPOCH_S:
        refuse("t_s", f"the first time is {times.min():.10g} s, a date by all appearance; times count from programming")


def _check_pair(path: Path, numbers: Mapping[str, Reals], titles: Mapping[str, str]) -> None:
    """Readings and targets must be of one size."""
    micro = {"g_uS": 1.0, "g_S": 1e6, "g_target_uS": 1.0, "g_target_S": 1e6}
    typical_uS = {name: micro[name] * _typical(values) for name, values in numbers.items() if name in micro}
    if "r_ohm" in numbers and (typical := _typical(numbers["r_ohm"])):
        typical_uS["r_ohm"] = 1e6 / typical
    readings = [name for name in ("g_uS", "g_S", "r_ohm") if typical_uS.get(name)]
    targets = [name for name in ("g_target_uS", "g_target_S") if typical_uS.get(name)]
    for a, b in product(readings, targets):
        if not 1.0 / _FACTOR < typical_uS[a] / typical_uS[b] < _FACTOR:
            raise InputError(
                f"{path}: {titles.get(a, a)} has a median of {typical_uS[a]:.3g} uS and {titles.get(b, b)} of "
                f"{typical_uS[b]:.3g} uS: one of them is in another unit"
            )


ANY = "*"
"""Header that stands for all columns which have no other name: ``--columns g_uS=*``."""

_READINGS = ("g_uS", "g_S", "g_nS", "g_mS", "r_ohm", "r_kohm", "r_Mohm", "i_A", "i_uA", "i_nA")
_TIME = re.compile(r"(?:.*?[@=\s_]|t)?\s*([-+]?[\d.]+(?:[eE][-+]?\d+)?)\s*([a-zµμ]*)\s*(?:[\[(].*)?$")


def _seconds(title: str) -> float | None:
    """The time that a title says, in seconds where it has no unit."""
    match = _TIME.match(title.replace(",", "."))
    if not match:
        return None
    factor = unit_factor("t_s", match[2] or "s")
    try:
        return None if factor is None else float(match[1]) * factor
    except ValueError:
        return None


def tidy(
    path: Path, header: list[str], rows: list[list[str]], numbers: list[int], columns: Mapping[str, str],
    by_name: Mapping[str, str],
) -> tuple[list[str], list[list[str]], list[int], dict[str, str]]:
    """A table with one reading in each row: header, rows, their lines, and the columns that are named.

    Raises InputError if the table is wide by all appearance and nobody said in what unit its readings are, or its
    columns are neither times nor cells.

    Parameters
    ----------
    header, rows, numbers
        The table, and the line of each row.
    columns
        What the user named. A conductance (or resistance, or current) called :data:`ANY` makes the table a wide one.
    known
        Titles that are understood, by their columns.
    """
    of = [name for name in _READINGS if columns.get(name) == ANY]
    named = set(by_name.values())
    rest = [k for k, title in enumerate(header) if title not in named and title]
    seconds = {k: t for k in rest if (t := _seconds(header[k])) is not None}
    if not of:
        if len(seconds) >= 2 and "t_s" not in by_name and not any(name in by_name for name in _READINGS):
            raise InputError(
                f"{path}: has a column for each time, {header[min(seconds)]} to {header[max(seconds)]}; say what they "
                "hold, as in --columns g_uS=*"
            )
        return header, rows, numbers, dict(columns)
    reading, constant = of[0], [k for k in range(len(header)) if k not in rest]
    by_time = "t_s" not in by_name
    if by_time and (len(seconds) < len(rest) or len(set(seconds.values())) < len(seconds)):
        odd = next((header[k] for k in rest if k not in seconds), "a time twice")
        raise InputError(
            f"{path}: columns of {reading}=* must be times, as 10, 10s or t=1h, or t_s a column; not {odd}"
        )
    if not by_time and "cell" in by_name:
        raise InputError(
            f"{path}: columns of {reading}=* must be times or cells, but there are columns {by_name['t_s']} and "
            f"{by_name['cell']} as well"
        )
    names = [header[k] for k in rest]
    if not by_time and len(set(names)) < len(names):
        again = next(name for name in names if names.count(name) > 1)
        raise InputError(f"{path}, line 1: column {again} is there twice; each cell needs a name of its own")
    title = "t_s" if by_time else "cell"
    rest = rest if not by_time else sorted(seconds, key=lambda k: seconds[k])
    titles = [*(header[k] for k in constant), title, reading]
    if by_time and "cell" not in by_name:
        titles = ["cell", *titles]
    table, lines = [], []
    for number, row in zip(numbers, rows, strict=True):
        left = [row[k] for k in constant]
        left = [str(number), *left] if by_time and "cell" not in by_name else left
        for k in rest:
            table.append([*left, repr(seconds[k]) if by_time else header[k], row[k]])
            lines.append(number)
    mapped = {name: column for name, column in columns.items() if column != ANY}
    return titles, table, lines, mapped
