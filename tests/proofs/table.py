"""Results of proofs in a file, and the table of a page."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from mho.macro_models.errors import InputError
from tests.page import put_between, text_around

__all__ = ["BEGIN", "END", "FAULT", "merge", "rows_of", "write_table"]

BEGIN, END = "<!-- begin: ./run prove --table -->", "<!-- end -->"
"""What the table stands between in a page."""

FAULT = "with a line changed so that "
"""How the name of a claim begins that must fail, because a fault was planted."""

Record = dict[str, Any]

_USUAL = "induction, 1 cycle; holds"


def sources() -> str:
    """Digest of all that results depend on here: the hardware and the claims."""
    digest = hashlib.sha256()
    root = Path(__file__).parents[2]
    for folder in ("hw/noc", "hw/tile", "tests/proofs"):
        for path in sorted((root / folder).rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()


def merge(file: Path, records: Sequence[Record], order: Sequence[tuple[str, str]]) -> list[Record]:
    """Write results into a file beside those that it has, if these are of the same hardware and claims.

    Parameters
    ----------
    file
        The file.
    records
        New results.
    order
        Names and subjects of all properties.

    Returns
    -------
    list of dict
        What is in the file now.

    Raises
    ------
    InputError
        If the file holds something else.
    """
    now, results = sources(), {}
    if file.exists():
        try:
            before = json.loads(file.read_text(encoding="utf-8"))
            results = {_key(record): record for record in before["results"] if before["sources"] == now}
        except (ValueError, KeyError, TypeError):
            raise InputError(f"{file} must hold results of ./run prove --json, or not be there") from None
    results |= {_key(record): record for record in records}
    merged = [results[key] for key in order if key in results]
    file.write_text(json.dumps({"sources": now, "results": merged}, indent=1) + "\n", encoding="utf-8")
    return merged


def _key(record: Record) -> tuple[str, str]:
    return record["name"], record["of"]


def write_table(page: Path, records: Sequence[Record], count: int, tools: str) -> None:
    """Write the table into a page, between its two marks.

    Parameters
    ----------
    page
        The page.
    records
        Results.
    count
        Number of all properties.
    tools
        Names and versions of the tools.

    Raises
    ------
    InputError
        If the page has not the two marks, or a property has no result.
    """
    text_around(page, BEGIN, END)
    if len(records) != count:
        raise InputError(f"{page} must have all {count} properties, but {count - len(records)} have no result yet")
    right = sum(record["right"] for record in records)
    seconds = sum(record["seconds"] for record in records)
    head = f"{right} of {count} came out as they must, in {seconds:.0f} s of Yosys and the solver ({tools}).\n"
    put_between(page, BEGIN, END, "\n".join([head, *rows_of(records)]) + "\n")


def rows_of(records: Sequence[Record]) -> Iterator[str]:
    """Rows of the table: a claim with all that it was proven of, and one row for all planted faults.

    What holds by induction of one cycle, as most does, has an empty third cell.
    """
    yield "| what | of | |\n|---|---|---|"
    claims: dict[tuple[str, str], list[str]] = {}
    for record in records:
        name, how = record["name"], f"{method_of(record)}; {record['result']}"
        if name.startswith(FAULT):
            name, how = "a claim fails where a line of the hardware is changed", "bounded"
        of = record["of"].partition(".")[0] if record["name"].startswith(FAULT) else record["of"]
        claims.setdefault((name, "" if how == _USUAL else how.removesuffix("; holds")), []).append(of)
    for (name, how), subjects in claims.items():
        yield f"| {name} | {'; '.join(_folded(subjects))} | {how} |"


def method_of(record: Record) -> str:
    """How a claim was proven; without numbers of cases that differ between its subjects."""
    return "all cases" if record["method"].startswith("all ") else record["method"]


def _folded(subjects: Iterable[str]) -> Iterator[str]:
    """Subjects that differ in their last part as one, with these parts side by side."""
    parts: dict[str, dict[str, int]] = {}
    for subject in subjects:
        first, _, last = subject.rpartition(", ")
        counts = parts.setdefault(first, {})
        counts[last] = counts.get(last, 0) + 1
    for first, counts in parts.items():
        last = " / ".join(part if count == 1 else f"{part} ({count})" for part, count in counts.items())
        yield f"{first}, {last}" if first else last
