"""Every operator on tiles: the same lanes as everywhere else, or one sentence; the page says which."""

import pytest

from compiler.importer.operators import OPERATORS
from tests.compiler.importer.operator_table import GROUPS
from tests.compiler.tile.operators_on_tiles import RUNS, outcome, rows

_LONG = ("abbreviations", "digital", "host", "moves", "table")
MOST = 200
"""Characters of a sentence."""


def test_the_page_has_every_operator() -> None:
    told = rows()
    assert set(told) == {name for _, operators in OPERATORS.values() for name in operators}
    assert sum(what == RUNS for what in told.values()) > 100
    assert all(len(what) <= MOST for what in told.values())


@pytest.mark.slow
@pytest.mark.parametrize("group", [
    pytest.param(group, marks=pytest.mark.long) if group in _LONG else group for group in GROUPS
])
def test_operators_on_tiles(group: str) -> None:
    # Where this fails: python -m tests.compiler.tile.operators_on_tiles
    told = rows()
    assert {name: outcome(name) for name in GROUPS[group]} == {name: told[name] for name in GROUPS[group]}
