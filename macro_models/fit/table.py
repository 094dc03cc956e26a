"""Reading of tidy tables: CSV or TSV with a header, plain or gzipped; every defect is one sentence with its line."""

import csv
import gzip
import hashlib
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from macro_models.errors import InputError
from macro_models.files import FileKind, decode_text, read_file, reading

__all__ = ["COLUMNS", "CONDUCTANCES", "TEXT", "Table", "parse_columns", "read_table"]

CONDUCTANCES = ("g_uS", "g_S", "r_ohm")
"""Columns of which one is needed."""
TEXT = ("cell", "die")
"""Columns that name things."""
COLUMNS = (
    "t_s", *CONDUCTANCES, *TEXT, "g_target_uS", "g_target_S", "temp_C", "pulse_n", "pulse_V", "pulse_ns",
)
"""Columns that are understood; others are passed over."""

_LARGEST = {
    "t_s": 1e11, "g_uS": 1e6, "g_S": 1.0, "g_target_uS": 1e6, "g_target_S": 1.0, "temp_C": 1e3, "pulse_n": 1e9,
    "pulse_V": 100.0, "pulse_ns": 1e9,
}
"""Magnitudes beyond which a number is none that was measured: as if the field were empty."""
_LEAST_OHM = 1.0
_MOST_LATE = 0.1
"""Part of the times that may be beyond that: more of them are in another unit, and no slips."""

_KIND = FileKind("table of measurements", 1 << 30)
_MISSING = frozenset({"", "nan", "na", "n/a", "null", "none", "-", "--"})


@dataclass(frozen=True, eq=False)
class Table:
    """Columns of a file, by the names of :data:`COLUMNS`."""

    path: Path
    sha256: str
    numbers: dict[str, NDArray[np.float64]]
    """Numeric columns, NaN where a field is empty, each of shape (rows,)."""
    names: dict[str, NDArray[np.int64]]
    """Columns of names, as an integer for each distinct name, each of shape (rows,)."""

    @property
    def rows(self) -> int:
        """Rows of the table."""
        return len(next(iter(self.numbers.values())))

    def where(self, chosen: NDArray[np.bool_]) -> "Table":
        """Some of the rows."""
        return Table(
            self.path, self.sha256, {name: values[chosen] for name, values in self.numbers.items()},
            {name: values[chosen] for name, values in self.names.items()},
        )


def parse_columns(text: str) -> dict[str, str]:
    """``"t_s=time,g_S=G"`` as a mapping from what is understood to what the header says (or a number from 1).

    Raises
    ------
    InputError
        If a part is not of this form, or its name is not known.
    """
    found: dict[str, str] = {}
    for part in text.split(","):
        known, equals, given = (piece.strip() for piece in part.partition("="))
        if not equals or not given or known not in COLUMNS:
            raise InputError(
                f"--columns must be NAME=HEADER,... with names of {', '.join(COLUMNS)}, not {part.strip()!r}"
            )
        found[known] = given
    return found


def read_table(path: Path, columns: Mapping[str, str] | None = None) -> Table:
    """Read a table.

    Parameters
    ----------
    path
        The file. It is unpacked if it begins as a gzip file does. The delimiter is a tab, a semicolon, a comma or
        blanks, whichever the first line has; with semicolons a comma in a number is a decimal comma. Lines that begin
        with ``#`` are passed over.
    columns
        See :func:`parse_columns`. Where all are numbers, the file has no header.

    Raises
    ------
    InputError
        If the file cannot be read, a column is missing, or a field is no number.
    """
    data = read_file(path, _KIND)
    lines = [
        (number, line)
        for number, line in enumerate(io.StringIO(decode_text(path, _unpacked(path, data), _KIND), None), start=1)
        if line.strip() and not line.lstrip().startswith("#")
    ]
    if not lines:
        raise InputError(f"{path}: is empty, a header with t_s and one of {', '.join(CONDUCTANCES)} is needed")
    delimiter = next((d for d in "\t;," if d in lines[0][1]), None)
    columns = columns or {}
    headed = not columns or not all(given.isdecimal() for given in columns.values())
    with reading(path, _KIND):
        first = _split(lines[0][1], delimiter)
    if headed and all(_is_number(field) for field in first):
        raise InputError(
            f"{path}, line {lines[0][0]}: has no header; name the columns by number, as in --columns cell=1,t_s=2,g_S=4"
        )
    places = _places(path, first, columns) if headed else _numbered(path, first, columns)
    body = lines[1:] if headed else lines
    if not body:
        raise InputError(f"{path}: has a header and no rows")
    fields = _fields(path, body, delimiter, len(first), places)
    decimal_comma = delimiter == ";"
    numbers = {
        name: _measured(path, name, first[place] if headed else name, fields[name], body, decimal_comma)
        for name, place in places.items()
        if name not in TEXT
    }
    names = {name: np.unique(np.array(fields[name]), return_inverse=True)[1] for name in TEXT if name in places}
    return Table(path, hashlib.sha256(data).hexdigest(), numbers, names)


