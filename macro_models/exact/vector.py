"""The integer arithmetic between two matrix-vector products, bit by bit: the reference of a tile's vector unit.

Cores differ in the scales of their columns, so a core's codes are first brought to a scale that its layer shares (the
*leaf*), then added with wrap-around (associative, so that any tree of additions gives the same sum), then finished (the
*root*): bias, ReLU, and, where the value that is made is one of codes, requantisation. Everything else that is done to
a value, element by element, is here too: :class:`Encode`, :class:`WeightedSum`, :class:`Limit`, :class:`Table`,
:class:`Largest`, :class:`Select`, :class:`Product`.

Leaf, root, encode, weighted sum, limit and the argument of a table are instances of one formula,

    ``clip(((sum_k (a_k - c) m_k) >> s) + d, low, high)``,    ``>>`` rounding half up,

which :func:`finish` ends:

============  ==============  =====================  =====  =======  ====================================
operation     a               c, m                   s      d        low, high
============  ==============  =====================  =====  =======  ====================================
leaf          code            0, multiplier          shift  0        none: :func:`check_headroom` proves it
root          sum of leaves   -bias, 1               shift  0        codes, or from 0 up for a ReLU
encode        lane            offset, multiplier     shift  0        codes
weighted sum  several lanes   0, multipliers         shift  offset   lanes
limit         lane            0, 1                   0      0        low, high
table         lane            0, multiplier          shift  512      0, 1023: the entry that is taken
============  ==============  =====================  =====  =======  ====================================

Widths: codes 13 bits signed (two-segment operations), multipliers 15 bits and a sign, sums of products 32 bits, lanes
16 bits signed, shifts 0..31. That the sum of a lane cannot overflow is proved by the compiler; intermediate sums may
wrap.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from macro_models.compiled import where_numba_is
from macro_models.exact.operation import LSB_SEGMENT_BITS, MvmOperation

__all__ = [
    "LANE_MAX",
    "MULTIPLIER_MAX",
    "PAD",
    "SHIFT_MAX",
    "SUM_MAX",
    "TABLE_HALF",
    "Encode",
    "Largest",
    "LeafSum",
    "Limit",
    "Product",
    "Requantise",
    "Root",
    "Select",
    "Table",
    "WeightedSum",
    "check_headroom",
    "finish",
    "largest_code",
    "padded",
    "run_of",
    "scale_leaf",
    "sum_leaves",
    "take_elements",
    "take_rows",
    "take_vectors",
    "with_padding",
]

Lanes = NDArray[np.int16]

LANE_MAX = 2**15 - 1
"""Largest magnitude of a 16-bit lane that the compiler uses."""
MULTIPLIER_MAX = 2**15 - 1
SHIFT_MAX = 31
SUM_MAX = 2**16 - 1
"""Largest sum of the magnitudes of the multipliers of one element: 32 bits then hold its sum of products."""
TABLE_HALF = 512
"""A table has twice as many entries."""
_MOST_PLACES = 15
"""Of a shift that 32 bits hold with half of what is dropped, for any lane."""
PAD = -1
"""Index of an element that is outside of a value: padding."""


def finish(
    total: NDArray[np.signedinteger], shift: int, low: int, high: int, add: NDArray[np.integer] | int = 0
) -> Lanes:
    """``clip(floor(total / 2**shift + 1/2) + add, low, high)``: the vector formula from its sum of products on."""
    return np.clip(_round_shift(total, shift) + add, low, high).astype(np.int16)


def _round_shift(value: NDArray[np.signedinteger], shift: int) -> NDArray[np.signedinteger]:
    """``floor(value / 2**shift + 1/2)``."""
    return (value + ((1 << shift) >> 1)) >> shift


def largest_code(op: MvmOperation) -> int:
    """Largest magnitude of an operation's output codes, in half steps."""
    one = 2 * op.max_steps + 1
    return one if op.segments == 1 else ((one << LSB_SEGMENT_BITS) + one)


