"""Steps of a network in floating point: what makes values from values.

A value is the flattened vector of an activation, channels first as in ONNX. Six kinds of steps make values from
values: a linear layer at every position of an image (:class:`Linear`), a choice of elements (:class:`Gather`), the
largest of several (:class:`Maximum`), a weighted sum of a few (:class:`Combine`), a function of each (:class:`Map`),
and whatever else operators of ONNX say (:class:`~mho.compiler.model.evaluated.Evaluated`). Convolutions, pooling,
residual additions, concatenations, paddings and transpositions are all of these, with the geometry in index arrays.

``compute`` takes the values, each of shape (batch, elements), side by side: (batch, all elements). ``backward`` takes
the gradient of the result to the gradient of what ``compute`` took.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_matrix

from mho.compiler.model.evaluated import Evaluated
from mho.compiler.model.functions import TABLES
from mho.compiler.model.layer import LinearLayer
from mho.compiler.model.operators.bounds import MOST_OF_ALL
from mho.compiler.types import Array, Float
from mho.macro_models.integer.vector import PAD, padded, run_of, take_elements, take_rows, with_padding
from mho.macro_models.integer.window import Window, recover
from mho.macro_models.types import Indices, Integral

MOST_TERMS = 1 << 14
"""Elements that one is made of where they are taken one after the other, in each window or sum."""

MANY_TERMS = 1 << 10
"""Elements of a window or a sum from which on they are not taken one after the other."""

MOST_NUMBERS = 1 << 21
"""Inputs of a layer at all positions of some images that are held at a time."""


def _scatter(gradient: Float, index: Indices, size: int) -> Float:
    """Adds the columns of ``gradient`` (batch, entries) to the elements that ``index`` names: (batch, size)."""
    flat = index.reshape(-1)
    used = flat != PAD
    ends = np.concatenate([[0], np.cumsum(used)])
    matrix = csc_matrix((np.ones(ends[-1]), flat[used], ends), shape=(size, len(flat)))
    return np.ascontiguousarray((matrix @ gradient.T).T)


def _check_terms(index: Indices) -> None:
    if index.shape[1] > MOST_TERMS or index.size > MOST_OF_ALL:
        raise ValueError(f"it makes {len(index)} elements of {index.shape[1]} each; at most {MOST_TERMS} are supported")


@dataclass(frozen=True, kw_only=True)
class Linear:
    """A layer at every position: of element order (outputs, positions).

    ``patches`` and ``pad``: see :func:`~mho.macro_models.integer.vector.take_rows`; ``window`` is the geometry of
    patches.
    """

    layer: LinearLayer
    patches: Indices
    pad: Float
    window: Window | None = None

    @classmethod
    def dense(cls, layer: LinearLayer, order: Integral, pad: float = 0.0) -> "Linear":
        """A layer that takes elements once, those that ``order`` names."""
        patches = order.astype(np.int32)[None]
        window = recover(patches, len(order), (), (), (), ())
        return cls(layer=layer, patches=patches, pad=np.full(len(order), pad), window=window)

    @property
    def size(self) -> int:
        return self.layer.outputs * len(self.patches)

    @property
    def single(self) -> "Linear":
        """The same in single precision."""
        return replace(self, layer=self.layer.single)

    @property
    def ties(self) -> Indices:
        """Patches, and maybe more rows: inputs that take one element in any of them are encoded alike."""
        return self.patches

    def takes_all(self, elements: int) -> bool:
        """Whether the layer takes a value of that many elements as it is, once."""
        return self.patches.shape == (1, elements) and np.array_equal(self.patches[0], np.arange(elements))

    @cached_property
    def _one_by_one(self) -> bool:
        """Whether each position takes all elements at it: a convolution of 1 x 1, at so many that it pays."""
        positions, rows = self.patches.shape
        whole = np.arange(rows * positions).reshape(rows, positions).T
        return self.layer.groups == 1 and positions >= 16 and np.array_equal(self.patches, whole)

    def compute(self, x: Float) -> Float:
        if self._one_by_one and x.shape[1] == self.patches.size:
            return self.layer.compute_channels(x.reshape(len(x), self.layer.inputs, -1)).reshape(len(x), -1)
        batch = max(1, MOST_NUMBERS // self.patches.size)
        if len(x) > batch:
            return np.concatenate([self.compute(x[k : k + batch]) for k in range(0, len(x), batch)])
        if self.layer.groups == 1 and len(self.patches) > 1 and x.dtype == np.float32:
            return self.layer.compute_channels(self._columns(x)).reshape(len(x), -1)
        rows = take_rows(x, self.patches, self.pad)
        y = self.layer.compute(rows[:, 0] if len(self.patches) == 1 else rows)
        return y.reshape(len(x), len(self.patches), -1).transpose(0, 2, 1).reshape(len(x), -1)

    def _columns(self, x: Array) -> Array:
        """What the layer takes at all positions, (batch, rows, positions)."""
        if x.shape[1] not in self._places:
            pads, index = padded(self.patches, self.pad, x.shape[1])
            self._places[x.shape[1]] = pads, index.T.astype(np.uint32).reshape(-1)
        pads, index = self._places[x.shape[1]]
        return take_elements(with_padding(x, pads), index).reshape(len(x), -1, len(self.patches))

    @cached_property
    def _places(self) -> dict[int, tuple[Float, NDArray[np.uint32]]]:
        """What stands for padding, and elements by row and position, by how many elements the value has."""
        return {}

    def backward(self, gradient: Float, x: Float, y: Float) -> Float:
        gradient = gradient * (y > 0) if self.layer.relu else gradient
        slope = self.layer.backward(gradient.reshape(len(x), self.layer.outputs, -1).transpose(0, 2, 1))
        return _scatter(slope.reshape(len(x), -1), self.patches, x.shape[1])


@dataclass(frozen=True, kw_only=True)
class Gather:
    """Elements by their index, of shape (elements,).

    :data:`PAD` gives ``fill``, on the scale of the element ``like``, which elsewhere equals ``index``.
    """

    index: Indices
    like: Indices
    fill: float = 0.0

    @property
    def size(self) -> int:
        return len(self.index)

    def compute(self, x: Float) -> Float:
        return np.where(self.index == PAD, self.fill, x[:, self.like])

    def backward(self, gradient: Float, x: Float, y: Float) -> Float:
        return _scatter(gradient, self.index, x.shape[1])


@dataclass(frozen=True, kw_only=True)
class Maximum:
    """The largest of the elements in each row of ``index``, of shape (elements, window)."""

    index: Indices

    def __post_init__(self) -> None:
        _check_terms(self.index)

    @property
    def size(self) -> int:
        return len(self.index)

    def compute(self, x: Float) -> Float:
        if self.index.shape[1] > MANY_TERMS:
            return np.concatenate([part[:, self.index].max(axis=2) for part in self._parts(x)])
        y = x[:, self.index[:, 0]]
        for column in self.index.T[1:]:
            np.maximum(y, x[:, column], out=y)
        return y

    def _parts(self, x: Float) -> list[Float]:
        """Inputs of which all windows are there at a time."""
        count = max(1, MOST_NUMBERS // self.index.size)
        return [x[first : first + count] for first in range(0, max(len(x), 1), count)]

    def backward(self, gradient: Float, x: Float, y: Float) -> Float:
        result = np.zeros_like(x)
        if self.index.shape[1] > MANY_TERMS:
            place = np.concatenate([part[:, self.index].argmax(axis=2) for part in self._parts(x)])
            taken = self.index[np.arange(len(self.index)), place]
            np.add.at(result, (np.arange(len(x))[:, None], taken), gradient)
            return result
        left = np.ones(y.shape, dtype=bool)
        for column in self.index.T:
            hit = left & (x[:, column] == y)
            result += _scatter(gradient * hit, column, x.shape[1])
            left &= ~hit
        return result


@dataclass(frozen=True, kw_only=True)
class Combine:
    """``sum_k coefficient[i, k] x[index[i, k]] + offset[i]``; of shapes (elements, terms) and (elements,).

    A term with index :data:`PAD` is left out. ``channel``, of shape (elements,), groups elements that share a scale.
    """

    index: Indices
    coefficient: Float
    offset: Float
    channel: Indices

    def __post_init__(self) -> None:
        _check_terms(self.index)

    @property
    def size(self) -> int:
        return len(self.index)

    @property
    def single(self) -> "Combine":
        """The same in single precision."""
        return replace(self, coefficient=self.coefficient.astype(np.float32), offset=self.offset.astype(np.float32))

    @cached_property
    def _terms(self) -> list[tuple[Indices | slice, Float | None]]:
        """Elements that each term takes, and their factors; None where all are 1."""
        terms = []
        for column, factor in zip(self.index.T, self.coefficient.T, strict=True):
            factor = np.where(column == PAD, np.zeros_like(factor), factor)
            terms.append((run_of(column), None if (factor == 1.0).all() else factor))
        return terms

    def compute(self, x: Float) -> Float:
        y = np.tile(self.offset, (len(x), 1))
        for run, factor in self._terms:
            y += x[:, run] if factor is None else x[:, run] * factor
        return y

    def backward(self, gradient: Float, x: Float, y: Float) -> Float:
        if self.index.shape[1] > MANY_TERMS:
            used = np.where(self.index == PAD, 0, self.index)
            factors = np.where(self.index == PAD, 0.0, self.coefficient).ravel()
            ends = np.arange(len(used) + 1) * used.shape[1]
            matrix = csc_matrix((factors, used.ravel(), ends), shape=(x.shape[1], len(used)))
            return np.ascontiguousarray((matrix @ gradient.T).T)
        result = np.zeros_like(x)
        for column, factor in zip(self.index.T, self.coefficient.T, strict=True):
            result += _scatter(gradient * factor, column, x.shape[1])
        return result


@dataclass(frozen=True, kw_only=True)
class Map:
    """A function of each of ``size`` elements: ``clip`` between ``low`` and ``high``, or one that a table holds."""

    function: str
    size: int
    low: float = -np.inf
    high: float = np.inf

    def compute(self, x: Float) -> Float:
        if self.function == "clip":
            return np.clip(x, self.low, self.high)
        return TABLES[self.function].compute(x)

    def backward(self, gradient: Float, x: Float, y: Float) -> Float:
        if self.function == "clip":
            return gradient * ((x > self.low) & (x < self.high))
        return gradient * TABLES[self.function].slope(x)


Operation = Linear | Gather | Maximum | Combine | Map | Evaluated


@dataclass(frozen=True, kw_only=True)
class Step:
    """One operation and the numbers of the values that it takes: 0 is the network's input, k what step k - 1 made."""

    operation: Operation
    inputs: tuple[int, ...] = field(default=(0,))

    def gather(self, values: Sequence[Array] | Mapping[int, Array]) -> Array:
        """The inputs side by side, (batch, all elements), of values by their number."""
        parts = [values[k] for k in self.inputs]
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=-1)
