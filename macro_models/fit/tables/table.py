"""Reading of tables: CSV or TSV with a header, plain or gzipped; every defect is one sentence with its line."""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mho.macro_models.errors import InputError
from mho.macro_models.files import FileKind, read_file, unpacked
from mho.macro_models.fit.lab.sheet import MISSING, Sheet, is_number, read_sheet
from mho.macro_models.fit.lab.titles import CONVERTED, check_units, renamed, tidy, unit_factor, unit_row
from mho.macro_models.types import Flags, Integers, Reals


def kept_and_read(body: Integers, time_s: Reals, temp_C: Reals, read_C: Reals | None) -> tuple[Reals, Reals]:
    """Temperature in degrees Celsius at which each reading's cell was kept since it was programmed, and was read at.

    With a column for the temperature of the reading, ``temp_C`` is that of the bake. Without one a cell that was heated
    and read again when it was colder was kept at the highest temperature so far. A cell that is programmed anew at each
    temperature has readings at time 0 at several: each is a cell of its own.

    Parameters
    ----------
    body
        Number of the physical cell of each reading, of shape (readings,).
    """
    if read_C is not None:
        return temp_C, np.where(np.isfinite(read_C), read_C, temp_C)
    storage_C = temp_C.copy()
    if len(np.unique(temp_C[np.isfinite(temp_C)])) < 2:
        return storage_C, temp_C
    order = np.lexsort((time_s, body))
    starts = np.flatnonzero(np.concatenate([[True], body[order][1:] != body[order][:-1]]))
    for rows in np.split(order, starts[1:]):
        if len(rows) < 3:
            continue
        temp = temp_C[rows]
        if len(np.unique(temp[time_s[rows] == time_s[rows[0]]])) > 1:
            continue  # programmed more than once
        highest = np.maximum.accumulate(np.where(np.isfinite(temp), temp, -np.inf))
        if np.any(temp < highest):
            storage_C[rows] = np.where(np.isfinite(temp), highest, temp)
    return storage_C, temp_C

CONDUCTANCES = ("g_uS", "g_S", "r_ohm")
"""Columns of which one is needed."""
TEXT = ("cell", "die", "cycle")
"""Columns that name things."""
COLUMNS = (
    "t_s", *CONDUCTANCES, *TEXT, "g_target_uS", "g_target_S", "temp_C", "read_temp_C", "cycles", "pulse_n",
    "pulse_V", "pulse_ns", "i_A", "v_read_V", *CONVERTED,
)
"""Columns that are understood; others are passed over."""

_LARGEST = {
    "t_s": 1e11, "g_uS": 1e6, "g_S": 1.0, "g_target_uS": 1e6, "g_target_S": 1.0, "temp_C": 1e3,
    "read_temp_C": 1e3, "r_ohm": 1e15, "pulse_n": 1e9, "cycles": 1e15, "pulse_V": 100.0, "pulse_ns": 1e9, "i_A": 1.0,
    "v_read_V": 100.0,
}
"""Magnitudes beyond which a number is none that was measured (instruments write 9.9E37): as if the field were empty."""
_LEAST_OHM = 1.0
_MOST_LATE = 0.1
"""Part of the times that may be beyond that: more of them are in another unit, and no slips."""

_KIND = FileKind("table of measurements", 1 << 28)


@dataclass(frozen=True, eq=False)
class Table:
    """Columns of a file, by the names of :data:`COLUMNS`."""

    path: Path
    sha256: str
    numbers: dict[str, Reals]
    """Numeric columns, NaN where a field is empty, each of shape (rows,)."""
    names: dict[str, Integers]
    """Columns of names, as an integer for each distinct name, each of shape (rows,)."""

    @property
    def rows(self) -> int:
        """Rows of the table."""
        return len(next(iter(self.numbers.values())))

    def where(self, chosen: Flags) -> "Table":
        """Some of the rows."""
        return Table(
            self.path, self.sha256, {name: values[chosen] for name, values in self.numbers.items()},
            {name: values[chosen] for name, values in self.names.items()},
        )


