"""What random programs have reached in a tile, as a table of a page.

Usage: python -m mho.sim.tile_programs.table PAGE --json FILE [--seeds S ..] [--random N] [--traps N]

Each seed is run until so many instructions retired and so many programs trapped, and its counts are written into the
file; seeds that are there are not run again while the hardware is the same. The page gets the sums of all.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from mho.hw.tile.isa import Cause, Op
from mho.macro_models.errors import InputError, ToolError
from mho.sim.build.verilate import hardware_hash
from mho.sim.page import put_between, text_around
from mho.sim.tile_programs.coverage import Coverage
from mho.sim.tile_programs.verify import TileReport, verify_tile

__all__ = ["main", "table"]

BEGIN, END = "<!-- begin: python -m mho.sim.tile_programs.table -->", "<!-- end -->"
_COUNTS = ("programs", "instructions", "traps", "cycles")


def _record(report: TileReport) -> dict[str, Any]:
    return {name: getattr(report, name) for name in _COUNTS} | {"coverage": report.coverage.record()}


def table(records: dict[int, dict[str, Any]]) -> str:
    """The tables of some seeds together."""
    sums = {name: sum(record[name] for record in records.values()) for name in _COUNTS}
    coverage = Coverage()
    for record in records.values():
        coverage.take(record["coverage"])
    return "\n".join([
        f"Seeds {', '.join(map(str, records))}: {sums['programs']:,} programs, {sums['instructions']:,} instructions "
        f"retired and {sums['traps']:,} programs trapped, in the Verilog as in the interpreter and the token machine; "
        f"{sums['cycles']:,} cycles. In {coverage.overlap:,} of them two engines or more had something in hand; rings "
        f"went round {coverage.wraps:,} times.",
        "", _counts("Opcodes", ((op.name, coverage.ops[op.name.lower()]) for op in Op)),
        "", _counts("Why programs stopped", ((name, coverage.causes[name]) for name in _stops())),
        "", _counts("Operands of VEC", sorted(coverage.operands.items())),
        "", "Every field had its least value, its largest and one between, but:",
        "", "| of | field | least | most | between |", "|---|---|---|---|---|",
        *(f"| {of} | {name} | " + " | ".join(
            f"{count:,}" if count is not None else "" for count in counts) + " |"
          for of, name, counts in coverage.rows() if 0 in counts),
    ]) + "\n"


def _stops() -> Iterator[str]:
    yield from ("ended", "waited")
    yield from (cause.name.lower() for cause in Cause if cause)


def _counts(what: str, counts: Iterable[tuple[str, int]]) -> str:
    return f"{what}: {', '.join(f'{name} {count:,}' for name, count in counts)}."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is missing, and write the page; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m mho.sim.tile_programs.table", description="Coverage as a page.")
    parser.add_argument("page", metavar="PAGE", type=Path, help="the page, with the two marks")
    parser.add_argument("--json", metavar="FILE", type=Path, required=True, help="counts of each seed")
    parser.add_argument("--seeds", type=int, nargs="+", default=[11, 12, 13, 14], metavar="S")
    parser.add_argument("--random", type=int, default=25_000, metavar="N", help="instructions of a seed, at least")
    parser.add_argument("--traps", type=int, default=2_500, metavar="N", help="traps of a seed, at least")
    options = parser.parse_args(arguments)
    try:
        text_around(options.page, BEGIN, END)
        hardware = hardware_hash()
        held: dict[str, Any] = json.loads(options.json.read_text("utf-8")) if options.json.exists() else {}
        if held.get("hardware") != hardware:
            held = {"hardware": hardware, "seeds": {}}
        for seed in options.seeds:
            if str(seed) in held["seeds"]:
                continue
            report = verify_tile(instructions=options.random, traps=options.traps, seed=seed)
            print(f"seed {seed}: {str(report).splitlines()[0]}", flush=True)
            held["seeds"][str(seed)] = _record(report)
            part = options.json.with_name(f"{options.json.name}.part")
            part.write_text(json.dumps(held, indent=1) + "\n", encoding="utf-8")
            part.replace(options.json)
        put_between(options.page, BEGIN, END, table({seed: held["seeds"][str(seed)] for seed in options.seeds}))
    except (InputError, ToolError, ValueError) as error:
        print(f"table: {error}", file=sys.stderr)
        return 1 if isinstance(error, ToolError) else 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
