"""Results of proofs in a file, and the table of a page."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mho.macro_models.errors import InputError
from mho.sim.page import put_between, text_around

__all__ = ["BEGIN", "END", "merge", "write_table"]

BEGIN, END = "<!-- begin: ./run prove --table -->", "<!-- end -->"
"""What the table stands between in a page."""

Record = dict[str, Any]


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
    now, held = sources(), {}
    if file.exists():
        try:
            before = json.loads(file.read_text(encoding="utf-8"))
            held = {_key(record): record for record in before["results"] if before["sources"] == now}
        except (ValueError, KeyError, TypeError):
            raise InputError(f"{file} must hold results of ./run prove --json, or not be there") from None
    held |= {_key(record): record for record in records}
    merged = [held[key] for key in order if key in held]
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
    rows = [
        f"{right} of {count} came out as they must, in {seconds:.0f} s of Yosys and the solver ({tools}).\n",
        "| what | of | how | s | result |\n|---|---|---|---|---|",
        *(f"| {r['name']} | {r['of']} | {r['method']} | {r['seconds']:.1f} | {r['result']} |" for r in records),
    ]
    put_between(page, BEGIN, END, "\n".join(rows) + "\n")
