"""Signed weights in pairs of cells: where they are, what they hold, and what faulty cells leave of them."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mho.macro_models.cell_map import ColumnPairs, DifferentialPairs

SEEDS = st.integers(0, 2**32 - 1)
LOW, HIGH = 1.0, 41.0


def test_pairs_hold_the_weight_and_the_floor() -> None:
    cell_map, targets = DifferentialPairs(2, 2), np.empty((4, 2))
    difference = np.array([[10.0, -20.0], [0.0, 40.0]])
    cell_map.put(targets, np.arange(2), np.arange(2), cell_map.split(difference, LOW, HIGH))
    assert targets.tolist() == [[11.0, 1.0], [1.0, 21.0], [1.0, 41.0], [1.0, 1.0]]
    assert cell_map.top(LOW, HIGH) == 40.0


@given(seed=SEEDS)
def test_a_block_goes_where_it_is_taken_from_and_nowhere_else(seed: int) -> None:
    rng = np.random.default_rng(seed)
    kind = ColumnPairs if rng.integers(2) else DifferentialPairs
    cell_map = kind(int(rng.integers(1, 9)), int(rng.integers(1, 9)))
    rows, columns = (np.flatnonzero(rng.random(n) < 0.6) for n in (cell_map.rows, cell_map.columns))
    cells, before = rng.random((cell_map.cells, len(rows), len(columns))), rng.random(cell_map.shape)
    after = before.copy()
    cell_map.put(after, rows, columns, cells)
    assert np.array_equal(cell_map.take(after, rows, columns), cells)
    mine = np.zeros(cell_map.shape, dtype=bool)
    mine[np.ix_(cell_map.lines_of(rows).ravel(), cell_map.converted_of(columns).ravel())] = True
    assert np.array_equal(after[~mine], before[~mine])
    counted = np.zeros(cell_map.rows, dtype=int)
    counted[rows] = cell_map.cells * len(columns)
    assert np.array_equal(cell_map.per_row(mine.sum(axis=1)), counted)
    counted = np.zeros(cell_map.columns, dtype=int)
    counted[columns] = cell_map.cells * len(rows)
    assert np.array_equal(cell_map.per_column(mine.sum(axis=0)), counted)


def test_every_line_has_one_row() -> None:
    cell_map = DifferentialPairs(8, 16)
    assert np.sort(cell_map.lines_of(np.arange(8)).ravel()).tolist() == list(range(16))
    assert cell_map.lines_of([3]).ravel().tolist() == [6, 7]
    assert cell_map.shape == (16, 16)


def test_every_line_has_one_column() -> None:
    cell_map = ColumnPairs(16, 8, absent_converted=(5, 6))
    assert np.sort(cell_map.converted_of(np.arange(8)).ravel()).tolist() == list(range(16))
    assert cell_map.converted_of([3]).ravel().tolist() == [6, 7]
    assert cell_map.shape == (16, 16)
    assert cell_map.there == (16, 6)  # columns 2 and 3 have lost a line each


@given(seed=SEEDS)
def test_faulty_cells_leave_what_reach_says(seed: int) -> None:
    rng = np.random.default_rng(seed)
    cell_map = DifferentialPairs(3, 4)
    faulty = np.where(rng.random((2, 3, 4)) < 0.5, rng.uniform(0.0, 50.0, (2, 3, 4)), np.nan)
    lowest, highest = cell_map.reach(faulty, LOW, HIGH)
    differences = np.clip(rng.uniform(-50.0, 50.0, (3, 4)), lowest, highest)
    cells = cell_map.split_around(differences, faulty, LOW, HIGH)
    np.testing.assert_allclose(cell_map.join(cells), differences, atol=1e-12)
    sound = np.isnan(faulty)
    assert np.array_equal(cells[~sound], faulty[~sound])
    assert ((cells[sound] >= LOW) & (cells[sound] <= HIGH)).all()