def take_rows(x: NDArray[Any], patches: NDArray[np.int32], pad: NDArray[Any]) -> NDArray[Any]:
    """Inputs of a layer's rows at each position, (batch, positions, rows), for values of shape (batch, elements).

    ``patches`` has shape (positions, rows); ``pad`` of shape (rows,) is what a row takes outside of the image.
    """
    pads, index = padded(patches, pad, x.shape[1])
    # Indices are right: "clip" spares the check of each.
    return with_padding(x, pads).take(index.astype(np.intp), axis=1, mode="clip")


def padded(
    patches: NDArray[np.int32], pad: NDArray[Any], elements: int
) -> tuple[NDArray[Any], NDArray[np.integer]]:
    """What stands for padding, beyond that many elements of a value, and patches that point to it."""
    outside = patches == PAD
    if not outside.any():
        return pad[:0], patches
    # One more element for each value of it.
    pads, which = np.unique(pad, return_inverse=True)
    return pads, np.where(outside, elements + which.ravel(), patches)


def with_padding(x: NDArray[Any], pads: NDArray[Any]) -> NDArray[Any]:
    """Values of shape (batch, elements), and beyond their elements what stands for padding."""
    if not len(pads):
        return x
    return np.concatenate([x, np.broadcast_to(pads.astype(x.dtype), (len(x), len(pads)))], axis=1)


def take_elements(x: NDArray[Any], index: NDArray[np.uint32]) -> NDArray[Any]:
    """``x[:, index]`` for values of shape (batch, elements), and indices that are right."""
    loops = compiled_take() if x.dtype == np.float32 else None
    if loops is None:
        return x.take(index.astype(np.intp), axis=1, mode="clip")
    made = np.empty((len(x), len(index)), dtype=np.float32)
    loops(np.ascontiguousarray(x), index, made)
    return made


def take_vectors(values: NDArray[Any], index: NDArray[np.uint32]) -> NDArray[Any]:
    """Vectors of ``values[:, index]``, (batch * vectors, inputs), for an index of shape (vectors, inputs)."""
    return take_elements(values, index.reshape(-1)).reshape(len(values) * len(index), -1)


@where_numba_is
def compiled_take() -> Callable[..., None] | None:
    """The loops of :mod:`.take_compiled`."""
    from macro_models.exact.take_compiled import make_loops

    return make_loops()


@where_numba_is
def compiled_finish() -> tuple[Callable[..., None], Callable[..., None]] | None:
    """The loops of :mod:`.finish_compiled`."""
    from macro_models.exact.finish_compiled import make_loops

    return make_loops()


def _row(values: NDArray[np.integer], kind: type[np.integer[Any]]) -> NDArray[Any]:
    return np.ascontiguousarray(values, dtype=kind)


def run_of(index: NDArray[np.integer]) -> NDArray[np.integer] | slice:
    """The same elements as a slice, whose use copies nothing, where each is the one after the last."""
    first = int(index[0]) if len(index) else 0
    if first >= 0 and np.array_equal(index, np.arange(first, first + len(index))):
        return slice(first, first + len(index))
    return index


def scale_leaf(codes: NDArray[np.integer], multiplier: NDArray[np.integer], shift: int) -> Lanes:
    """Codes of shape (batch, columns) on the scale of the layer: ``(code * multiplier + half) >> shift``.

    ``multiplier`` has shape (columns,), 0..32767; ``shift`` is 0..31.
    """
    return _round_shift(codes.astype(np.int64) * multiplier, shift).astype(np.int16)


def sum_leaves(leaves: Sequence[tuple[Lanes, NDArray[np.integer]]], outputs: int) -> Lanes:
    """Wrapping 16-bit sums of shape (batch, outputs).

    Each leaf is (values of shape (batch, columns), the output that each column adds to); several columns may add to
    one output.
    """
    total = np.zeros((len(leaves[0][0]), outputs), dtype=np.int16)
    for values, target in leaves:
        # Columns of one output are taken in turns, so that each turn adds to an output at most once.
        order = np.argsort(target, kind="stable")
        group = target[order]
        turn = np.arange(len(group)) - np.searchsorted(group, group)
        for k in range(int(turn.max(initial=-1)) + 1):
            chosen = order[turn == k]
            total[:, target[chosen]] += values[:, chosen]
    return total


