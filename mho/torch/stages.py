"""What the vector unit does between layers, on tensors: lanes are whole numbers, elements first, the batch last.

In double precision all sums are exact, and the results those of :mod:`mho.macro_models.integer.vector`, bit for bit.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
import torch

from mho.macro_models.integer import vector
from mho.torch.module import Module, encoded, rounded, straight

MANY_TERMS = 8
"""Terms of a sum from which on they are taken together."""


class StageModule(Module):
    """An operation of the vector unit; its arrays are buffers, with a last dimension for the batch.

    ``reach`` tells by how much the range of the codes that it makes was widened, None if it was not.
    """

    def __init__(self, op: Any) -> None:
        super().__init__()
        self.op, self.reach, self.terms, self.tiled = op, lambda: None, 1, False
        for field in fields(op):
            array = getattr(op, field.name)
            if isinstance(array, np.ndarray) and field.name in ("index", "left", "right", "entries"):
                self.hold(**{field.name: np.maximum(array, 0) if field.name == "index" else array})
            elif isinstance(array, np.ndarray):
                self.hold(**{field.name: array[..., None]})
        if isinstance(op, (vector.Select, vector.WeightedSum)):
            self.hold(absent=(op.index == vector.PAD)[..., None])
        if isinstance(op, vector.WeightedSum):
            self.hold(factor=np.where(op.index == vector.PAD, 0.0, op.multiplier * 2.0**-op.shift)[..., None])
            self.tiled = np.array_equal(op.index.T.ravel(), np.arange(op.index.size))
            self.terms = op.index.shape[1] if self.tiled else 0
        self._alike = dict[int, bool]()

    def forward(self, *parts: torch.Tensor) -> torch.Tensor:
        """Lanes of shape (elements, batch) from those of all inputs; images from images, where they are taken."""
        apart = parts[0].ndim == 4 or (self.tiled and [len(part) for part in parts] == [len(self.index)] * self.terms)
        return STAGES[type(self.op)](self, *(parts if apart or len(parts) == 1 else [torch.cat(parts)]))

    def takes_images(self, shape: Sequence[int], count: int) -> bool:
        """Whether so many images (batch, rows, columns, channels) are taken: all elements of a channel are alike."""
        channels, elements = shape[3], math.prod(shape[1:])
        if channels not in self._alike:
            names = {vector.Encode: ("multiplier", "offset"), vector.Limit: ("low", "high"),
                     vector.WeightedSum: ("factor", "offset")}.get(type(self.op), ())
            numbers = [getattr(self, name) for name in names]
            self._alike[channels] = bool(numbers) and all(len(own) == elements for own in numbers) and all(
                bool((own == own[:, :1]).all()) for own in (own.unflatten(0, (channels, -1)) for own in numbers))
        return self._alike[channels] and count == self.terms

    def own(self, name: str, lanes: torch.Tensor) -> torch.Tensor:
        """Numbers of elements, of the type of lanes and as they go with these: (elements, 1), or (channels,)."""
        numbers = getattr(self, name)
        numbers = numbers if lanes.ndim == 2 else numbers.unflatten(0, (lanes.shape[3], -1))[:, 0, ..., 0]
        return numbers.to(lanes.dtype)


def _encode(stage: StageModule, lanes: torch.Tensor) -> torch.Tensor:
    factor, reach = stage.own("multiplier", lanes), stage.reach()
    factor = (factor if reach is None else torch.round(factor / reach.detach().to(factor))) * 2.0**-stage.op.shift
    return encoded(lanes, stage.own("offset", lanes), factor, stage.op.low, stage.op.high, reach)


def _select(stage: StageModule, lanes: torch.Tensor) -> torch.Tensor:
    chosen = lanes.index_select(0, stage.index)
    if not (stage.op.index == vector.PAD).any():
        return chosen
    return torch.where(stage.absent, stage.fill.to(lanes.dtype), chosen)


def _largest(stage: StageModule, lanes: torch.Tensor) -> torch.Tensor:
    return _taken(stage, lanes).amax(dim=1)


def _weighted_sum(stage: StageModule, lanes: torch.Tensor, *more: torch.Tensor) -> torch.Tensor:
    factor, total = (stage.own(name, lanes) for name in ("factor", "offset"))
    count = stage.index.shape[1]
    if count > MANY_TERMS and not more and lanes.ndim == 2:
        total = (_taken(stage, lanes) * factor).sum(dim=1) + total
    else:
        apart = more or lanes.ndim == 4 or (stage.tiled and len(lanes) == len(stage.index))
        terms = [lanes, *more] if apart else [lanes.index_select(0, stage.index[:, k]) for k in range(count)]
        for k, term in enumerate(terms):
            total = torch.addcmul(total, term, factor[:, k])
    return rounded(total, -vector.LANE_MAX, vector.LANE_MAX)


def _product(stage: StageModule, lanes: torch.Tensor) -> torch.Tensor:
    right = lanes.index_select(0, stage.right) * 2.0**-stage.op.shift
    return rounded(lanes.index_select(0, stage.left) * right, -vector.LANE_MAX, vector.LANE_MAX)


def _limit(stage: StageModule, lanes: torch.Tensor) -> torch.Tensor:
    low, high = stage.op.low, stage.op.high
    if (low == low[0]).all() and (high == high[0]).all():
        return torch.nn.functional.hardtanh(lanes, float(low[0]), float(high[0]))
    return torch.minimum(torch.maximum(lanes, stage.own("low", lanes)), stage.own("high", lanes))


def _table(stage: StageModule, lanes: torch.Tensor) -> torch.Tensor:
    """The numbers are the entries, the gradients those of the straight lines between them."""
    place = (lanes * (stage.multiplier * 2.0**-stage.op.shift) + vector.TABLE_HALF).clamp(0, 2 * vector.TABLE_HALF - 1)
    below = place.detach().floor().long().clamp(max=2 * vector.TABLE_HALF - 2)
    start, end = (stage.entries[at].to(lanes.dtype) for at in (below, below + 1))
    nearest = stage.entries[(place.detach() + 0.5).floor().long().clamp(max=2 * vector.TABLE_HALF - 1)]
    return straight(nearest.to(lanes.dtype), start + (end - start) * (place - below))


def _taken(stage: StageModule, lanes: torch.Tensor) -> torch.Tensor:
    """All terms of each element, (elements, terms, batch)."""
    return lanes.index_select(0, stage.index.flatten()).unflatten(0, stage.index.shape)


STAGES: dict[type, Callable[[StageModule, torch.Tensor], torch.Tensor]] = {
    vector.Encode: _encode, vector.Select: _select, vector.Largest: _largest, vector.WeightedSum: _weighted_sum,
    vector.Product: _product, vector.Limit: _limit, vector.Table: _table,
}
"""What each operation of the vector unit does."""
