"""Stages as vector operations of a tile: fields of their descriptors, and parameters that each channel has alike."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from compiler.program import Layer, Mvm
from compiler.tile.graph.geometry import CODES_OUT, Image
from macro_models.exact.vector import (
    LANE_MAX,
    TABLE_HALF,
    Encode,
    Largest,
    Limit,
    Root,
    Table,
    WeightedSum,
)

__all__ = ["NotAlikeError", "Vector", "leaf", "root", "vector_of"]

LANE_MIN = -LANE_MAX - 1


class NotAlikeError(Exception):
    """Elements of a channel have different parameters."""


@dataclass(frozen=True, kw_only=True)
class Vector:
    """A vector operation without its operands: fields of the descriptor, and parameters, one row an element.

    ``parameters`` have the columns m, c, d, target, valid, start; None where the kind has none. ``entries`` are a
    table's.
    """

    fields: dict[str, int | str] = field(default_factory=dict)
    parameters: NDArray[np.int64] | None = None
    entries: NDArray[np.int16] | None = None


def leaf(layer: Layer, mvm: Mvm, base: int, begun: set[int]) -> Vector:
    """The leaf of a product; output ``base`` has accumulator 0, ``begun`` are those that have something, and grows.

    Elements are the codes of the words that are drained, from an even column on.
    """
    first = int(mvm.columns.min()) // CODES_OUT * CODES_OUT
    rows = np.zeros((int(mvm.columns.max()) - first + 1, 6), np.int64)
    for column, output, m in zip(mvm.columns.tolist(), mvm.outputs.tolist(), mvm.multiplier.tolist(), strict=True):
        rows[column - first] = (m, 0, 0, output - base, 1, output not in begun)
        begun.add(output)
    return Vector(fields={"shift": layer.shift}, parameters=rows)


def root(made: Root) -> Vector:
    """Bias, ReLU and requantisation: one operation, since rounding keeps the order and 0."""
    low, high, shift = LANE_MIN, LANE_MAX, 0
    if made.requantise is not None:
        low, high, shift = made.requantise.low, made.requantise.high, made.requantise.shift
    return Vector(fields={"shift": shift, "lo": max(low, 0) if made.relu else low, "hi": high},
                  parameters=_rows(np.ones(len(made.bias)), -made.bias.astype(np.int64)))


def vector_of(operation: object, image: Image, sources: int, *, whole: bool = False) -> Vector:
    """A stage at one pixel of what it makes, ``image``; with ``whole`` at all of them, pixel by pixel.

    Raises
    ------
    NotAlikeError
        If elements of a channel differ.
    """
    return _OPERATIONS[type(operation)](operation, _Each(image, whole), sources)


@dataclass(frozen=True)
class _Each:
    """How parameters are taken out of those of all elements."""

    image: Image
    whole: bool

    def of(self, values: NDArray[np.integer]) -> NDArray[np.int64]:
        """Those of all elements pixel by pixel, or of each channel, which all of its elements have to have."""
        grid = values.astype(np.int64).reshape(self.image.channels, self.image.pixels)
        if self.whole:
            return grid.T.ravel()
        if (grid != grid[:, :1]).any():
            raise NotAlikeError
        return grid[:, 0]


def _encode(op: Encode, each: _Each, sources: int) -> Vector:
    return Vector(fields={"shift": op.shift, "lo": op.low, "hi": op.high},
                  parameters=_rows(each.of(op.multiplier), each.of(op.offset)))


def _limit(op: Limit, each: _Each, sources: int) -> Vector:
    low, high = np.unique(op.low), np.unique(op.high)
    if len(low) > 1 or len(high) > 1:
        raise NotAlikeError
    return Vector(fields={"kind": "max", "lo": int(low[0]), "hi": int(high[0])})


def _table(op: Table, each: _Each, sources: int) -> Vector:
    multiplier = each.of(op.multiplier)
    return Vector(fields={"kind": "table", "shift": op.shift, "lo": 0, "hi": 2 * TABLE_HALF - 1},
                  parameters=_rows(multiplier, 0, TABLE_HALF), entries=op.entries)


def _largest(op: Largest, each: _Each, sources: int) -> Vector:
    return Vector(fields={"kind": "max", "lo": LANE_MIN, "hi": LANE_MAX})


def _sum(op: WeightedSum, each: _Each, sources: int) -> Vector:
    """Terms are sources, or those of a window, which all count alike."""
    factors = op.multiplier if sources > 1 else op.multiplier[:, :1]
    if sources == 1 and (op.multiplier != factors).any():
        raise NotAlikeError
    offset = each.of(op.offset)
    rows = [_rows(each.of(column), 0, offset) for column in factors.T]
    return Vector(fields={"shift": op.shift, "lo": -LANE_MAX, "hi": LANE_MAX}, parameters=np.concatenate(rows))


_OPERATIONS: dict[type, Callable[..., Vector]] = {
    Encode: _encode, Limit: _limit, Table: _table, Largest: _largest, WeightedSum: _sum,
}


def _rows(m: ArrayLike, c: ArrayLike = 0, d: ArrayLike = 0) -> NDArray[np.int64]:
    one = np.asarray(m, np.int64)
    rows = np.zeros((len(one), 6), np.int64)
    rows[:, 0], rows[:, 1], rows[:, 2] = one, c, d
    return rows