def parse_columns(text: str) -> dict[str, str]:
    """``"t_s=time,g_S=G"`` as a mapping from what is understood to what the header says (or a number from 1).

    Raises InputError if a part is not of this form, or its name is not known.
    """
    columns: dict[str, str] = {}
    for part in text.split(","):
        name, equals, column = (piece.strip() for piece in part.partition("="))
        if not equals or not column or name not in COLUMNS:
            raise InputError(
                f"--columns must be NAME=HEADER,... with names of {', '.join(COLUMNS)}, not {part.strip()!r}"
            )
        columns[name] = column
    return columns


def read_table(path: Path, columns: Mapping[str, str] | None = None) -> Table:
    """Read a table.

    Raises InputError if the file cannot be read, a column is missing, a field is no number, or a unit is not plausible.

    Parameters
    ----------
    path
        The file. It is unpacked if it begins as a gzip file does. What encodings, delimiters and notations of numbers
        it may have, :func:`~mho.macro_models.fit.lab.sheet.read_sheet` says. Below the header may be a row of units.
    columns
        See :func:`parse_columns`. Where all are numbers, the file has no header. A conductance, resistance or current
        called ``*`` says that the table is wide (:func:`~mho.macro_models.fit.lab.titles.tidy`); ``v_read_V`` may be a
        number.
    """
    data = read_file(path, _KIND)
    sheet = read_sheet(path, unpacked(path, data, _KIND), _KIND)
    columns, constant = _constants(dict(columns or {}))
    headed = not columns or not all(choice.isdecimal() for choice in columns.values())
    first, lines, body = sheet.rows[0], sheet.numbers, sheet.rows
    if headed and all(is_number(field) for field in first):
        raise InputError(
            f"{path}, line {lines[0]}: has no header; name the columns by number, as in --columns cell=1,t_s=2,g_S=4"
        )
    stated: frozenset[str] = frozenset()
    if headed:
        first, lines, body, units, columns = _wide(sheet, columns)
        numbered, stated = renamed(path, first, columns, units, COLUMNS)
        _all_there(path, first, columns)
    else:
        numbered = _numbered(path, first, columns)
    if constant is not None:
        numbered.pop("v_read_V", None)
    places = _checked(path, numbered, ", ".join(first) if headed else "columns without names", constant is not None)
    if not body:
        raise InputError(f"{path}: has a header and no rows")
    titles = {name: title for name, (_, title, _, _) in places.items()}
    numbers = {
        name: _measured(path, name, title, [row[place] for row in body], lines, factor, kelvin)
        for name, (place, title, factor, kelvin) in places.items()
        if name not in TEXT
    }
    if "i_A" in numbers:
        current, volts = numbers.pop("i_A"), numbers.pop("v_read_V", np.full(len(body), constant or 0.0))
        with np.errstate(divide="ignore", invalid="ignore"):
            numbers["g_S"] = np.where(volts != 0.0, current / volts, math.nan)
    check_units(path, numbers, titles, stated)
    texts = {name: [row[places[name][0]] for row in body] for name in TEXT if name in places}
    nameless = np.array([[text.lower() in MISSING for text in column] for column in texts.values()], dtype=bool)
    for name in CONDUCTANCES if len(nameless) else ():
        if name in numbers:
            numbers[name] = np.where(nameless.any(axis=0), math.nan, numbers[name])
    names = {name: np.unique(np.array(column), return_inverse=True)[1] for name, column in texts.items()}
    return Table(path, hashlib.sha256(data).hexdigest(), numbers, names)


_Place = tuple[int, str, float, bool]
"""Index of a column, its title, the factor to its unit, and whether it is in kelvin."""


def _constants(columns: dict[str, str]) -> tuple[dict[str, str], float | None]:
    """Columns, and the read voltage where it is a number: ``v_read_V=0.2``."""
    column = columns.get("v_read_V", "")
    if is_number(column) and not column.isdecimal():
        del columns["v_read_V"]
        return columns, float(column)
    return columns, None


