"""Operations on lanes, as data that compute: root, encode, sums, products, limits, tables, choices."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mho.macro_models.types import Array, Indices, Integral

PAD = -1
"""Index of an element that is outside of a value: padding."""


def take_rows(x: Array, patches: Indices, pad: Array) -> Array:
    """Inputs of a layer's rows at each position, (batch, positions, rows), for values of shape (batch, elements).

    ``patches`` has shape (positions, rows); ``pad`` of shape (rows,) is what a row takes outside of the image.
    """
    pads, index = padded(patches, pad, x.shape[1])
    # Indices are right: "clip" spares the check of each.
    return with_padding(x, pads).take(index.astype(np.intp), axis=1, mode="clip")


def padded(patches: Indices, pad: Array, elements: int) -> tuple[Array, Integral]:
    """What stands for padding, beyond that many elements of a value, and patches that point to it."""
    outside = patches == PAD
    if not outside.any():
        return pad[:0], patches
    # One more element for each value of it.
    pads, which = np.unique(pad, return_inverse=True)
    return pads, np.where(outside, elements + which.ravel(), patches)


def with_padding(x: Array, pads: Array) -> Array:
    """Values of shape (batch, elements), and beyond their elements what stands for padding."""
    if not len(pads):
        return x
    return np.concatenate([x, np.broadcast_to(pads.astype(x.dtype), (len(x), len(pads)))], axis=1)


def take_elements(x: Array, index: Integral) -> Array:
    """``x[:, index]`` for values of shape (batch, elements), and indices that are right."""
    return x.take(index.astype(np.intp, copy=False), axis=1, mode="clip")


def take_vectors(values: Array, index: Integral) -> Array:
    """Vectors of ``values[:, index]``, (batch * vectors, inputs), for an index of shape (vectors, inputs)."""
    return take_elements(values, index.reshape(-1)).reshape(len(values) * len(index), -1)


def run_of(index: Integral) -> Integral | slice:
    """The same elements as a slice, whose use copies nothing, where each is the one after the last."""
    first = int(index[0]) if len(index) else 0
    if first >= 0 and np.array_equal(index, np.arange(first, first + len(index))):
        return slice(first, first + len(index))
    return index


Lanes = NDArray[np.int16]

LANE_MAX = 2**15 - 1
"""Largest magnitude of a 16-bit lane that the compiler uses."""
MULTIPLIER_MAX = 2**15 - 1
SHIFT_MAX = 31
SUM_MAX = 2**16 - 1
"""Largest sum of the magnitudes of the multipliers of one element: 32 bits then hold its sum of products."""


def finish(total: NDArray[np.signedinteger], shift: int, low: int, high: int, add: Integral | int = 0) -> Lanes:
    """``clip(floor(total / 2**shift + 1/2) + add, low, high)``: the vector formula from its sum of products on."""
    return np.clip(round_shift(total, shift) + add, low, high).astype(np.int16)


def round_shift(value: NDArray[np.signedinteger], shift: int) -> NDArray[np.signedinteger]:
    """``floor(value / 2**shift + 1/2)``."""
    return (value + ((1 << shift) >> 1)) >> shift


TABLE_HALF = 512
"""A table has twice as many entries."""


@dataclass(frozen=True, kw_only=True)
class Requantise:
    """``clip(lane >> shift, low, high)``: 16-bit lanes to input codes of the next layer."""

    shift: int
    low: int
    high: int

    def compute(self, lanes: Integral) -> Lanes:
        """Codes of the shape of ``lanes``."""
        return finish(lanes.astype(np.int64), self.shift, self.low, self.high)

    @property
    def most(self) -> int:
        """The largest lane that is not clipped to the largest code."""
        return ((self.high + 1) << self.shift) - ((1 << self.shift) >> 1) - 1


@dataclass(frozen=True, kw_only=True)
class Root:
    """What follows the sum of the leaves: bias, ReLU, requantisation."""

    bias: NDArray[np.int16]
    """Shape (outputs,), 16 bits signed, on the scale of the lanes."""
    relu: bool
    """Negative lanes become 0."""
    requantise: Requantise | None
    """To the codes that the next layer takes, which has chosen them; None where the value stays in lanes."""

    def compute(self, total: Lanes) -> Lanes:
        """Codes or lanes, for sums of shape (batch, outputs)."""
        return self.compute_counted(total)[0]

    def compute_counted(self, total: Lanes) -> tuple[Lanes, int]:
        """The same, and how many of the codes would be larger than the largest. The lowest may be that of a ReLU."""
        last = self.requantise
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
    multiplier: Indices
    shift: int
    low: int
    high: int

    def compute(self, lanes: Integral) -> Lanes:
        """Codes of the shape of ``lanes``, (batch, elements)."""
        return self.compute_counted(lanes)[0]

    def compute_counted(self, lanes: Integral) -> tuple[Lanes, int]:
        """The same, and how many of them would be beyond the lowest and the largest, of what is anything but 0."""
        product = (lanes.astype(np.int64) - self.offset) * self.multiplier
        low_end, high_end = self.ends
        beyond = int(((lanes < low_end) | (lanes > high_end)).sum())
        return finish(product, self.shift, self.low, self.high), beyond

    @cached_property
    def ends(self) -> tuple[Indices, Indices]:
        """Lanes between which nothing is clipped, each of shape (elements,)."""
        half, factor = (1 << self.shift) >> 1, np.maximum(self.multiplier, 1).astype(np.int64)
        low_end = -((half - (self.low << self.shift)) // factor) + self.offset
        high_end = (((self.high + 1) << self.shift) - half - 1) // factor + self.offset
        wide = np.iinfo(np.int32)
        used = self.multiplier > 0
        return (
            np.where(used, np.clip(low_end, wide.min, wide.max), wide.min).astype(np.int32),
            np.where(used, np.clip(high_end, wide.min, wide.max), wide.max).astype(np.int32),
        )


@dataclass(frozen=True, kw_only=True)
class WeightedSum:
    """``clip((sum_k lane[index[i, k]] * multiplier[i, k] >> shift) + offset[i])`` to 16 bits.

    ``index`` and ``multiplier`` (-32767..32767) have shape (elements, terms); a term with index -1 is left out.
    ``offset``, of shape (elements,), has 17 bits.
    """

    index: Indices
    multiplier: Indices
    shift: int
    offset: Indices

    def compute(self, lanes: Integral) -> Lanes:
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

    left: Indices
    right: Indices
    shift: int

    def compute(self, lanes: Integral) -> Lanes:
        """Lanes of shape (batch, elements) from lanes of shape (batch, elements of all inputs)."""
        product = lanes[:, self.left].astype(np.int64) * lanes[:, self.right]
        return finish(product, self.shift, -LANE_MAX, LANE_MAX)


@dataclass(frozen=True, kw_only=True)
class Limit:
    """Lanes between ``low`` and ``high``, both of shape (elements,)."""

    low: NDArray[np.int16]
    high: NDArray[np.int16]

    def compute(self, lanes: Integral) -> Lanes:
        return np.clip(lanes, self.low, self.high).astype(np.int16)


@dataclass(frozen=True, kw_only=True)
class Table:
    """A function by look-up: ``entries[clip(lane * multiplier >> shift, -512, 511) + 512]``.

    ``multiplier`` (0..32767) has shape (elements,), ``entries`` (1024,).
    """

    multiplier: Indices
    shift: int
    entries: NDArray[np.int16]

    def compute(self, lanes: Integral) -> Lanes:
        product = lanes.astype(np.int64) * self.multiplier
        return self.entries[finish(product, self.shift, 0, 2 * TABLE_HALF - 1, TABLE_HALF)]


@dataclass(frozen=True, kw_only=True)
class Select:
    """Lanes by their index, :data:`PAD` for ``fill``; both of shape (elements,)."""

    index: Indices
    fill: NDArray[np.int16]

    def compute(self, lanes: Lanes) -> Lanes:
        return np.where(self.index == PAD, self.fill, lanes[:, self.index])


@dataclass(frozen=True, kw_only=True)
class Largest:
    """The largest of some lanes of one unit, ``index`` of shape (elements, window)."""

    index: Indices

    def compute(self, lanes: Lanes) -> Lanes:
        result = lanes[:, self.index[:, 0]]
        for column in self.index.T[1:]:
            np.maximum(result, lanes[:, column], out=result)
        return result
