"""Where the command writes: results on stdout, progress and warnings on stderr.

Without a terminal, or with ``NO_COLOR`` set, both are plain text: no colours, no box characters, no line that is
rewritten, and no width at which a table is cut.
"""

import json
import os
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Protocol, TextIO

from mho.macro_models.errors import one_sentence, printable
from mho.macro_models.output import write_output

if TYPE_CHECKING:
    from rich.console import Console

_STEP, _STEP_S, _EVERY_S = 0.1, 2.0, 30.0
"""Progress without a terminal: a line after this share of the work and so many seconds, and every so many seconds."""


def say(stream: TextIO, text: str) -> None:
    """Print lines that came from anywhere. What stderr does not take is lost."""
    with suppress(*[OSError] * (stream is sys.stderr)):
        if _plain(stream):
            stream.write(printable(text) + "\n")
            stream.flush()
        else:
            _console(stream).print(printable(text))


def _plain(stream: TextIO) -> bool:
    return bool(os.environ.get("NO_COLOR")) or not stream.isatty()


@cache
def _console(stream: TextIO) -> "Console":
    from rich.console import Console

    return Console(file=stream, markup=False, highlight=False, emoji=False)


class Progress(Protocol):
    """Called with the number of steps that are done, and of all."""

    def __call__(self, done: int, total: int, /) -> None: ...


@dataclass(kw_only=True)
class Output:
    """The common options ``--json``, ``-q`` and ``-v``, and the two streams that they steer."""

    json_path: str | None = None
    """``"-"`` for stdout, where JSON then replaces the text; a file; or ``None``."""
    quiet: bool = False
    """No progress and no warnings."""
    verbose: bool = False
    """Details on stderr."""
    warned: list[str] = field(default_factory=list)

    def text(self, line: str = "") -> None:
        """A line of the result. Nothing where the JSON goes to stdout."""
        if self.json_path != "-":
            say(sys.stdout, line)

    def table(self, headers: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """A table of the result. Columns of numbers are aligned to the right."""
        if self.json_path == "-":
            return
        headers, *cells = ([one_sentence(cell) for cell in row] for row in (headers, *rows))
        right = [bool(cells) and all(map(_is_number, column)) for column in zip(*cells, strict=True)]
        if _plain(sys.stdout):
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
        _console(sys.stdout).print(table)

    def note(self, line: str) -> None:
        """A line about the progress, on stderr."""
        if not self.quiet:
            say(sys.stderr, line)

    def detail(self, line: str) -> None:
        """A line on stderr with ``-v`` only."""
        if self.verbose:
            say(sys.stderr, line)

    def warn(self, sentence: str) -> None:
        """A warning, once, on stderr (and in the JSON)."""
        sentence = one_sentence(sentence)
        if sentence in self.warned:
            return
        self.warned.append(sentence)
        self.note(f"warning: {sentence}")

    @contextmanager
    def progress(self, label: str) -> Iterator[Progress]:
        """A bar on a terminal; without one, a line at the start and now and then.

        What is yielded has ``detail(text)`` too: how far it is in words, which stands behind the label, and in a line
        of its own if the work is interrupted.
        """
        if self.quiet:
            yield lambda done, total, /: None
            return
        with (_lines if _plain(sys.stderr) else _bar)(label) as display:
            try:
                yield display
            except KeyboardInterrupt:
                if display.said:
                    say(sys.stderr, f"{label}: {display.said}")
                raise

    def json(self, content: Mapping[str, object]) -> None:
        """Write the JSON of ``--json``, if it was asked for."""
        if self.json_path is None:
            return
        from mho.version import JSON_FORMAT

        text = json.dumps({"format": JSON_FORMAT, **content}, indent=2, allow_nan=False) + "\n"
        if self.json_path == "-":
            sys.stdout.write(text)
        else:
            write_output(self.json_path, text.encode())


@dataclass(kw_only=True)
class Silent(Output):
    """Of Python, which takes what is returned: nothing is printed, warnings are kept."""

    json_path: str | None = "-"
    quiet: bool = True

    def json(self, content: Mapping[str, object]) -> None:
        """Nothing."""


class _Told:
    """Is told how far a work is, in numbers and in words."""

    def __init__(self, advance: Progress, show: Callable[[str], None]) -> None:
        self._advance, self._show = advance, show
        self.said = ""

    def __call__(self, done: int, total: int, /) -> None:
        self._advance(done, total)

    def detail(self, text: str) -> None:
        self.said = text
        self._show(text)


@contextmanager
def _bar(label: str) -> Iterator[_Told]:
    from rich.progress import Progress as Bar

    with Bar(console=_console(sys.stderr), transient=True) as bar:
        task = bar.add_task(label, total=None)
        yield _Told(
            lambda done, total, /: bar.update(task, completed=done, total=total),
            lambda text: bar.update(task, description=f"{label}: {text}"),
        )


@contextmanager
def _lines(label: str) -> Iterator[_Told]:
    """Progress as lines of stderr, also where nothing is heard of the work for long."""
    begin = shown_s = time.monotonic()
    share = shown = 0.0
    ended = threading.Event()

    def line() -> None:
        nonlocal shown, shown_s
        shown, shown_s = share, time.monotonic()
        said = f", {display.said}" if display.said else ""
        say(sys.stderr, f"{label}: {share:.0%} after {shown_s - begin:.0f} s{said}")

    def advance(done: int, total: int, /) -> None:
        nonlocal share, shown
        share = done / total if total else 0.0
        shown = min(shown, share)  # another part of the work begins
        if int(share / _STEP + 1e-9) > int(shown / _STEP + 1e-9) and time.monotonic() - shown_s >= _STEP_S:
            line()

    def watch() -> None:
        while not ended.wait(_EVERY_S):
            line()

    display = _Told(advance, lambda text: None)
    say(sys.stderr, f"{label} ...")
    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield display
    finally:
        ended.set()
        watcher.join()


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