def _wide(
    sheet: Sheet, columns: dict[str, str]
) -> tuple[list[str], list[int], list[list[str]], list[str] | None, dict[str, str]]:
    """Header, lines, rows, row of units and columns of a table with one reading in each row."""
    header, rows, lines = sheet.rows[0], sheet.rows[1:], sheet.numbers[1:]
    units = None
    if rows and unit_row(rows[0]):
        units, rows, lines = rows[0], rows[1:], lines[1:]
    by_name = {name: columns.get(name, name) for name in COLUMNS if columns.get(name, name) in header}
    titles, rows, lines, named = tidy(sheet.path, header, rows, lines, columns, by_name)
    if units is not None and titles is not header:
        at = dict(zip(header, units, strict=True))
        own_unit = next((unit for title, unit in at.items() if title not in titles and unit), "")
        units = [at.get(title, "s" if title == "t_s" else "" if title == "cell" else own_unit) for title in titles]
    return titles, lines, rows, units, named


def _all_there(path: Path, header: Sequence[str], columns: Mapping[str, str]) -> None:
    bare = {title.split(sep)[0].strip() for title in header for sep in "([/"} | set(header)
    for column in columns.values():
        if column not in bare:
            raise InputError(f"{path}, line 1: has no column {column} (of --columns), it has {', '.join(header)}")


def _numbered(path: Path, first: Sequence[str], columns: Mapping[str, str]) -> dict[str, _Place]:
    for name, column in columns.items():
        if not 1 <= int(column) <= len(first):
            raise InputError(f"{path}: --columns {name}={column} must be between 1 and {len(first)}")
    places: dict[str, _Place] = {}
    for name, column in columns.items():
        target, unit = CONVERTED.get(name, (name, ""))
        places[target] = int(column) - 1, name, unit_factor(target, unit) or 1.0 if unit else 1.0, unit == "K"
    return places


def _checked(path: Path, places: dict[str, _Place], where: str, volts: bool) -> dict[str, _Place]:
    if "t_s" not in places and "pulse_V" not in places:
        raise InputError(f"{path}: column t_s is missing, it has {where} (rename one with --columns t_s=NAME)")
    conductances = [name for name in CONDUCTANCES if name in places]
    if not conductances and "i_A" in places:
        if "v_read_V" not in places and not volts:
            raise InputError(
                f"{path}: currents need the voltage of the read, as in --columns v_read_V=0.2, or a column of it"
            )
        return places
    if not conductances:
        raise InputError(
            f"{path}: one of the columns {', '.join(CONDUCTANCES)} is missing, it has {where} (rename one with "
            "--columns g_uS=NAME)"
        )
    for name in (*conductances[1:], "i_A", "v_read_V"):  # the first in the order of CONDUCTANCES is taken
        places.pop(name, None)
    if "g_target_uS" in places:
        places.pop("g_target_S", None)
    return places


def _measured(
    path: Path, name: str, title: str, fields: list[str], lines: Sequence[int], factor: float, kelvin: bool
) -> Reals:
    """The numbers of a column, NaN where a field is empty or cannot have been measured."""
    values = _numbers(path, name, title, fields, lines)
    values = values - 273.15 if kelvin else values if factor == 1.0 else values * factor
    size = np.abs(values)
    with np.errstate(invalid="ignore"):
        wrong = np.isfinite(size) & (size > _LARGEST[name])
        wrong |= (size < _LEAST_OHM) & (name == "r_ohm")
    if name == "t_s" and wrong.sum() > _MOST_LATE * len(values):
        first = int(np.argmax(wrong))
        raise InputError(
            f"{path}, line {lines[first]}, column {title}: {values[first]:g} s is beyond {_LARGEST[name]:g} s, with "
            f"{int(wrong.sum())} of {len(values)} times; they must be in seconds since programming"
        )
    return np.where(wrong, math.nan, values)


def _numbers(path: Path, name: str, title: str, fields: list[str], lines: Sequence[int]) -> Reals:
    try:
        return np.array([float(field) for field in fields])
    except ValueError:
        pass
    values = np.empty(len(fields))
    for k, field in enumerate(fields):
        if field.lower() in MISSING:
            values[k] = math.nan
            continue
        try:
            values[k] = float(field)
        except ValueError:
            of = "" if title == name else f" ({name})"
            raise InputError(f"{path}, line {lines[k]}, column {title}{of}: {field!r} is not a number") from None
    return values
