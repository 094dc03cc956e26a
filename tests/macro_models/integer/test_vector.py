import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mho.macro_models.integer.operation import MvmOperation
from mho.macro_models.integer.tnsa.operation import TnsaOperation
from mho.macro_models.integer.vector import (
    LANE_MAX,
    MULTIPLIER_MAX,
    Encode,
    LeafSum,
    Requantise,
    Root,
    WeightedSum,
    check_headroom,
    largest_code,
    scale_leaf,
    sum_leaves,
)

LANES = hnp.arrays(np.int16, (3, 5), elements=st.integers(-LANE_MAX, LANE_MAX))


def wrap16(value: int) -> int:
    return (value + 2**15) % 2**16 - 2**15


@given(
    codes=hnp.arrays(np.int16, (3, 5), elements=st.integers(-4335, 4335)),
    multiplier=hnp.arrays(np.int32, 5, elements=st.integers(0, MULTIPLIER_MAX)),
    shift=st.integers(0, 31),
)
def test_leaf_is_python_arithmetic(codes: np.ndarray, multiplier: np.ndarray, shift: int) -> None:
    half = (1 << shift) >> 1
    expected = [
        [wrap16((int(c) * int(m) + half) >> shift) for c, m in zip(row, multiplier, strict=True)] for row in codes
    ]
    assert scale_leaf(codes, multiplier, shift).tolist() == expected


@given(
    data=st.data(),
    counts=st.lists(st.integers(1, 6), min_size=1, max_size=4),
)
def test_sum_wraps_and_does_not_depend_on_the_order(data: st.DataObject, counts: list[int]) -> None:
    leaves = []
    total = [[0] * 3 for _ in range(2)]
    for count in counts:
        values = data.draw(hnp.arrays(np.int16, (2, count)))
        target = data.draw(hnp.arrays(np.int32, count, elements=st.integers(0, 2)))
        leaves.append((values, target))
        for b in range(2):
            for v, t in zip(values[b], target, strict=True):
                total[b][t] += int(v)
    expected = [[wrap16(v) for v in row] for row in total]
    assert sum_leaves(leaves, 3).tolist() == expected
    assert sum_leaves(leaves[::-1], 3).tolist() == expected


@given(
    data=st.data(), count=st.integers(1, 4), turns=st.integers(1, 7), shift=st.integers(0, 31),
    top=st.sampled_from([255, LANE_MAX]), kind=st.sampled_from([np.int16, np.int64]),
)
@pytest.mark.parametrize("tiled", [True, False])
def test_leaves_are_added_as_one_by_one(
    data: st.DataObject, tiled: bool, kind: type, top: int, count: int, turns: int, shift: int
) -> None:
    outputs = np.tile(np.arange(2, 2 + count), turns)
    outputs = outputs if tiled else np.array(data.draw(st.permutations(outputs.tolist())))
    n = len(outputs)
    multiplier = data.draw(hnp.arrays(np.int32, n, elements=st.integers(0, MULTIPLIER_MAX)))
    codes = data.draw(hnp.arrays(kind, (2, n), elements=st.sampled_from([-top, top]) | st.integers(-top, top)))
    total = data.draw(hnp.arrays(np.int16, (2, count + 3)))
    expected = [[int(v) for v in row] for row in total]
    for b in range(2):
        for j, output in enumerate(outputs.tolist()):
            expected[b][output] += rounded(int(codes[b, j]) * int(multiplier[j]), shift)
    LeafSum(multiplier, outputs, shift).add(total, codes)
    assert total.tolist() == [[wrap16(v) for v in row] for row in expected]


