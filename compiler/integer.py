"""The integer arithmetic between two matrix-vector products, bit by bit as the digital side of a tile does it.

Cores differ in the scales of their columns, so a core's codes are first brought to a scale that its layer shares (the
*leaf*), then added with wrap-around (associative, so that any tree of additions gives the same sum), then finished
(the *root*): bias, ReLU, and requantisation to the input codes of the next layer.

Widths: codes 13 bits signed (two-segment operations), multipliers 15 bits, products 32 bits, lanes 16 bits signed.
That the sum of a lane cannot overflow is proved by the compiler (:func:`check_headroom`); intermediate sums may wrap.

Networks that are no chain of layers keep every value in 16-bit lanes; what is done to them element by element is here
too: :class:`Encode`, :class:`WeightedSum`, :class:`Limit`, :class:`Table`. Products and sums of those fit 32 bits.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from macro_models.exact.operation import LSB_SEGMENT_BITS, MvmOperation

__all__ = [
    "LANE_MAX",
    "MULTIPLIER_MAX",
    "SHIFT_MAX",
    "SUM_MAX",
    "TABLE_HALF",
    "Encode",
    "Limit",
    "Requantise",
    "Root",
    "Table",
    "WeightedSum",
    "check_headroom",
    "largest_code",
    "scale_leaf",
    "sum_leaves",
]

LANE_MAX = 2**15 - 1
"""Largest magnitude of a 16-bit lane that the compiler uses."""
MULTIPLIER_MAX = 2**15 - 1
SHIFT_MAX = 31
SUM_MAX = 2**16 - 1
"""Largest sum of the magnitudes of the multipliers of one element: 32 bits then hold its sum of products."""
TABLE_HALF = 512
"""A table has twice as many entries."""


def largest_code(op: MvmOperation) -> int:
    """Largest magnitude of an operation's output codes, in half steps."""
    one = 2 * op.max_steps + 1
    return one if op.segments == 1 else ((one << LSB_SEGMENT_BITS) + one)


def _round_shift(value: NDArray[np.int64], shift: int) -> NDArray[np.int64]:
    """``floor(value / 2**shift + 1/2)``."""
    return (value + ((1 << shift) >> 1)) >> shift


def scale_leaf(codes: NDArray[np.integer], multiplier: NDArray[np.integer], shift: int) -> NDArray[np.int16]:
    """Codes of shape (batch, columns) on the scale of the layer: ``(code * multiplier + half) >> shift``.

    ``multiplier`` has shape (columns,), 0..32767; ``shift`` is 0..31.
    """
    return _round_shift(codes.astype(np.int64) * multiplier, shift).astype(np.int16)


def sum_leaves(leaves: Sequence[tuple[NDArray[np.int16], NDArray[np.integer]]], outputs: int) -> NDArray[np.int16]:
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


@dataclass(frozen=True, kw_only=True)
class Requantise:
    """``saturate(round(lane / 2**shift), low, high)``: 16-bit lanes to input codes of the next layer."""

    shift: int
    low: int
    high: int

    def compute(self, lanes: NDArray[np.integer]) -> NDArray[np.int16]:
        """Codes of the shape of ``lanes``."""
        return np.clip(_round_shift(lanes.astype(np.int64), self.shift), self.low, self.high).astype(np.int16)


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
        None for the last layer, whose lanes the host turns into numbers.
    """

    bias: NDArray[np.int16]
    relu: bool
    requantise: Requantise | None

    def compute(self, total: NDArray[np.int16]) -> NDArray[np.int16]:
        """Codes of the next layer, or lanes of the last one, for sums of shape (batch, outputs)."""
        lanes = total + self.bias
        if self.relu:
            lanes = np.maximum(lanes, 0)
        return lanes if self.requantise is None else self.requantise.compute(lanes)


@dataclass(frozen=True, kw_only=True)
class Encode:
    """Lanes to input codes: ``saturate(((lane - offset) * multiplier + half) >> shift, low, high)``.

    ``offset`` (a lane, 16 bits) and ``multiplier`` (0..32767) have shape (elements,).
    """

    offset: NDArray[np.int16]
    multiplier: NDArray[np.int32]
    shift: int
    low: int
    high: int

    def compute(self, lanes: NDArray[np.integer]) -> NDArray[np.int16]:
        """Codes of the shape of ``lanes``, (batch, elements)."""
        product = (lanes.astype(np.int64) - self.offset) * self.multiplier
        return np.clip(_round_shift(product, self.shift), self.low, self.high).astype(np.int16)


@dataclass(frozen=True, kw_only=True)
class WeightedSum:
    """``saturate((sum_k lane[index[i, k]] * multiplier[i, k] + half >> shift) + offset[i])`` to 16 bits.

    ``index`` and ``multiplier`` (-32767..32767) have shape (elements, terms); a term with index -1 is left out.
    ``offset``, of shape (elements,), has 17 bits.
    """

    index: NDArray[np.int32]
    multiplier: NDArray[np.int32]
    shift: int
    offset: NDArray[np.int32]

    def compute(self, lanes: NDArray[np.integer]) -> NDArray[np.int16]:
        """Lanes of shape (batch, elements) from lanes of shape (batch, elements of all inputs)."""
        total = np.zeros((len(lanes), len(self.index)), dtype=np.int64)
        for column, factor in zip(self.index.T, self.multiplier.T, strict=True):
            total += lanes[:, column].astype(np.int64) * np.where(column < 0, 0, factor)
        return np.clip(_round_shift(total, self.shift) + self.offset, -LANE_MAX, LANE_MAX).astype(np.int16)

    def check(self) -> None:
        """Raises ValueError if a sum could exceed 32 bits."""
        if np.abs(self.multiplier).sum(axis=1).max(initial=0) > SUM_MAX or not 0 <= self.shift <= SHIFT_MAX:
            raise ValueError("a weighted sum of lanes exceeds 32 bits")


@dataclass(frozen=True, kw_only=True)
class Limit:
    """Lanes between ``low`` and ``high``, both of shape (elements,)."""

    low: NDArray[np.int16]
    high: NDArray[np.int16]

    def compute(self, lanes: NDArray[np.integer]) -> NDArray[np.int16]:
        return np.clip(lanes, self.low, self.high).astype(np.int16)


@dataclass(frozen=True, kw_only=True)
class Table:
    """A function by look-up: ``entries[saturate((lane * multiplier + half) >> shift, -512, 511) + 512]``.

    ``multiplier`` (0..32767) has shape (elements,), ``entries`` (1024,).
    """

    multiplier: NDArray[np.int32]
    shift: int
    entries: NDArray[np.int16]

    def compute(self, lanes: NDArray[np.integer]) -> NDArray[np.int16]:
        at = _round_shift(lanes.astype(np.int64) * self.multiplier, self.shift)
        return self.entries[np.clip(at, -TABLE_HALF, TABLE_HALF - 1) + TABLE_HALF]


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