@where_numba_is
def compiled_leaves() -> Callable[..., None] | None:
    """The loops of :mod:`.leaf_compiled`."""
    from macro_models.exact.leaf_compiled import make_loops

    return make_loops()


class LeafSum:
    """:func:`scale_leaf` and :func:`sum_leaves` of one product, for batch after batch.

    Parameters
    ----------
    multiplier, outputs
        Of each column.
    shift
        Of the leaves.
    top
        Largest magnitude of a code.
    """

    def __init__(self, multiplier: NDArray[np.integer], outputs: NDArray[np.integer], shift: int, top: int) -> None:
        half = (1 << shift) >> 1
        self._kind = np.int32 if top * int(multiplier.max(initial=0)) + half < 2**31 else np.int64
        self._multiplier, self._half, self._shift = multiplier.astype(self._kind), self._kind(half), self._kind(shift)
        self._outputs, turn = outputs, int(np.bincount(outputs).max(initial=1))
        first, count = int(outputs[0]), len(outputs) // turn
        tiled = np.array_equal(outputs, np.tile(np.arange(first, first + count), turn))
        self._tiles = (slice(first, first + count), turn) if tiled else None
        self._loops = compiled_leaves() if tiled and self._kind is np.int32 else None

    def add(self, total: Lanes, codes: NDArray[np.integer]) -> None:
        """Adds the leaves of ``codes``, (batch, columns), to ``total``, (batch, outputs), with wrap-around."""
        if self._loops is not None and self._tiles is not None and codes.dtype == np.int16:
            target, turn = self._tiles
            count = len(self._outputs) // turn
            rows = np.ascontiguousarray(codes)
            self._loops(rows, self._multiplier, self._half, self._shift, count, target.start, total)
            return
        product = codes.astype(self._kind)
        product *= self._multiplier
        product += self._half
        product >>= self._shift
        leaves = product.astype(np.int16)
        if self._tiles is None:
            total += sum_leaves([(leaves, self._outputs)], total.shape[1])
            return
        target, turn = self._tiles
        count = len(self._outputs) // turn
        while turn > 1:
            # Half of the columns onto the others; where their number is odd, the first stays alone.
            left = turn - turn // 2
            leaves[:, (turn % 2) * count : left * count] += leaves[:, left * count : turn * count]
            turn = left
        total[:, target] += leaves[:, :count]


@dataclass(frozen=True, kw_only=True)
class Requantise:
    """``clip(lane >> shift, low, high)``: 16-bit lanes to input codes of the next layer."""

    shift: int
    low: int
    high: int

    def compute(self, lanes: NDArray[np.integer]) -> Lanes:
        """Codes of the shape of ``lanes``."""
        return finish(lanes.astype(np.int64), self.shift, self.low, self.high)

    @property
    def most(self) -> int:
        """The largest lane that is not clipped to the largest code."""
        return ((self.high + 1) << self.shift) - ((1 << self.shift) >> 1) - 1