@pytest.mark.parametrize("kind", [np.int16, np.int64])
@pytest.mark.parametrize(("multiplier", "shift"), [(MULTIPLIER_MAX, 31), (32766, 31), (MULTIPLIER_MAX, 17)])
@pytest.mark.parametrize("code", [LANE_MAX, -LANE_MAX])
def test_the_largest_product_fits_in_32_bits(kind: type, multiplier: int, shift: int, code: int) -> None:
    total = np.zeros((1, 1), dtype=np.int16)
    LeafSum(np.array([multiplier]), np.zeros(1, np.int64), shift).add(total, np.array([[code]], dtype=kind))
    assert total[0, 0] == wrap16(rounded(code * multiplier, shift))


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize(
    "requantise", [None, Requantise(shift=4, low=0, high=15), Requantise(shift=0, low=-127, high=127)]
)
def test_root(relu: bool, requantise: Requantise | None) -> None:
    total = np.arange(-1000, 1000, 7, dtype=np.int16)[:, None]
    lanes = [int(v) - 24 for v in total[:, 0]]
    if relu:
        lanes = [max(v, 0) for v in lanes]
    if requantise is not None:
        half = (1 << requantise.shift) >> 1
        lanes = [min(max((v + half) >> requantise.shift, requantise.low), requantise.high) for v in lanes]
    root = Root(bias=np.array([-24], dtype=np.int16), relu=relu, requantise=requantise)
    assert root.compute(total)[:, 0].tolist() == lanes


@pytest.mark.parametrize(
    ("op", "largest"),
    [
        (TnsaOperation(in_bits=4, out_bits=8), 255),
        (TnsaOperation(in_bits=4, out_bits=6), 63),
        (TnsaOperation(in_bits=8, out_bits=8), 16 * 255 + 255),
        (TnsaOperation(in_bits=8, out_bits=1), 17),
    ],
)
def test_largest_code(op: MvmOperation, largest: int) -> None:
    assert largest_code(op) == largest


def test_headroom_is_the_worst_sum_of_all_leaves() -> None:
    multiplier, target = np.array([100, 200]), np.array([0, 1])
    leaf = (255, multiplier, target)
    assert check_headroom([leaf, leaf], 4, np.array([7, -9])).tolist() == [
        2 * ((255 * 100 + 8) >> 4) + 7,
        2 * ((255 * 200 + 8) >> 4) + 9,
    ]
    with pytest.raises(ValueError, match="a lane can reach 32768, which exceeds 16 bits"):
        check_headroom([(1, np.array([LANE_MAX]), np.array([0]))], 0, np.array([1]))
    zero = np.array([0])
    assert check_headroom([(1, np.array([LANE_MAX]), zero)], 0, zero).tolist() == [LANE_MAX]
    assert check_headroom([(2**17 - 1, np.array([2**14]), zero)], 31, zero).tolist() == [1]
    with pytest.raises(ValueError, match="exceeds 32 bits"):
        check_headroom([(2**17, np.array([2**14]), zero)], 31, zero)
    with pytest.raises(ValueError, match="exceeds 32 bits"):
        check_headroom([(2**17, np.array([MULTIPLIER_MAX]), np.array([0]))], 31, np.array([0]))


def rounded(value: int, shift: int) -> int:
    return (value + ((1 << shift) >> 1)) >> shift


@given(
    lanes=LANES,
    offset=hnp.arrays(np.int16, 5),
    multiplier=hnp.arrays(np.int32, 5, elements=st.integers(0, LANE_MAX)),
    shift=st.integers(0, 31),
)
def test_encode_is_python_arithmetic(lanes: np.ndarray, offset: np.ndarray, multiplier: np.ndarray, shift: int) -> None:
    op = Encode(offset=offset, multiplier=multiplier, shift=shift, low=-15, high=15)
    for row, got in zip(lanes, op.compute(lanes), strict=True):
        for v, o, m, code in zip(row, offset, multiplier, got, strict=True):
            assert code == min(max(rounded((int(v) - int(o)) * int(m), shift), -15), 15)


