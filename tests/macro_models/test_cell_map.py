"""Signed weights in pairs of cells: where they are, what they hold, and what faulty cells leave of them."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mho.macro_models.cell_map import ColumnPairs, DifferentialPairs

SEEDS = st.integers(0, 2**32 - 1)
LOW, HIGH = 1.0, 41.0


def test_pairs_hold_the_weight_and_the_floor() -> None:
    held, targets = DifferentialPairs(2, 2), np.empty((4, 2))
    difference = np.array([[10.0, -20.0], [0.0, 40.0]])
    held.put(targets, np.arange(2), np.arange(2), held.split(difference, LOW, HIGH))
    assert targets.tolist() == [[11.0, 1.0], [1.0, 21.0], [1.0, 41.0], [1.0, 1.0]]
    assert held.top(LOW, HIGH) == 40.0


@given(seed=SEEDS)
def test_a_block_goes_where_it_is_taken_from_and_nowhere_else(seed: int) -> None:
    rng = np.random.default_rng(seed)
    kind = ColumnPairs if rng.integers(2) else DifferentialPairs
    held = kind(int(rng.integers(1, 9)), int(rng.integers(1, 9)))
    rows, columns = (np.flatnonzero(rng.random(n) < 0.6) for n in (held.rows, held.columns))
    cells, before = rng.random((held.cells, len(rows), len(columns))), rng.random(held.shape)
    after = before.copy()
    held.put(after, rows, columns, cells)
    assert np.array_equal(held.take(after, rows, columns), cells)
    mine = np.zeros(held.shape, dtype=bool)
    mine[np.ix_(held.lines_of(rows).ravel(), held.converted_of(columns).ravel())] = True
    assert np.array_equal(after[~mine], before[~mine])
    counted = np.zeros(held.rows, dtype=int)
    counted[rows] = held.cells * len(columns)
    assert np.array_equal(held.per_row(mine.sum(axis=1)), counted)
    counted = np.zeros(held.columns, dtype=int)
    counted[columns] = held.cells * len(rows)
    assert np.array_equal(held.per_column(mine.sum(axis=0)), counted)


def test_every_line_has_one_row() -> None:
    held = DifferentialPairs(8, 16)
    assert np.sort(held.lines_of(np.arange(8)).ravel()).tolist() == list(range(16))
    assert held.lines_of([3]).ravel().tolist() == [6, 7]
    assert held.shape == (16, 16)


def test_every_line_has_one_column() -> None:
    held = ColumnPairs(16, 8, absent_converted=(5, 6))
    assert np.sort(held.converted_of(np.arange(8)).ravel()).tolist() == list(range(16))
    assert held.converted_of([3]).ravel().tolist() == [6, 7]
    assert held.shape == (16, 16)
    assert held.there == (16, 6)  # columns 2 and 3 have lost a line each


@given(seed=SEEDS)
def test_faulty_cells_leave_what_reach_says(seed: int) -> None:
    rng = np.random.default_rng(seed)
    held = DifferentialPairs(3, 4)
    faulty = np.where(rng.random((2, 3, 4)) < 0.5, rng.uniform(0.0, 50.0, (2, 3, 4)), np.nan)
    least, most = held.reach(faulty, LOW, HIGH)
    wanted = np.clip(rng.uniform(-50.0, 50.0, (3, 4)), least, most)
    cells = held.split_around(wanted, faulty, LOW, HIGH)
    np.testing.assert_allclose(held.join(cells), wanted, atol=1e-12)
    sound = np.isnan(faulty)
    assert np.array_equal(cells[~sound], faulty[~sound])
    assert ((cells[sound] >= LOW) & (cells[sound] <= HIGH)).all()
