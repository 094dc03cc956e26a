"""Wide tables: one column for each time, or for each cell, as one row for each reading."""

import re
from collections.abc import Mapping
from pathlib import Path

from mho.macro_models.errors import InputError
from mho.macro_models.fit.lab.titles import unit_factor

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

    Parameters
    ----------
    header, rows, numbers
        The table, and the line of each row.
    columns
        What the user named. A conductance (or resistance, or current) called :data:`ANY` makes the table a wide one.
    known
        Titles that are understood, by their columns.

    Raises
    ------
    InputError
        If the table is wide by all appearance and nobody said in what unit its readings are, or its columns are neither
        times nor cells.
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
