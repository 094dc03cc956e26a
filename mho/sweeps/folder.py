"""The folder of a sweep: a file for each row that is done, and tables of all of them.

A row's file gets its name when it is whole, so that whatever is killed, nothing is lost and nothing is there twice.
"""

import csv
import fcntl
import hashlib
import io
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mho.macro_models.errors import InputError
from mho.macro_models.files import FileKind, parse_json, read_text
from mho.macro_models.output import cannot_write, write_output
from mho.sweeps.evaluate import Row

_ROW = FileKind("row of a sweep", 1 << 20)


class Folder:
    """Where a sweep keeps its rows.

    Raises InputError or ToolError if it cannot be written.

    Parameters
    ----------
    path
        Made if it is not there.
    """

    def __init__(self, path: Path) -> None:
        self.path, self._rows = path, path / "rows"
        try:
            self._rows.mkdir(parents=True, exist_ok=True)
            for part in self._rows.glob("*/.mho-*.part"):  # of writers that were killed
                part.unlink(missing_ok=True)
        except OSError as error:
            raise cannot_write(path, error) from None

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Nobody else writes to the folder meanwhile; who held it and was killed holds it no more.

        Raises InputError if another process has it.
        """
        with (self.path / ".lock").open("w") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise InputError(
                    f"{self.path}: another sweep writes to it now; wait until it has ended, or name another folder"
                ) from None
            yield

    def _file(self, name: str) -> Path:
        return self._rows / name[:2] / f"{name}.json"

    def find(self, name: str) -> Row | None:
        """The row of a point, or None where it is not done: its file is not there, or is not as it was written."""
        path = self._file(name)
        if not path.exists():
            return None
        try:
            sealed = parse_json(read_text(path, _ROW))
            return sealed["row"] if sealed["sha256"] == _seal(name, sealed["row"]) else None
        except (InputError, ValueError, TypeError, LookupError):
            return None

    def keep(self, row: Row) -> None:
        """Keep a row that is done."""
        path = self._file(row["point"])
        try:
            path.parent.mkdir(exist_ok=True)
        except OSError as error:
            raise cannot_write(path, error) from None
        sealed = {"sha256": _seal(row["point"], row), "row": row}
        write_output(path, (json.dumps(sealed, allow_nan=False) + "\n").encode())

    def write_json(self, name: str, content: object) -> Path:
        """A file of the folder."""
        path = self.path / name
        write_output(path, (json.dumps(content, indent=2, allow_nan=False) + "\n").encode())
        return path

    def write_table(self, name: str, rows: Sequence[Row]) -> list[Path]:
        """A table as ``NAME.csv`` and, where pyarrow is installed, as ``NAME.parquet``."""
        columns = list(dict.fromkeys(key for row in rows for key in row))
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, lineterminator="\n", restval="")
        writer.writeheader()
        writer.writerows(rows)
        path = self.path / f"{name}.csv"
        write_output(path, text.getvalue().encode())
        return [path, *_parquet(self.path / f"{name}.parquet", columns, rows)]


def _seal(point: str, row: Row) -> str:
    """The hash of a row, and of its point, since the row of another one is whole, too."""
    return hashlib.sha256(f"{point} {json.dumps(row, allow_nan=False)}".encode()).hexdigest()


def _parquet(path: Path, columns: Sequence[str], rows: Sequence[Row]) -> list[Path]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        path.unlink(missing_ok=True)  # of rows that are no longer all
        return []
    arrays = {name: _column([row.get(name) for row in rows]) for name in columns}
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(arrays), buffer)
    write_output(path, buffer.getvalue())
    return [path]


def _column(values: Sequence[Any]) -> list[Any]:
    """Values of one type: whole numbers and others are numbers, anything else that is mixed is text."""
    kinds = {type(value) for value in values if value is not None}
    make = float if kinds == {int, float} else str if len(kinds) > 1 else None
    return list(values) if make is None else [None if value is None else make(value) for value in values]