def _unpacked(path: Path, data: bytes) -> bytes:
    """What a gzip file holds, piece by piece, so that it may claim anything; other bytes as they are."""
    if data[:2] != b"\x1f\x8b":
        return data
    parts, size = [], 0
    with reading(path, _KIND), gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
        while part := stream.read(1 << 20):
            parts.append(part)
            size += len(part)
            _KIND.check(path, size)
    return b"".join(parts)


def _split(line: str, delimiter: str | None) -> list[str]:
    fields = next(csv.reader([line], delimiter=delimiter)) if delimiter else line.split()
    return [field.strip() for field in fields]


def _places(path: Path, header: Sequence[str], columns: Mapping[str, str]) -> dict[str, int]:
    """Index of each column that is understood."""
    places: dict[str, int] = {}
    for name in COLUMNS:
        wanted = columns.get(name, name)
        if wanted in header:
            if header.count(wanted) > 1:
                raise InputError(f"{path}, line 1: column {wanted} is there twice")
            places[name] = header.index(wanted)
        elif name in columns:
            raise InputError(f"{path}, line 1: has no column {wanted} (of --columns), it has {', '.join(header)}")
    return _checked(path, places, ", ".join(header))


def _numbered(path: Path, first: Sequence[str], columns: Mapping[str, str]) -> dict[str, int]:
    for name, given in columns.items():
        if not 1 <= int(given) <= len(first):
            raise InputError(f"{path}: --columns {name}={given} must be between 1 and {len(first)}")
    return _checked(path, {name: int(given) - 1 for name, given in columns.items()}, "columns without names")


def _checked(path: Path, places: dict[str, int], there: str) -> dict[str, int]:
    if "t_s" not in places and "pulse_V" not in places:
        raise InputError(f"{path}: column t_s is missing, it has {there} (rename one with --columns t_s=NAME)")
    given = [name for name in CONDUCTANCES if name in places]
    if not given:
        raise InputError(
            f"{path}: one of the columns {', '.join(CONDUCTANCES)} is missing, it has {there} (rename one with "
            "--columns g_uS=NAME)"
        )
    for name in given[1:]:  # the first in the order of CONDUCTANCES is taken
        del places[name]
    if "g_target_uS" in places:
        places.pop("g_target_S", None)
    return places


def _fields(
    path: Path, lines: Sequence[tuple[int, str]], delimiter: str | None, width: int, places: Mapping[str, int]
) -> dict[str, list[str]]:
    """Fields of the columns in question, as text."""
    fields: dict[str, list[str]] = {name: [] for name in places}
    rows = csv.reader((line for _, line in lines), delimiter=delimiter) if delimiter else (s.split() for _, s in lines)
    taken = [(fields[name].append, place) for name, place in places.items()]
    count = 0
    with reading(path, _KIND):
        for row in rows:
            if len(row) != width:
                raise InputError(
                    f"{path}, line {lines[count][0]}: has {len(row)} fields where the first line has {width}"
                )
            for append, place in taken:
                append(row[place].strip())
            count += 1
    if count != len(lines):
        raise InputError(f"{path}: has a quoted field that goes on over the end of its line")
    return fields


def _measured(
    path: Path, name: str, title: str, fields: list[str], lines: Sequence[tuple[int, str]], decimal_comma: bool
) -> NDArray[np.float64]:
    """The numbers of a column, NaN where a field is empty or cannot have been measured."""
    values = _numbers(path, name, title, fields, lines, decimal_comma)
    size = np.abs(values)
    with np.errstate(invalid="ignore"):
        wrong = size < _LEAST_OHM if name == "r_ohm" else np.isfinite(size) & (size > _LARGEST[name])
    if name == "t_s" and wrong.sum() > _MOST_LATE * len(values):
        first = int(np.argmax(wrong))
        raise InputError(
            f"{path}, line {lines[first][0]}, column {title}: {values[first]:g} s is beyond {_LARGEST[name]:g} s, with "
            f"{int(wrong.sum())} of {len(values)} times; they must be in seconds since programming"
        )
    return np.where(wrong, math.nan, values)


def _numbers(
    path: Path, name: str, title: str, fields: list[str], lines: Sequence[tuple[int, str]], decimal_comma: bool
) -> NDArray[np.float64]:
    if decimal_comma:
        fields = [field.replace(",", ".") for field in fields]
    try:
        return np.array([float(field) for field in fields])
    except ValueError:
        pass
    values = np.empty(len(fields))
    for k, field in enumerate(fields):
        if field.lower() in _MISSING:
            values[k] = math.nan
            continue
        try:
            values[k] = float(field)
        except ValueError:
            of = "" if title == name else f" ({name})"
            raise InputError(f"{path}, line {lines[k][0]}, column {title}{of}: {field!r} is not a number") from None
    return values


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True
