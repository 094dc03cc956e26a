from typing import cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mho.compiler.calibration.quantisers import Quantiser
from mho.compiler.calibration.trials.candidates import Draft
from mho.compiler.mapping import place
from mho.compiler.mapping.weights import (
    Block,
    PairMap,
    Stack,
    code_value,
    column_loads,
    most_slice_bits,
    share_weights,
    slice_codes,
    spread_rows,
    stack_cells,
)
from mho.compiler.program import DITHER, row_codes
from mho.hw.config import Chip, load_chip
from mho.macro_models import Masks, load_device
from mho.macro_models.cell_map import DifferentialPairs
from mho.macro_models.integer.tnsa.operation import TnsaOperation
from mho.macro_models.tnsa.model import TnsaModel

CHIP = load_chip("tnsa16-core")


def differential(lines: int) -> DifferentialPairs:
    return DifferentialPairs(lines // 2, lines)


def test_pairs_hold_the_weights_within_the_clip() -> None:
    weight = np.array([[1.0, -0.5, 0.0], [0.2, 0.4, -2.0]])
    pairs = PairMap(weight, np.array([1.0, 0.5]), CHIP)
    low, high = CHIP.cells.g_min_uS, CHIP.cells.g_max_uS
    assert pairs.cells[0].min() == pairs.cells[1].min() == low
    assert pairs.cells[0].max() == pairs.cells[1].max() == high
    clipped = weight.copy()
    clipped[1, 2] = -1.0
    np.testing.assert_allclose((pairs.cells[0] - pairs.cells[1])[0, 0] * pairs.unit[0, :, None], clipped)


def test_a_column_without_weights_stays_at_the_floor() -> None:
    pairs = PairMap(np.zeros((1, 3)), np.array([0.5]), CHIP)
    assert (pairs.cells[0] == CHIP.cells.g_min_uS).all()
    assert np.isfinite(pairs.unit).all()


@given(inputs=st.integers(1, 8), extra=st.integers(0, 12), seed=st.integers(0, 99))
def test_spread_keeps_the_product(inputs: int, extra: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    weight, x = rng.normal(size=(3, inputs)) ** 3, rng.normal(size=inputs)
    spread = spread_rows(weight, inputs + extra)
    assert len(spread) == inputs + extra
    assert set(spread) == set(range(inputs))
    np.testing.assert_allclose(share_weights(weight, spread) @ x[spread], weight @ x)


def test_spread_takes_the_largest_weights_apart() -> None:
    # Shares of 8/5, 1 and 2/2: no other eight rows have a smaller largest share.
    assert np.bincount(spread_rows(np.array([[8.0, 1.0, 2.0]]), 8)).tolist() == [5, 1, 2]


def test_codes_times_their_value_are_the_product() -> None:
    """Voltage mode: what the converter divides by, a column's conductance, is multiplied back."""
    rng = np.random.default_rng(0)
    weight, x = rng.normal(size=(5, 8)), rng.integers(-15, 16, size=8)
    (block,) = place([(8, 5)], differential(16), copies=1).blocks
    pairs = PairMap(weight, np.ones(5), CHIP)
    targets = np.full((16, 16), CHIP.cells.g_min_uS, dtype=np.float32)
    pairs.fill(targets, block)
    sums = column_loads(targets, block.rows, block.columns, CHIP)
    op = TnsaOperation(in_bits=5, out_bits=8, step_code=900)
    model = TnsaModel(CHIP.macro_config(), targets, device=load_device("ideal"), seed=0, core=0)
    codes = model.mvm(op, Masks.reset(16), x[None], 0).codes[0, block.columns]
    assert 20 < np.abs(codes).min() < np.abs(codes).max() < 255
    value = code_value(sums, op.step_code, pairs.unit_of(block), CHIP)
    # Half a decrement, and the grid of the cells.
    np.testing.assert_allclose(codes * value, weight @ x, atol=1.1 * value.max())


def test_dither_rounds_the_average_of_copies_finer() -> None:
    """Copies are shifted by fractions of a decrement, so that their average has a finer step than each of them."""
    rng = np.random.default_rng(1)
    weight = rng.normal(size=(3, 5))
    (block,) = place([(5, 3)], differential(16), copies=4).blocks
    assert block.copies == 4
    x = rng.integers(-15, 16, size=(400, 5))
    lost = []
    for dither in (False, True):
        spread = spread_rows(weight, len(block.rows), dither=dither)
        assert (spread == DITHER).sum() == dither
        pairs = PairMap(share_weights(weight, spread), np.ones(3), CHIP)
        targets = np.full((16, 16), CHIP.cells.g_min_uS, dtype=np.float32)
        op = TnsaOperation(in_bits=5, out_bits=6, step_code=6000)
        Draft(cast(Quantiser, None), spread, pairs, op).fill(targets, block)
        model = TnsaModel(CHIP.macro_config(), targets, device=load_device("ideal"), seed=0, core=0)
        masks = Masks.reset(16)
        vectors = np.zeros((400, 8), dtype=np.int16)
        vectors[:, block.rows] = row_codes(x, spread, op)
        codes = model.mvm(op, masks, vectors, 0).codes[:, block.columns]
        sums = column_loads(targets, block.rows, block.columns, CHIP)
        terms = codes * code_value(sums, op.step_code, pairs.unit_of(block), CHIP)
        lost.append((terms.reshape(400, 4, 3).mean(axis=1) - x @ weight.T).std())
    assert lost[1] < 0.5 * lost[0]


@given(top=st.integers(3, 4000), slices=st.integers(1, 4), bits=st.integers(1, 12), seed=st.integers(0, 99))
def test_slices_leave_the_rounding_of_the_last_one(top: int, slices: int, bits: int, seed: int) -> None:
    """Whatever the radix, as long as a slice can hold what rounding in the one above leaves."""
    bits = min(bits, int(np.log2(2 * top)))
    largest = slice_codes(np.array(1e9), top, slices, bits) @ 2.0 ** (-bits * np.arange(slices))
    assert top <= largest <= top * slices
    value = np.append(np.random.default_rng(seed).uniform(-1, 1, 50), [1, -1, 0]) * largest
    codes = slice_codes(value, top, slices, bits)
    assert codes.shape == (slices, 53)
    assert (codes == np.rint(codes)).all()
    assert np.abs(codes).max() <= top
    error = 2.0 ** (-bits * np.arange(slices)) @ codes - value
    assert np.abs(error).max() <= 0.5 * 2.0 ** (-bits * (slices - 1)) * 1.0001


def weight_error(chip: Chip, slices: int) -> float:
    """Root mean square error of weights that a chip's ideal cells hold, relative to the weights'."""
    weight = np.random.default_rng(3).normal(size=(8, 16))
    bits = most_slice_bits(slices, chip) if slices > 1 else 0
    pairs = PairMap(weight, np.ones(8), chip, slices=slices, bits=bits)
    config = chip.macro_config()
    difference = (config.codes(pairs.cells[0][0]).astype(float) - config.codes(pairs.cells[1][0])) * config.lsb_uS
    return float((np.einsum("sor,so->or", difference, pairs.unit) - weight).std() / weight.std())


@pytest.mark.parametrize("g_bits", [4, 6, 8])
def test_each_slice_lessens_the_error_of_weights_by_the_radix(g_bits: int) -> None:
    chip = load_chip("tnsa16-core", [f"core.g_bits={g_bits}"])
    errors = [weight_error(chip, slices) for slices in (1, 2, 3)]
    for slices in (2, 3):
        radix = 2.0 ** most_slice_bits(slices, chip)
        assert errors[slices - 1] < 1.2 * errors[0] / radix ** (slices - 1)


@given(slices=st.integers(2, 4), bits=st.integers(1, 8), seed=st.integers(0, 99))
def test_slices_stay_within_the_range_and_on_the_grid(slices: int, bits: int, seed: int) -> None:
    weight = np.random.default_rng(seed).normal(size=(3, 5)) ** 3
    pairs = PairMap(weight, np.array([1.0, 0.5, 0.1]), CHIP, slices=slices, bits=bits)
    cells = pairs.cells
    low, high = CHIP.cells.g_min_uS, CHIP.cells.g_max_uS
    assert cells.shape == (2, 1, slices, 3, 5)
    assert low <= cells.min() <= cells.max() <= high
    assert cells.max() - cells.min() > 0.99 * (high - low)
    codes = cells / CHIP.macro_config().lsb_uS
    np.testing.assert_allclose(codes, np.rint(codes), atol=1e-9)
    np.testing.assert_allclose(pairs.unit[1:], pairs.unit[:-1] / 2**bits)


@given(seed=st.integers(0, 99), counts=st.lists(st.integers(1, 5), min_size=1, max_size=6), copies=st.integers(1, 5))
def test_stacked_cells_keep_the_sum_of_each_weight(seed: int, counts: list[int], copies: int) -> None:
    rng = np.random.default_rng(seed)
    spread = rng.permutation(np.repeat(np.arange(len(counts)), counts))
    largest = 39.0
    even = rng.uniform(-largest, largest, size=(4, len(counts)))[:, spread]
    stacked = stack_cells(even, spread, largest, copies)
    assert stacked.shape == (copies, *even.shape)
    assert np.abs(stacked).max() <= largest
    for k in range(len(counts)):
        rows = spread == k
        np.testing.assert_allclose(stacked[:, :, rows].sum(axis=(0, 2)), copies * even[:, rows].sum(axis=1))
        # At most one cell of a weight is between nothing and all.
        between = (np.abs(stacked[:, :, rows]) > 1e-9) & (np.abs(stacked[:, :, rows]) < largest - 1e-9)
        assert between.sum(axis=(0, 2)).max() <= 1


@pytest.mark.parametrize("stack", ["rows", "copies"])
def test_stacked_cells_have_less_noise_where_the_middle_of_the_range_scatters(stack: Stack) -> None:
    """Four cells a weight, on two rows and in two columns."""
    chip = load_chip("tnsa64-core")
    device, rng = load_device("rram-neurram"), np.random.default_rng(0)
    weight = rng.normal(size=(16, 15))
    spread = np.repeat(np.arange(15), 2).astype(np.int32)
    block = Block(
        layer=0, core=0, first=0, rows=np.arange(30, dtype=np.int32), columns=np.arange(32, dtype=np.int32),
        outputs=np.tile(np.arange(16, dtype=np.int32), 2), copies=2, wl_select=0, line_select=0,
    )
    spreads = []
    kinds: tuple[Stack, Stack] = ("even", stack)
    for kind in kinds:
        pairs = PairMap(share_weights(weight, spread), np.ones(16), chip, copies=2, stack=kind, spread=spread)
        targets = np.full((64, 64), chip.cells.g_min_uS, dtype=np.float32)
        pairs.fill(targets, block)
        lost = []
        for seed in range(8):
            g = TnsaModel(chip.macro_config(), targets, device=device, seed=seed, core=0, time_s=86_400.0).cells
            moved = (g.astype(float) - chip.macro_config().codes(targets.astype(np.float64)))[:60, :32]
            difference = (moved[0::2] - moved[1::2]).reshape(15, 2, 2, 16).sum(axis=(1, 2))
            lost.append(difference - difference.mean())
        spreads.append(np.std(lost))
    assert spreads[1] < 0.85 * spreads[0]


def test_a_dither_row_takes_a_constant_in_each_segment() -> None:
    spread, codes = np.array([0, 0, 1, DITHER], dtype=np.int32), np.array([[3, -7]], dtype=np.int16)
    assert row_codes(codes, spread, TnsaOperation(in_bits=5)).tolist() == [[3, 3, -7, 1]]
    assert row_codes(codes, spread, TnsaOperation(in_bits=8)).tolist() == [[3, 3, -7, 17]]