@dataclass(frozen=True, kw_only=True)
class Root:
    """What follows the sum of the leaves: bias, ReLU, requantisation.

    Parameters
    ----------
    bias
        Shape (outputs,), 16 bits signed, on the scale of the lanes.
    relu
        Negative lanes become 0.
    requantise
        To the codes that the next layer takes, which has chosen them; None where the value stays in lanes.
    """

    bias: NDArray[np.int16]
    relu: bool
    requantise: Requantise | None

    def compute(self, total: Lanes) -> Lanes:
        """Codes or lanes, for sums of shape (batch, outputs)."""
        return self.compute_counted(total)[0]

    def compute_counted(self, total: Lanes) -> tuple[Lanes, int]:
        """The same, and how many of the codes would be larger than the largest. The lowest may be that of a ReLU."""
        last, loops = self.requantise, compiled_finish()
        if last is not None and loops is not None and last.shift <= _MOST_PLACES:
            codes, beyond = np.empty(total.shape, dtype=np.int16), np.empty(1, dtype=np.int64)
            rows = np.ascontiguousarray(total, dtype=np.int16)
            ends = last.low, last.high, last.most
            loops[0](rows, _row(self.bias, np.int16), self.relu, last.shift, *ends, codes, beyond)
            return codes, int(beyond[0])
        lanes = total + self.bias
        clipped = 0 if last is None else int((lanes > last.most).sum())
        if self.relu:
            lanes = np.maximum(lanes, 0)
        return (lanes if last is None else last.compute(lanes)), clipped


