"""``./run prove verilog``: compare the Verilog of chips with what Yosys reads of the same designs, block by block.

Usage: python -m tests.proofs.equivalence [--json FILE] [--table PAGE] [--jobs N] [CHIP ...]

Without a chip: all presets, and small ones of tiles with test and gates of clocks: CHIP+test. The exit status is 1 if a
block differs, or for one there is no result.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from mho.hw.config import load_chip, preset_names
from mho.macro_models.errors import InputError, ToolError
from tests.page import put_between, text_around
from tests.proofs.equivalence.blocks import pairs_of
from tests.proofs.equivalence.proof import Pair, prove
from tests.proofs.solver import Engine, Verdict, versions

__all__ = ["main"]

_TEST = "+test"
"""Behind the name of a chip: with ``verilog.test`` and gates of clocks."""

_TESTED = ("tnsa16-2x2", "pwm16-2x2", "array-2x2", "sram-2x2")

BEGIN, END = "<!-- begin: ./run prove verilog --table -->", "<!-- end -->"

Record = dict[str, Any]


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare and print; the exit status."""
    parser = argparse.ArgumentParser(
        prog="./run prove verilog", description="Compare Verilog with what Yosys reads of the same design."
    )
    parser.add_argument("chips", nargs="*", metavar="CHIP", help="presets or files; CHIP+test with test and gates")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the results there")
    parser.add_argument("--table", metavar="PAGE", type=Path, help="write the table of results into this page")
    parser.add_argument("--jobs", type=int, default=2, help="proofs at a time (2)")
    options = parser.parse_args(arguments)
    try:
        if options.table:
            text_around(options.table, BEGIN, END)
        records = _compare(options.chips or [*preset_names(), *(f"{name}{_TEST}" for name in _TESTED)], options.jobs)
        if options.json:
            options.json.write_text(json.dumps(records, indent=1) + "\n", encoding="utf-8")
        if options.table:
            put_between(options.table, BEGIN, END, "\n".join(_table(records)) + "\n")
    except (InputError, ToolError) as error:
        print(f"prove: {error}", file=sys.stderr)
        return 1 if isinstance(error, ToolError) else 2
    wrong = sum(record["verdict"] != Verdict.HOLDS.value for record in records)
    print(f"{len(records) - wrong} of {len(records)} blocks are equal, {sum(r['seconds'] for r in records):.0f} s")
    return 1 if wrong else 0


def _compare(names: Iterable[str], jobs: int) -> list[Record]:
    """Results of the blocks of chips, each block once; lines on the way."""
    chips: dict[Pair, list[str]] = {}
    records: list[Record] = []
    with ThreadPoolExecutor(jobs) as pool:
        for name in names:
            keys = {"verilog.test": True, "verilog.clock_gate": "module"} if name.endswith(_TEST) else {}
            pairs = list(pairs_of(load_chip(name.removesuffix(_TEST), keys)))
            new = [pair for pair in pairs if pair not in chips]
            for pair in pairs:
                chips.setdefault(pair, []).append(name)
            for pair, proof in zip(new, pool.map(prove, new), strict=True):
                outcome = proof.outcome
                records.append({
                    "block": pair.name, "chips": chips[pair], "method": proof.method, "engine": proof.engine.value,
                    "seconds": round(outcome.seconds, 2), "verdict": outcome.verdict.value, "claim": outcome.claim,
                })
                claim = f" ({outcome.claim})" if outcome.claim else ""
                summary = f"{proof.method} | {outcome.seconds:.1f} s | {outcome.verdict.value}{claim}"
                print(f"{name} | {pair.name} | {summary}", flush=True)
            print(f"{name}: {len(pairs)} blocks, {len(pairs) - len(new)} of them as in chips before", flush=True)
    return records


def _table(records: Sequence[Record]) -> Iterable[str]:
    """The tables of a page: how many blocks of each chip, and each block that does not hold by induction."""
    names = dict.fromkeys(name for record in records for name in record["chips"])
    seconds = sum(record["seconds"] for record in records)
    (yosys, *_) = versions().split(",")
    yield f"{len(records)} blocks, in {seconds:.0f} s of Yosys ({yosys}).\n"
    yield "| chip | blocks | by induction | bounded | without a result | different |\n|---|---|---|---|---|---|"
    for name in names:
        chip_records = [record for record in records if name in record["chips"]]
        holds = [record["engine"] for record in chip_records if record["verdict"] == Verdict.HOLDS.value]
        counts = [len(chip_records), *(holds.count(engine.value) for engine in (Engine.INDUCTION, Engine.BOUNDED))]
        counts += [sum(r["verdict"] == v.value for r in chip_records) for v in (Verdict.UNKNOWN, Verdict.FAILS)]
        yield f"| `{name}` | {' | '.join(map(str, counts))} |"
    best = (Verdict.HOLDS.value, Engine.INDUCTION.value)
    rest = [record for record in records if (record["verdict"], record["engine"]) != best]
    if not rest:
        return
    yield "\nNot by induction:\n\n| block | of | how | s | result |\n|---|---|---|---|---|"
    for record in rest:
        first, *further = record["chips"]
        of = f"`{first}`" + (f" and {len(further)} more" if further else "")
        result = " ".join(filter(None, [record["verdict"], record["claim"] and f"({record['claim']})"]))
        yield f"| `{record['block']}` | {of} | {record['method']} | {record['seconds']:.1f} | {result} |"


if __name__ == "__main__":
    sys.exit(main())
