"""Where the command writes: results on stdout, progress and warnings on stderr.

Without a terminal, or with ``NO_COLOR`` set, both are plain text: no colours, no box characters, no line that is
rewritten, and no width at which a table is cut.
"""

import json
import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from macro_models.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["Output", "Progress", "check_target", "one_sentence", "write_atomic"]

_PLAIN_WIDTH = 200


def one_sentence(text: object) -> str:
    """A message on one line."""
    return " ".join(str(text).split())


def check_target(path: str | Path | None) -> None:
    """Refuse a file that cannot be written later, before the work begins. ``None`` is no file."""
    if path is None:
        return
    path = Path(path)
    if not path.parent.is_dir():
        raise InputError(f"{path}: the folder {str(path.parent)!r} does not exist")
    if path.is_dir():
        raise InputError(f"{path}: is a folder, the name of a file is needed")


def write_atomic(path: str | Path, data: bytes) -> None:
    """Write a file whole or not at all: to a temporary name in its folder, renamed at the end."""
    path = Path(path)
    check_target(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror})") from None
    finally:
        temporary.unlink(missing_ok=True)


class Progress(Protocol):
    """Called with the number of steps that are done, and of all."""

    def __call__(self, done: int, total: int, /) -> None: ...


@dataclass(kw_only=True)
class Output:
    """The common options ``--json``, ``-q`` and ``-v``, and the two streams that they steer.

    Parameters
    ----------
    json_path
        ``"-"`` for stdout, where JSON then replaces the text; a file; or ``None``.
    quiet
        No progress and no warnings.
    verbose
        Details on stderr.
    """

    json_path: str | None = None
    quiet: bool = False
    verbose: bool = False
    warned: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.json_path != "-":
            check_target(self.json_path)

    @cached_property
    def _stdout(self) -> "Console":
        return _console(sys.stdout)

    @cached_property
    def _stderr(self) -> "Console":
        return _console(sys.stderr)

    def text(self, line: str = "") -> None:
        """A line of the result. Nothing where the JSON goes to stdout."""
        if self.json_path != "-":
            self._stdout.print(line)

    def table(self, headers: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """A table of the result. Columns of numbers are aligned to the right."""
        if self.json_path == "-":
            return
        cells = [[str(cell) for cell in row] for row in rows]
        right = [bool(cells) and all(map(_is_number, column)) for column in zip(*cells, strict=True)]
        console = self._stdout
        if console.no_color:
            for line in _plain_table(headers, cells, right or [False] * len(headers)):
                sys.stdout.write(line + "\n")
            return
        from rich import box
        from rich.table import Table

        table = Table(box=box.SIMPLE_HEAD, show_edge=False)
        for header, to_the_right in zip(headers, right, strict=True):
            table.add_column(header, justify="right" if to_the_right else "left")
        for row in cells:
            table.add_row(*row)
        console.print(table)

    def note(self, line: str) -> None:
        """A line about the progress, on stderr."""
        if not self.quiet:
            self._stderr.print(line)

    def detail(self, line: str) -> None:
        """A line on stderr with ``-v`` only."""
        if self.verbose:
            self._stderr.print(line)

    def warn(self, sentence: str) -> None:
        """A warning, once, on stderr (and in the JSON)."""
        sentence = one_sentence(sentence)
        if sentence in self.warned:
            return
        self.warned.append(sentence)
        self.note(f"warning: {sentence}")

    @contextmanager
    def progress(self, label: str) -> Iterator[Progress]:
        """A bar on a terminal; without one, a line at the start."""
        console = None if self.quiet else self._stderr
        if console is None or console.no_color:
            if console is not None:
                console.print(f"{label} ...")
            yield lambda done, total, /: None
            return
        from rich.progress import Progress as Bar

        with Bar(console=console, transient=True) as bar:
            task = bar.add_task(label, total=None)
            yield lambda done, total, /: bar.update(task, completed=done, total=total)

    def json(self, content: dict[str, Any]) -> None:
        """Write the JSON of ``--json``, if it was asked for."""
        if self.json_path is None:
            return
        text = json.dumps(content, indent=2, allow_nan=False) + "\n"
        if self.json_path == "-":
            sys.stdout.write(text)
        else:
            write_atomic(self.json_path, text.encode())


def _console(stream: TextIO) -> "Console":
    from rich.console import Console

    plain = bool(os.environ.get("NO_COLOR")) or not stream.isatty()
    return Console(
        file=stream, markup=False, highlight=False, emoji=False, soft_wrap=plain, no_color=plain,
        width=_PLAIN_WIDTH if plain else None,
    )


def _plain_table(headers: Sequence[str], rows: list[list[str]], right: list[bool]) -> list[str]:
    """Columns apart by two blanks, of any width, without blanks at the end of a line."""
    widths = [max(map(len, column)) for column in zip(headers, *rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if to_the_right else cell.ljust(width)
            for cell, width, to_the_right in zip(row, widths, right, strict=True)
        ).rstrip()
        for row in (headers, *rows)
    ]


def _is_number(cell: str) -> bool:
    return re.fullmatch(r"[+-]?[\d,]+(\.\d+)?(e[+-]?\d+)?%?|-?", cell) is not None