@dataclass(frozen=True, kw_only=True)
class Encode:
    """Lanes to input codes: ``clip((lane - offset) * multiplier >> shift, low, high)``.

    ``offset`` (a lane, 16 bits) and ``multiplier`` (0..32767) have shape (elements,).
    """

    offset: NDArray[np.int16]
    multiplier: NDArray[np.int32]
    shift: int
    low: int
    high: int

    def compute(self, lanes: NDArray[np.integer]) -> Lanes:
        """Codes of the shape of ``lanes``, (batch, elements)."""
        return self.compute_counted(lanes)[0]

    def compute_counted(self, lanes: NDArray[np.integer]) -> tuple[Lanes, int]:
        """The same, and how many of them would be beyond the lowest and the largest, of what is anything but 0."""
        loops = compiled_finish()
        if loops is not None and lanes.dtype == np.int16 and lanes.ndim == 2:
            codes, beyond = np.empty(lanes.shape, dtype=np.int16), np.empty(1, dtype=np.int64)
            rows = np.ascontiguousarray(lanes)
            by_element = _row(self.offset, np.int16), _row(self.multiplier, np.int32)
            loops[1](rows, *by_element, self.shift, self.low, self.high, codes, beyond)
            return codes, int(beyond[0])
        product = (lanes.astype(np.int64) - self.offset) * self.multiplier
        least, most = self.ends
        beyond = int(((lanes < least) | (lanes > most)).sum())
        return finish(product, self.shift, self.low, self.high), beyond

    @cached_property
    def ends(self) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Lanes between which nothing is clipped, each of shape (elements,)."""
        half, factor = (1 << self.shift) >> 1, np.maximum(self.multiplier, 1).astype(np.int64)
        least = -((half - (self.low << self.shift)) // factor) + self.offset
        most = (((self.high + 1) << self.shift) - half - 1) // factor + self.offset
        wide = np.iinfo(np.int32)
        used = self.multiplier > 0
        return (
            np.where(used, np.clip(least, wide.min, wide.max), wide.min).astype(np.int32),
            np.where(used, np.clip(most, wide.min, wide.max), wide.max).astype(np.int32),
        )


@dataclass(frozen=True, kw_only=True)
class WeightedSum:
    """``clip((sum_k lane[index[i, k]] * multiplier[i, k] >> shift) + offset[i])`` to 16 bits.

    ``index`` and ``multiplier`` (-32767..32767) have shape (elements, terms); a term with index -1 is left out.
    ``offset``, of shape (elements,), has 17 bits.
    """

    index: NDArray[np.int32]
    multiplier: NDArray[np.int32]
    shift: int
    offset: NDArray[np.int32]

    def compute(self, lanes: NDArray[np.integer]) -> Lanes:
        """Lanes of shape (batch, elements) from lanes of shape (batch, elements of all inputs)."""
        # 32 bits hold the sum of what is legal, and half of what is dropped, too.
        kind = np.int32 if 1 <= self.shift <= 15 and self._largest_sum <= SUM_MAX else np.int64
        total = np.zeros((len(lanes), len(self.index)), dtype=kind)
        for column, factor in zip(self.index.T, self.multiplier.T, strict=True):
            total += lanes[:, run_of(column)].astype(kind) * np.where(column < 0, 0, factor).astype(kind)
        return finish(total, self.shift, -LANE_MAX, LANE_MAX, self.offset)

    def check(self) -> None:
        """Raises ValueError if a sum could exceed 32 bits."""
        if self._largest_sum > SUM_MAX or not 0 <= self.shift <= SHIFT_MAX:
            raise ValueError("a weighted sum of lanes exceeds 32 bits")

    @cached_property
    def _largest_sum(self) -> int:
        return int(np.abs(self.multiplier).sum(axis=1).max(initial=0))


@dataclass(frozen=True, kw_only=True)
class Product:
    """``clip(lane[left[i]] * lane[right[i]] >> shift)`` to 16 bits; both indices have shape (elements,)."""

    left: NDArray[np.int32]
    right: NDArray[np.int32]
    shift: int

    def compute(self, lanes: NDArray[np.integer]) -> Lanes:
        """Lanes of shape (batch, elements) from lanes of shape (batch, elements of all inputs)."""
        product = lanes[:, self.left].astype(np.int64) * lanes[:, self.right]
        return finish(product, self.shift, -LANE_MAX, LANE_MAX)


@dataclass(frozen=True, kw_only=True)
class Limit:
    """Lanes between ``low`` and ``high``, both of shape (elements,)."""

    low: NDArray[np.int16]
    high: NDArray[np.int16]

    def compute(self, lanes: NDArray[np.integer]) -> Lanes:
        return np.clip(lanes, self.low, self.high).astype(np.int16)


@dataclass(frozen=True, kw_only=True)
class Table:
    """A function by look-up: ``entries[clip(lane * multiplier >> shift, -512, 511) + 512]``.

    ``multiplier`` (0..32767) has shape (elements,), ``entries`` (1024,).
    """

    multiplier: NDArray[np.int32]
    shift: int
    entries: NDArray[np.int16]

    def compute(self, lanes: NDArray[np.integer]) -> Lanes:
        product = lanes.astype(np.int64) * self.multiplier
        return self.entries[finish(product, self.shift, 0, 2 * TABLE_HALF - 1, TABLE_HALF)]


@dataclass(frozen=True, kw_only=True)
class Select:
    """Lanes by their index, :data:`PAD` for ``fill``; both of shape (elements,)."""

    index: NDArray[np.int32]
    fill: NDArray[np.int16]

    def compute(self, lanes: Lanes) -> Lanes:
        return np.where(self.index == PAD, self.fill, lanes[:, self.index])


@dataclass(frozen=True, kw_only=True)
class Largest:
    """The largest of some lanes of one unit, ``index`` of shape (elements, window)."""

    index: NDArray[np.int32]

    def compute(self, lanes: Lanes) -> Lanes:
        result = lanes[:, self.index[:, 0]]
        for column in self.index.T[1:]:
            np.maximum(result, lanes[:, column], out=result)
        return result


def check_headroom(
    leaves: Sequence[tuple[int, NDArray[np.integer], NDArray[np.integer]]], shift: int, bias: NDArray[np.integer]
) -> NDArray[np.int64]:
    """Largest magnitude that each output's lane can reach; raises ValueError if one exceeds 16 bits.

    Each leaf is (largest code, multipliers, outputs), of which the last two have shape (columns,).
    """
    worst = np.abs(bias.astype(np.int64))
    for code, multiplier, target in leaves:
        if code * int(multiplier.max(initial=0)) >= 2**31:
            raise ValueError("a product of the leaf exceeds 32 bits")
        np.add.at(worst, target, _round_shift(code * multiplier.astype(np.int64), shift))
    if worst.max(initial=0) > LANE_MAX:
        raise ValueError(f"a lane can reach {worst.max()}, which exceeds 16 bits")
    return worst
