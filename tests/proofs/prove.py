"""``./run prove``: check every property and print what came out.

Usage: python -m tests.proofs.prove [--json FILE] [--table PAGE] [--jobs N] [WORD ...]

With words, only the properties whose line has one of them. The exit status is 1 if a property came out otherwise than
it must.
"""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

from mho.macro_models.errors import InputError, ToolError
from tests.page import text_around
from tests.proofs.harness import Harness, convert, convert_cases
from tests.proofs.properties import PROPERTIES, Property
from tests.proofs.solver import Outcome, Verdict, solve, versions
from tests.proofs.table import BEGIN, END, merge, write_table
from tests.proofs.waves import still

__all__ = ["Line", "check", "main"]

_making = Lock()


@dataclass(frozen=True)
class Line:
    """What came out for a property."""

    subject: Property
    outcome: Outcome
    cases: int = 0

    @property
    def right(self) -> bool:
        """Whether it is what must come out."""
        return self.outcome.verdict is self.subject.expected

    @property
    def method(self) -> str:
        """How it was checked, in words."""
        if self.subject.engine is None:
            return f"all {self.cases} cases"
        by = ", state by state" if self.subject.by_state else ""
        return f"{self.subject.engine.value}, {self.subject.depth} cycle{'s' * (self.subject.depth > 1)}{by}"

    @property
    def result(self) -> str:
        """What came out, in words."""
        if not self.right:
            return f"{self.outcome.verdict.value}, but should be {self.subject.expected.value} ({self.outcome.claim})"
        if self.subject.expected is Verdict.FAILS:
            return f"fails, as it must, in cycle {self.outcome.step}: {self.outcome.claim}"
        return self.outcome.verdict.value

    def text(self) -> str:
        """One line."""
        subject = self.subject
        return f"{subject.name} | {subject.of} | {self.method} | {self.outcome.seconds:.1f} s | {self.result}"

    def record(self) -> dict[str, Any]:
        """The same for machines."""
        return {
            "name": self.subject.name, "of": self.subject.of, "method": self.method,
            "seconds": round(self.outcome.seconds, 2), "verdict": self.outcome.verdict.value, "right": self.right,
            "result": self.result,
        }


def check(subject: Property) -> Line:
    """Check one property."""
    if subject.engine is None:
        started = time.thread_time()
        cases: int = _all(subject.make)
        verdict = Verdict.HOLDS if cases else Verdict.FAILS
        return Line(subject, Outcome(verdict, time.thread_time() - started), cases)
    # What harnesses are made of may be replaced for a while.
    with _making, subject.setting():
        harness = subject.make()
        assert isinstance(harness, Harness)
        text, steps = convert(harness), convert_cases(harness) if subject.by_state else []
    return Line(subject, solve(text, subject.engine, subject.depth, within=subject.seen, cases=steps))


def _all(make: Callable[[], Harness | int]) -> int:
    """Number of cases, none if one is wrong."""
    try:
        cases = make()
    except AssertionError as error:
        print(f"  {error}", file=sys.stderr)
        return 0
    assert isinstance(cases, int)
    return cases


def main(arguments: Sequence[str] | None = None) -> int:
    """Check and print; the exit status."""
    parser = argparse.ArgumentParser(prog="./run prove", description="Check the properties of the network on chip.")
    parser.add_argument("words", nargs="*", metavar="WORD", help="only properties whose line has one of these")
    parser.add_argument(
        "--json",
        metavar="FILE",
        type=Path,
        help="write results there; those of other properties are kept, if the hardware and the claims are the same",
    )
    parser.add_argument("--table", metavar="PAGE", type=Path, help="write the table of all results into this page")
    parser.add_argument("--jobs", type=int, default=2, help="solvers at a time (2)")
    options = parser.parse_args(arguments)
    chosen = [p for p in PROPERTIES if not options.words or any(w in f"{p.name} | {p.of}" for w in options.words)]
    if not chosen:
        print(f"prove: no property has any of {', '.join(map(repr, options.words))} in its line", file=sys.stderr)
        return 2
    lines: list[Line] = []
    try:
        if options.table:
            text_around(options.table, BEGIN, END)
        with ThreadPoolExecutor(options.jobs) as pool:
            for line in pool.map(check, chosen):
                lines.append(line)
                print(f"{len(lines)}/{len(chosen)} {line.text()}", flush=True)
                if line.right and line.subject.expected is Verdict.FAILS:
                    print("".join(f"    {step}\n" for step in still(line.outcome.waves)), end="", flush=True)
        records = [line.record() for line in lines]
        if options.json:
            records = merge(options.json, records, [(p.name, p.of) for p in PROPERTIES])
        if options.table:
            write_table(options.table, records, len(PROPERTIES), versions())
    except (InputError, ToolError) as error:
        print(f"prove: {error}", file=sys.stderr)
        return 1 if isinstance(error, ToolError) else 2
    wrong = sum(not line.right for line in lines)
    print(f"{len(lines) - wrong} of {len(lines)} came out as they must, {sum(x.outcome.seconds for x in lines):.0f} s")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
