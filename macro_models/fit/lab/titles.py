"""Titles of columns and their units: in the name, in brackets behind it, or in a row of their own."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from mho.macro_models.errors import InputError

__all__ = ["CONVERTED", "renamed", "unit_factor", "unit_row"]

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
    in other units as well.

    Raises
    ------
    InputError
        If a column is there twice, is missing though it was named, or its unit is not one of it.
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
                raise InputError(
                    f"{path}, line 2: column {header[place]} is in {unit!r}, which is no unit of {target}"
                )
        if unit:
            stated.add(target)
        if target in places:
            raise InputError(f"{path}, line 1: columns {places[target][1]} and {header[place]} are the same quantity")
        places[target] = place, header[place], factor, _plain(unit) == "K"
    return places, frozenset(stated)
