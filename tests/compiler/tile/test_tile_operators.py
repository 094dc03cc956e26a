"""Every operator on tiles: the same lanes as everywhere else; the page says what of it the host does."""

import pytest

from mho.compiler.importer.operators import OPERATORS
from tests.compiler.importer.operator_table import GROUPS
from tests.compiler.tile.operators_on_tiles import RUNS, outcome, rows

_LONG = ("abbreviations", "digital", "host", "moves", "table")


def test_the_page_has_every_operator() -> None:
    texts = rows()
    assert set(texts) == {name for _, operators in OPERATORS.values() for name in operators}
    place = {name for names in GROUPS.values() for name in names}
    assert all(texts[name].startswith(RUNS) for name in place)
    assert sum(texts[name] == RUNS for name in place) > 100


@pytest.mark.slow
@pytest.mark.parametrize("group", [
    pytest.param(group, marks=pytest.mark.long) if group in _LONG else group for group in GROUPS
])
def test_operators_on_tiles(group: str) -> None:
    # Where this fails: python -m tests.compiler.tile.operators_on_tiles
    texts = rows()
    assert {name: outcome(name) for name in GROUPS[group]} == {name: texts[name] for name in GROUPS[group]}
