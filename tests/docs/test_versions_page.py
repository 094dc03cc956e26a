"""The numbers on the page of versions are those of the code."""

import re
import tomllib

from mho.compiler.network.network import FORMAT, TILES_FORMAT
from mho.hw.config.tree import SCHEMA
from mho.hw.tile.isa.program import _VERSION
from mho.sim.programming import instance
from mho.version import JSON_FORMAT
from tests.docs.pages import DOCS, ROOT

PAGE = (DOCS / "reference" / "versions.md").read_text(encoding="utf-8")


def number(row: str) -> str:
    """What the second column says."""
    (cell,) = re.findall(rf"^\| {row}[^|]* \| ([^|]*) \|", PAGE, re.MULTILINE)
    return cell


def test_numbers_are_those_of_the_code() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert number("package").startswith(f"`{project['version']}`")
    assert number("chip description").startswith(f"`schema = {SCHEMA}`")
    assert number("network file").startswith(f"{FORMAT}; {TILES_FORMAT} with")
    assert number("cells") == str(instance.FORMAT)
    assert number("programs") == str(_VERSION)
    assert number("results") == f'`"format": {JSON_FORMAT}`'
