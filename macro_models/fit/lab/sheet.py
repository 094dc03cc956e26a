"""The text of a table: its encoding, its lines, its delimiter and the notation of its numbers."""

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mho.macro_models.errors import InputError
from mho.macro_models.files import FileKind, decode_text, reading
from mho.macro_models.fit.lab.archives import MOST_FIELDS, table_in

MISSING = frozenset({
    "", "nan", "na", "n/a", "null", "none", "-", "--", "#n/a", "#na", "#div/0!", "#value!", "#num!", "#ref!", "#name?",
    "#null!", "inf", "-inf", "#nv", "overload", "ovld",
})
"""Fields that hold no number, in lower case: those of laboratories, and the errors of spreadsheets."""

_BOMS = ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_SAMPLE = 4096
_THOUSANDS = re.compile(r"[-+]?[1-9]\d{0,2}(,\d{3})+")
_COMMA = re.compile(r"[-+]?\d*,\d*([eE][-+]?\d+)?")


@dataclass(frozen=True)
class Sheet:
    """Rows of fields, all as wide as the first, in plain notation."""

    path: Path
    numbers: list[int]
    """Line of each row in the file, from 1."""
    rows: list[list[str]]


def is_number(field: str) -> bool:
    """Whether a field is a number in plain notation."""
    try:
        float(field)
    except ValueError:
        return False
    return True


def _decode(path: Path, data: bytes, kind: FileKind) -> str:
    """UTF-8, UTF-16 with or without a mark, or Windows-1252 (which spreadsheets write)."""
    encoding = next((name for mark, name in _BOMS if data.startswith(mark)), "")
    sample = data[:_SAMPLE]
    if not encoding and len(sample) >= 2:
        zeros = sample[0::2].count(0), sample[1::2].count(0)
        half = len(sample) // 2
        encoding = "utf-16-le" if zeros[1] > 0.6 * half > 0 == zeros[0] else ""
        encoding = "utf-16-be" if zeros[0] > 0.6 * half > 0 == zeros[1] else encoding
    if encoding:
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            raise InputError(f"{path}: begins as UTF-16 text, but is not all of it: it is cut or damaged") from None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    try:
        text = data.decode("cp1252")
    except UnicodeDecodeError:
        return decode_text(path, data, kind)  # refuses it
    if any(ord(c) < 32 and c not in "\t\r\n\f" for c in text):
        return decode_text(path, data, kind)
    return text


def _is_comment(line: str) -> bool:
    """``#N/A`` and its like at the beginning of a line are fields."""
    start = line.lstrip()
    return start.startswith("#") and re.split(r"[\t;,\s]", start, maxsplit=1)[0].lower() not in MISSING


def read_sheet(path: Path, data: bytes, kind: FileKind) -> Sheet:
    """Rows of a table: of text, or of a file that :mod:`.archives` knows.

    The delimiter is what a first line ``sep=`` says, else a tab, a semicolon, a comma or blanks, whichever the first
    line has. Lines that begin with ``#`` are passed over. Decimal commas become points. Raises InputError if it is no
    text, lines differ in the number of their fields, or a comma in a number may be a decimal comma as well as a mark of
    thousands.
    """
    rows = table_in(path, data, kind)
    if rows is not None:
        return Sheet(path, list(range(1, len(rows) + 1)), rows)
    lines = [
        (number, line.replace("\N{MINUS SIGN}", "-"))
        for number, line in enumerate(io.StringIO(_decode(path, data, kind), None), start=1)
        if line.strip() and not _is_comment(line)
    ]
    delimiter = None
    if lines and re.fullmatch(r"sep=.", lines[0][1].strip("\r\n\" ").lower()):
        delimiter, lines = lines[0][1].strip("\r\n\"")[4], lines[1:]
    if not lines:
        raise InputError(f"{path}: is empty, a header with t_s and one of g_uS, g_S, r_ohm is needed")
    delimiter = delimiter or next((d for d in "\t;," if d in lines[0][1]), None)
    rows = _split(path, lines, delimiter, kind)
    numbers = [number for number, _ in lines]
    return Sheet(path, numbers, _with_points(path, numbers, rows, delimiter))


def _split(path: Path, lines: Sequence[tuple[int, str]], delimiter: str | None, kind: FileKind) -> list[list[str]]:
    read = csv.reader((line for _, line in lines), delimiter=delimiter) if delimiter else (s.split() for _, s in lines)
    rows: list[list[str]] = []
    with reading(path, kind):
        for row in read:
            fields = [field.strip() for field in row]
            while rows and len(fields) > len(rows[0]) and not fields[-1]:
                fields.pop()  # spreadsheets end lines with empty fields
            if rows and len(fields) != len(rows[0]):
                raise InputError(
                    f"{path}, line {lines[len(rows)][0]}: has {len(fields)} fields where the first line has "
                    f"{len(rows[0])}"
                )
            rows.append(fields)
            if len(rows) * len(rows[0]) > MOST_FIELDS:
                raise InputError(f"{path}: has more than {MOST_FIELDS:,} fields; give a part of it")
    if len(rows) != len(lines):
        raise InputError(f"{path}: has a quoted field that goes on over the end of its line")
    return rows


def _with_points(path: Path, numbers: Sequence[int], rows: list[list[str]], delimiter: str | None) -> list[list[str]]:
    """Decimal commas as points, where a comma does not delimit fields."""
    if delimiter == ",":
        return rows
    commas = [(k, field) for k, row in enumerate(rows) for field in row if "," in field and _COMMA.fullmatch(field)]
    if not commas:
        both = next(((k, f) for k, row in enumerate(rows) for f in row if _THOUSANDS.match(f)), None)
        if both is not None:
            raise InputError(
                f"{path}, line {numbers[both[0]]}: {both[1]!r} has marks of thousands; numbers must be without them"
            )
        return rows
    clear = next((field for _, field in commas if not _THOUSANDS.fullmatch(field)), None)
    if clear is None and delimiter != ";":
        k, field = commas[0]
        raise InputError(
            f"{path}, line {numbers[k]}: {field!r} may have a decimal comma or a mark of thousands; write it with a "
            "point, or delimit with semicolons"
        )
    points = next(
        ((k, f) for k, row in enumerate(rows[1:], 1) for f in row if "." in f and "," not in f and is_number(f)), None
    )
    if points is not None and clear is not None and delimiter != ";":
        raise InputError(
            f"{path}, line {numbers[points[0]]}: {points[1]!r} has a point where {clear!r} has a decimal comma; "
            "numbers must have one or the other"
        )
    return [[f.replace(",", ".") if "," in f and _COMMA.fullmatch(f) else f for f in row] for row in rows]
