"""Parameters of vector operations: one row where all elements are alike, some where they come again."""

import numpy as np
import pytest

from mho.compiler.tile.lowering.vectors import rows, took


@pytest.mark.parametrize(("multipliers", "period"), [
    ([5] * 40, 1), ([1, 2, 3] * 40, 24), ([1, 2, 3, 4] * 10, 8), ([1, 2, 3] * 8, 24), (list(range(40)), 40),
])
def test_parameters_end_where_they_begin_anew(multipliers: list[int], period: int) -> None:
    repeated = took(rows(multipliers), rows(multipliers, d=1), kind="sum")
    assert repeated.period == period
    assert repeated.parameters is not None
    first, second = np.split(repeated.parameters, 2)
    expected = rows(multipliers)
    np.testing.assert_array_equal(np.resize(first, expected.shape), expected)
    np.testing.assert_array_equal(np.resize(second, expected.shape), rows(multipliers, d=1))


def test_parameters_of_all_sources_begin_anew_together() -> None:
    assert took(rows([1, 2, 3] * 40), rows(np.arange(120))).period == 120
