"""The one way in which a file is opened and read: regular files only, no more bytes than their kind can need."""

import csv
import gzip
import io
import json
import os
import re
import stat
import struct
import tomllib
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from mho.macro_models.errors import InputError, MhoError
from mho.macro_models.files.memory import available_bytes, size_text

_DAMAGE = (
    ValueError, TypeError, LookupError, ArithmeticError, RuntimeError, EOFError, struct.error, zlib.error,
    zipfile.BadZipFile, csv.Error, SyntaxError,
)
"""What parsers raise at bytes that they do not expect; those of XML a SyntaxError."""


@dataclass(frozen=True)
class FileKind:
    """What files of a kind are called, as in "network file", and the most bytes that one can need.

    None: half of the memory that is available.
    """

    noun: str
    most: int | None = None

    def check(self, path: str | Path, size: int) -> None:
        """Raises InputError if ``size`` bytes, packed or unpacked, are more than a file of the kind can need."""
        limit = available_bytes() // 2 if self.most is None else self.most
        if size > limit:
            rest = ", half of what is available" if self.most is None else ""
            raise InputError(
                f"{path}: holds {size_text(size)}; {self.article} may have {size_text(limit)} at most{rest}"
            )

    @property
    def article(self) -> str:
        """The noun with its article."""
        return f"{'an' if self.noun[0] in 'aeioAEIO' else 'a'} {self.noun}"


@contextmanager
def reading(path: str | Path, kind: FileKind) -> Iterator[None]:
    """Turns whatever a parser of the file raises into one sentence."""
    try:
        yield
    except MhoError:
        raise
    except OSError as error:
        raise InputError(f"{path}: cannot be read as {kind.article} ({error.strerror or error})") from None
    except MemoryError:
        raise InputError(f"{path}: cannot be read as {kind.article} (it does not fit the memory)") from None
    except _DAMAGE as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise InputError(f"{path}: is no {kind.noun}, or is damaged ({reason})") from None


@contextmanager
def open_file(path: str | Path, kind: FileKind) -> Iterator[tuple[BinaryIO, int]]:
    """A file to read from, and its size; what is raised meanwhile becomes a sentence, see :func:`reading`.

    Raises InputError if it cannot be opened, is a pipe, a device or the like, which could go on for ever, or has too
    many bytes.
    """
    with reading(path, kind):
        # Opening a pipe that nobody writes to would wait for a writer.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with os.fdopen(handle, "rb") as stream:
            status = os.fstat(handle)
            if stat.S_ISDIR(status.st_mode):
                raise IsADirectoryError(0, "Is a directory")
            if not stat.S_ISREG(status.st_mode):
                raise InputError(f"{path}: is no regular file, as {kind.article} must be")
            kind.check(path, status.st_size)
            yield stream, status.st_size


def read_file(path: str | Path, kind: FileKind) -> bytes:
    """The bytes of a file; errors as :func:`open_file`."""
    with open_file(path, kind) as (stream, size):
        # A file may have grown, and those of /proc have no size.
        data = stream.read(size + 1)
        while more := stream.read(1 << 20):
            data += more
            kind.check(path, len(data))
        return data


def unpacked(path: str | Path, data: bytes, kind: FileKind) -> bytes:
    """What a gzip file holds, piece by piece, so that it may claim anything; other bytes as they are."""
    if data[:2] != b"\x1f\x8b":
        return data
    parts, size = [], 0
    with reading(path, kind), gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
        while part := stream.read(1 << 20):
            parts.append(part)
            size += len(part)
            kind.check(path, size)
    return b"".join(parts)


def decode_text(path: str | Path, data: bytes, kind: FileKind) -> str:
    """UTF-8 text without a byte order mark; raises InputError with the line where it is none."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise InputError(
            f"{path}, line {line}: {kind.article} must be UTF-8 text, not bytes such as 0x{data[error.start]:02x}"
        ) from None


def read_text(path: str | Path, kind: FileKind) -> str:
    """The text of a file; errors as :func:`decode_text` and :func:`open_file`."""
    return decode_text(path, read_file(path, kind), kind)


_DEEPEST = 16
"""Tables in tables, and files that extend files."""
_DOTTED = re.compile(r"""(?<![\w"'-])(?:[\w"'-]++[ \t]*+\.[ \t]*+){16}""")
"""A dotted key deeper than that: the time that the parser takes grows with the square of its depth."""


def parse_toml(text: str, name: str) -> dict[str, Any]:
    """Parse ``text`` of the file ``name``.

    Raises InputError with file and line, if it is not TOML, or is nested deeper than any description is.
    """
    try:
        if _DOTTED.search(text):
            raise RecursionError
        tree = tomllib.loads(text)
        _check_values(tree)
        return tree
    except RecursionError:
        raise InputError(f"{name}: not TOML that can be read: more than {_DEEPEST} levels are nested") from None
    except ValueError as error:
        reason = str(error)
        at = re.search(r"line (\d+)", reason)
        line = f":{at[1]}" if at else ""
        reason = re.sub(r"\s*\(at .*\)$", "", reason)
        raise InputError(f"{name}{line}: not TOML: {reason[:1].lower()}{reason[1:]}") from None


def _check_values(tree: object) -> None:
    """Raises RecursionError where tables are too deep, ValueError at integers beyond 64 bits, which TOML has not."""
    level = [tree]
    for _ in range(_DEEPEST):
        if any(isinstance(value, int) and value.bit_length() > 63 for value in level):
            raise ValueError("an integer has more than 64 bits")
        level = _inside(level)
        if not level:
            return
    raise RecursionError


def _inside(level: list[object]) -> list[object]:
    """What the tables and the lists among some values hold."""
    return [
        item for value in level if isinstance(value, (dict, list))
        for item in (value.values() if isinstance(value, dict) else value)
    ]


_DEEPEST_JSON = 64
"""What we write has some ten levels; many hundred can be parsed, and end whatever goes through them later."""


def parse_json(text: str | bytes) -> Any:
    """The content of a JSON file; raises ValueError, for :func:`reading`, where it is none or is nested deeper."""
    try:
        tree = json.loads(text)
        level = [tree]
        for _ in range(_DEEPEST_JSON):
            level = _inside(level)
        if not level:
            return tree
    except RecursionError:
        pass
    raise ValueError(f"more than {_DEEPEST_JSON} levels are nested")


def read_toml(path: Path, kind: FileKind) -> tuple[str, dict[str, Any]]:
    """Text and content of a TOML file; errors as :func:`parse_toml` and :func:`open_file`."""
    text = read_text(path, kind)
    return text, parse_toml(text, str(path))


def extending(path: Path, earlier: tuple[Path, ...]) -> tuple[Path, ...]:
    """The files of a chain of ``extends``, with ``path``, which could be read.

    Raises InputError if the chain comes back to itself, or is too long.
    """
    longer = (*earlier, Path(os.path.realpath(path)))
    if longer[-1] in earlier or len(longer) > _DEEPEST:
        chain = " -> ".join(p.name for p in (*earlier[-3:], path))
        wrong = "come back to itself" if longer[-1] in earlier else f"go over more than {_DEEPEST} files"
        raise InputError(f"{path}: extends must not {wrong}, not {chain}")
    return longer