@settings(max_examples=40)
@given(
    lanes=LANES,
    index=hnp.arrays(np.int32, (4, 3), elements=st.integers(-1, 4)),
    multiplier=hnp.arrays(np.int32, (4, 3), elements=st.integers(-LANE_MAX, LANE_MAX)),
    shift=st.integers(0, 31),
    offset=hnp.arrays(np.int32, 4, elements=st.integers(-(2**16), 2**16)),
)
def test_weighted_sum_is_python_arithmetic(
    lanes: np.ndarray, index: np.ndarray, multiplier: np.ndarray, shift: int, offset: np.ndarray
) -> None:
    op = WeightedSum(index=index, multiplier=multiplier, shift=shift, offset=offset)
    for row, got in zip(lanes, op.compute(lanes), strict=True):
        for k in range(4):
            total = sum(int(row[i]) * int(m) for i, m in zip(index[k], multiplier[k], strict=True) if i >= 0)
            assert got[k] == min(max(rounded(total, shift) + int(offset[k]), -LANE_MAX), LANE_MAX)


def test_weighted_sum_that_exceeds_32_bits() -> None:
    op = WeightedSum(
        index=np.zeros((1, 3), np.int32), multiplier=np.full((1, 3), LANE_MAX), shift=0, offset=np.zeros(1, np.int32)
    )
    with pytest.raises(ValueError, match="exceeds 32 bits"):
        op.check()


@given(
    lanes=LANES,
    offset=hnp.arrays(np.int16, 5),
    multiplier=hnp.arrays(np.int32, 5, elements=st.integers(0, LANE_MAX)),
    shift=st.integers(0, 31),
    ends=st.sampled_from([(-15, 15), (0, 15), (0, 1), (-127, 127)]),
)
def test_encode_counts_what_it_clips(
    lanes: np.ndarray, offset: np.ndarray, multiplier: np.ndarray, shift: int, ends: tuple[int, int]
) -> None:
    op = Encode(offset=offset, multiplier=multiplier, shift=shift, low=ends[0], high=ends[1])
    free = [
        rounded((int(v) - int(o)) * int(m), shift)
        for row in lanes for v, o, m in zip(row, offset, multiplier, strict=True)
    ]
    for kind in (np.int16, np.int64):  # in compiled loops, and without them
        codes, clipped = op.compute_counted(lanes.astype(kind))
        assert clipped == sum(not ends[0] <= code <= ends[1] for code in free)
        assert codes.ravel().tolist() == [min(max(code, ends[0]), ends[1]) for code in free]


@given(
    total=hnp.arrays(np.int16, (3, 5), elements=st.integers(-20_000, 20_000)),
    bias=hnp.arrays(np.int16, 5, elements=st.integers(-10_000, 10_000)),
    shift=st.integers(0, 12),
)
def test_root_counts_what_is_too_large(total: np.ndarray, bias: np.ndarray, shift: int) -> None:
    root = Root(bias=bias, relu=False, requantise=Requantise(shift=shift, low=-7, high=7))
    free = [rounded(int(v) + int(b), shift) for row in total for v, b in zip(row, bias, strict=True)]
    codes, clipped = root.compute_counted(total)
    assert clipped == sum(code > 7 for code in free)
    assert codes.tolist() == np.clip(free, -7, 7).reshape(3, 5).tolist()
    assert Root(bias=bias, relu=True, requantise=None).compute_counted(total)[1] == 0


@given(count=st.integers(1, 20), turns=st.integers(1, 5), shift=st.integers(0, 31), seed=st.integers(0, 999))
def test_leaves_of_many_columns_are_those_of_each(count: int, turns: int, shift: int, seed: int) -> None:
    """Of any codes and multipliers, whose sums wrap around."""
    rng = np.random.default_rng(seed)
    top = largest_code(TnsaOperation(in_bits=8))
    codes = rng.integers(-top, top + 1, (7, count * turns)).astype(np.int16)
    multiplier = rng.integers(0, 2**15, count * turns)
    first = int(rng.integers(0, 3))
    outputs = np.tile(np.arange(first, first + count), turns)
    total = rng.integers(-(2**15), 2**15, (7, first + count + 1)).astype(np.int16)
    expected = total + sum_leaves([(scale_leaf(codes, multiplier, shift), outputs)], total.shape[1])
    LeafSum(multiplier, outputs, shift).add(total, codes)
    np.testing.assert_array_equal(total, expected)
