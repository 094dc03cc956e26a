"""Weights that live with faulty cells."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mho.compiler.mapping import place
from mho.compiler.mapping.faults import CoreFaults, arrange_rows, compensate
from mho.compiler.mapping.weights import Block
from mho.macro_models.cell_map import DifferentialPairs

LOW, HIGH, LINES = 1.0, 40.0, 32


def pairs(lines: int) -> DifferentialPairs:
    return DifferentialPairs(lines // 2, lines)


def some_faults(rng: np.random.Generator, share: float, values: tuple[float, ...] = (0.0, 40.0)) -> CoreFaults:
    g = np.where(rng.random((LINES, LINES)) < share, rng.choice(values, size=(LINES, LINES)), np.nan)
    none = np.zeros(LINES, dtype=bool)
    return CoreFaults(rows=none, columns=none.copy(), g_uS=g)


def fill(block: Block, weights: np.ndarray) -> np.ndarray:
    """Targets of a block for differences of shape (rows, columns)."""
    targets = np.full((LINES, LINES), LOW, dtype=np.float32)
    targets[np.ix_(2 * block.rows, block.columns)] += np.maximum(weights, 0).astype(np.float32)
    targets[np.ix_(2 * block.rows + 1, block.columns)] += np.maximum(-weights, 0).astype(np.float32)
    return targets


def differences(block: Block, targets: np.ndarray) -> np.ndarray:
    return (targets[np.ix_(2 * block.rows, block.columns)] - targets[np.ix_(2 * block.rows + 1, block.columns)]).astype(
        float
    )


def block_of(inputs: int, outputs: int, copies: int = 1) -> Block:
    (block,) = place([(inputs, outputs)], pairs(LINES), copies=copies).blocks
    return replace(block, rows=block.rows[:inputs]) if copies == 1 else block


@given(seed=st.integers(0, 200), share=st.floats(0.0, 0.3), copies=st.integers(1, 4))
def test_targets_are_what_cells_can_be(seed: int, share: float, copies: int) -> None:
    """Faulty cells keep what they hold, sound ones stay in range, and no sum is further off than it was."""
    rng = np.random.default_rng(seed)
    block, faults = block_of(6, 6, copies), some_faults(rng, share)
    spread = rng.integers(0, 3, len(block.rows)).astype(np.int32)
    weights = rng.uniform(-30, 30, (len(block.rows), len(block.columns)))
    targets = fill(block, weights)
    before = targets.copy()
    compensate(targets, block, spread, faults, pairs(LINES), LOW, HIGH)
    stuck = np.zeros((LINES, LINES), dtype=bool)
    stuck[np.ix_(np.concatenate([2 * block.rows, 2 * block.rows + 1]), block.columns)] = True
    stuck &= ~np.isnan(faults.g_uS)
    assert np.array_equal(targets[stuck], faults.g_uS[stuck].astype(np.float32))
    assert ((targets[~stuck] >= LOW - 1e-4) & (targets[~stuck] <= HIGH + 1e-4)).all()
    assert np.array_equal(targets, before) or stuck.any()
    unrepaired = np.where(stuck, faults.g_uS, before)
    sums = _sums(block, spread, differences(block, before))
    assert np.abs(_sums(block, spread, differences(block, targets)) - sums).max() <= (
        np.abs(_sums(block, spread, differences(block, unrepaired)) - sums).max() + 1e-3
    )


def _sums(block: Block, spread: np.ndarray, got: np.ndarray) -> np.ndarray:
    """What each input gives each output, all rows and copies together."""
    result = np.zeros((3, 6))
    np.add.at(result, (spread[:, None], block.outputs[None, :]), got)
    return result


def test_the_partner_makes_up_for_a_stuck_cell() -> None:
    block, faults = block_of(2, 2), some_faults(np.random.default_rng(0), 0.0)
    faults.g_uS[2 * block.rows[0], block.columns[0]] = 20.0
    targets = fill(block, np.array([[-5.0, 1.0], [2.0, 3.0]]))
    compensate(targets, block, np.arange(2, dtype=np.int32), faults, pairs(LINES), LOW, HIGH)
    assert targets[2 * block.rows[0], block.columns[0]] == 20.0
    assert targets[2 * block.rows[0] + 1, block.columns[0]] == 25.0
    assert np.allclose(differences(block, targets), [[-5.0, 1.0], [2.0, 3.0]])


def test_other_rows_and_copies_make_up_for_a_pair_that_cannot() -> None:
    block = block_of(4, 3, 2)
    assert block.copies == 2
    rows, columns = len(block.rows), len(block.columns)
    faults = some_faults(np.random.default_rng(0), 0.0)
    # A pair that cannot be below 0, and its twin in the other copy is sound.
    faults.g_uS[2 * block.rows[0], block.columns[0]] = HIGH
    alone = np.arange(rows, dtype=np.int32)
    targets = fill(block, np.full((rows, columns), -10.0))
    compensate(targets, block, alone, faults, pairs(LINES), LOW, HIGH)
    got = differences(block, targets)
    assert got[0, 0] == 0.0
    assert got[0, 3] == pytest.approx(-20.0)
    # With a second row of the same input, that row does it, and the other copy is left as it was.
    shared = np.concatenate([[0, 0], np.arange(1, rows - 1)]).astype(np.int32)
    targets = fill(block, np.full((rows, columns), -10.0))
    compensate(targets, block, shared, faults, pairs(LINES), LOW, HIGH)
    got = differences(block, targets)
    assert got[:2, 0].tolist() == pytest.approx([0.0, -20.0])
    assert got[0, 3] == -10.0


def test_rows_go_where_faults_do_least() -> None:
    block, faults = block_of(3, 2), some_faults(np.random.default_rng(0), 0.0)
    faults.g_uS[2 * block.rows[0], block.columns[1]] = HIGH  # no negative weight
    weights = np.array([[-9.0, 1.0, 1.0], [-8.0, 5.0, -20.0]])
    order = arrange_rows([(block, weights)], {0: faults}, pairs(LINES), LOW, HIGH)
    assert order[0] == 1
    assert sorted(order.tolist()) == [0, 1, 2]
    assert arrange_rows([(block, weights)], {1: faults}, pairs(LINES), LOW, HIGH).tolist() == [0, 1, 2]


def test_dead_lines_are_skipped_and_bad_ones_come_last() -> None:
    faults = some_faults(np.random.default_rng(0), 0.0)
    faults.rows[4], faults.columns[3] = True, True
    faults.g_uS[0, :5] = 0.0  # row pair 0
    faults.g_uS[9, 6] = 0.0  # row pair 4, column 6
    placement = place([(12, 20)], pairs(LINES), copies=1, faults={0: faults})
    (block,) = placement.blocks
    assert 2 not in block.rows
    assert 0 not in block.rows
    assert 3 not in block.columns
    assert {0, 1, 2, 4, 6}.isdisjoint(block.columns)
    bit, source = placement.dead_lines(0)
    assert np.flatnonzero(bit).tolist() == [4]
    assert np.flatnonzero(source).tolist() == [3]
