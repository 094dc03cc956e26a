"""The table of ``docs/reference/boards.md``: every design of a board, built with every flow.

``python -m tests.fpga.board_table`` writes it, in a clone; ``./run boards`` does that with the tools installed.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import fields
from pathlib import Path

from mho.fpga.boards import BOARDS
from mho.fpga.build.build import BuildReport, build
from mho.fpga.families import Family
from mho.hw.config import load_chip
from mho.macro_models.errors import InputError, ToolError
from tests.page import put_between, text_around

__all__ = ["BEGIN", "DESIGNS", "END", "FLOWS", "main", "rows_of", "table"]

DESIGNS = (
    *((name, board.plan.chip) for name, board in BOARDS.items()),
    ("icebreaker", "icebreaker-array"), ("ulx3s-85f", "icebreaker"), ("ulx3s-85f", "ulx3s-2x2"),
    ("colorlight-i5", "tnsa64-tile"), ("orangecrab", "tnsa64-tile"),
)
"""Boards and the presets of chips that are built for them: each board's own, an array whose columns share converters, a
core of 256 lines on an ECP5, a chip of four tiles, one tile on the smaller ECP5."""

FLOWS = ("native", "yowasp")

EARLIER = " *"
"""Behind the board of a row that was not built for this table, but for one before."""

BEGIN, END = "<!-- table of ./run boards -->", "<!-- end of the table -->"

ROOT = Path(__file__).parents[2]

_HEAD = (
    "board", "chip", "core", "core is", "cells a cycle", "tools", "LUT", "block RAM", "SPRAM", "DSP", "Fmax", "clock",
    "margin",
)


def table(rows: Iterable[Sequence[str]]) -> str:
    """Rows as a table in Markdown."""
    rows = [_HEAD, ("---",) * len(_HEAD), *rows]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def rows_of(page: Path) -> dict[tuple[str, str, str], tuple[str, ...]]:
    """Rows that the page has, by board, chip and tools, each marked as one of an earlier build."""
    text = page.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]
    cells = (tuple(cell.strip() for cell in line.strip().strip("|").split("|")) for line in text.splitlines())
    named = ((row[0].removesuffix(EARLIER), row) for row in cells if len(row) == len(_HEAD))
    return {(name, row[1], row[5]): (name + EARLIER, *row[1:]) for name, row in named if name in BOARDS}


def _row(report: BuildReport) -> tuple[str, ...]:
    def part(kind: str) -> str:
        total = report.available.get(kind, 0)
        return f"{report.used[kind]:,} of {total:,}" if total else "-"

    return (
        report.board, report.chip,
        f"{f'{report.cores} of ' if report.cores > 1 else ''}{report.lines} x {report.lines} x {report.g_bits} bits",
        "serial" if report.serial else "whole, programs" if report.programs else "whole",
        str(report.cores * report.lanes), report.flow, part("lut"), part("bram"), part("spram"), part("dsp"),
        f"{report.fmax_hz / 1e6:.1f} MHz", f"{report.clock_hz / 1e6:g} MHz", f"{report.margin:.1%}",
    )


def _read(path: Path) -> BuildReport | None:
    """The report of an earlier build, if it is one of this version."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return BuildReport(**content) if content.keys() == {field.name for field in fields(BuildReport)} else None


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _build(board: str, chip: str, flow: str, folder: Path) -> BuildReport | None:
    """The report of a build, or None and a line that says why there is none."""
    _say(f"{board}, {chip}, {flow} tools:")
    try:
        return build(board, load_chip(chip), folder=folder, flow=flow, note=lambda line: _say(f"  {line}"))
    except (InputError, ToolError) as error:
        _say(f"error: {error}")
        return None


def _flows(family: Family) -> tuple[str, ...]:
    """Those of the system only where its packages have all tools of a family."""
    return FLOWS if all(step in family.packages for step in family.steps) else FLOWS[1:]


def main(arguments: Sequence[str] | None = None) -> int:
    """Build, and write the table. 1 if a build failed, else 0."""
    parser = argparse.ArgumentParser(prog="./run boards", description="Build all bitstreams; write their table.")
    parser.add_argument("--board", choices=BOARDS, action="append", help="only this one (may be repeated)")
    parser.add_argument("--tools", choices=FLOWS, action="append", help="only these (may be repeated)")
    parser.add_argument("--keep", action="store_true", help="take bitstreams that are there")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "boards", help="for the bitstreams")
    parser.add_argument("--page", type=Path, default=ROOT / "docs" / "reference" / "boards.md", help="with the table")
    options = parser.parse_args(arguments)
    try:
        text_around(options.page, BEGIN, END)
    except InputError as error:
        parser.error(str(error))
    rows, earlier, failed = [], rows_of(options.page), False
    for board, chip in DESIGNS:
        for flow in _flows(BOARDS[board].served):
            folder = options.folder / flow / f"{board}-{chip}"
            selected = board in (options.board or BOARDS) and flow in (options.tools or FLOWS)
            report = None if selected and not options.keep else _read(folder / "report.json")
            if report is None and selected:
                report = _build(board, chip, flow, folder)
                failed |= report is None
            row = earlier.get((board, chip, flow)) if report is None else _row(report)
            rows += [] if row is None else [row]
    put_between(options.page, BEGIN, END, table(rows))
    return int(failed)


if __name__ == "__main__":
    raise SystemExit(main())
