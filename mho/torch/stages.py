"""What the vector unit does between layers, on tensors: integers bit for bit, or their smooth forms with gradients.

A lane is a whole number in single precision; elements are first, the batch last. Each module has ``smooth``, of floats and with gradients, and ``exact``,
the integers of :mod:`mho.macro_models.integer.vector`.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch  # pyright: ignore[reportMissingImports]

from mho.macro_models.integer.vector import (
    LANE_MAX,
    PAD,
    TABLE_HALF,
    Encode,
    Largest,
    Limit,
    Product,
    Select,
    Table,
    WeightedSum,
)
from mho.torch.straight import rounded, shifted, straight

MANY_TERMS = 8
"""Terms of a sum from which on they are taken together."""


class StageModule(torch.nn.Module):
    """A stage; tensors of the operation are buffers, of the type of whole numbers or of single precision."""

    def hold(self, **arrays: np.ndarray) -> None:
        """Keep arrays as buffers that no state dict has: indices and other whole numbers as int64."""
        for name, array in arrays.items():
            self.register_buffer(name, torch.as_tensor(np.asarray(array).astype(np.int64)), persistent=False)

    def forward(self, lanes: torch.Tensor, exact: bool) -> torch.Tensor:
        """Lanes of shape (elements, batch) from those of all inputs one behind the other."""
        if not exact:
            return self.smooth(lanes)
        with torch.no_grad():
            whole = self.exact(lanes.long()).float()
        return straight(whole, self.smooth(lanes)) if torch.is_grad_enabled() and lanes.requires_grad else whole

    def smooth(self, lanes: torch.Tensor) -> torch.Tensor:
        raise NotImplementedError

    def exact(self, lanes: torch.Tensor) -> torch.Tensor:
        raise NotImplementedError


class EncodeModule(StageModule):
    """Lanes to input codes of a layer, whose learned ``reach`` widens the range of each."""

    def __init__(self, op: Encode) -> None:
        super().__init__()
        self.op, self.reach = op, lambda: None
        self.hold(offset=op.offset[:, None], multiplier=op.multiplier[:, None])

    def _factor(self) -> torch.Tensor:
        reach = self.reach()
        return self.multiplier.float() if reach is None else self.multiplier.float() / reach

    @property
    def whole_factor(self) -> torch.Tensor:
        """Multipliers with the range that was learned."""
        return torch.round(self._factor()).long()

    def smooth(self, lanes: torch.Tensor) -> torch.Tensor:
        factor = self._factor().float() * 2.0**-self.op.shift
        return rounded(torch.addcmul(-self.offset * factor, lanes, factor), self.op.low, self.op.high)

    def exact(self, lanes: torch.Tensor) -> torch.Tensor:
        total = (lanes - self.offset) * self.whole_factor
        return shifted(total, self.op.shift).clamp(self.op.low, self.op.high)


class SelectModule(StageModule):
    def __init__(self, op: Select) -> None:
        super().__init__()
        self.hold(index=np.maximum(op.index, 0), fill=op.fill[:, None])
        self.register_buffer("absent", torch.as_tensor(op.index == PAD)[:, None], persistent=False)
        self.whole = not (op.index == PAD).any()

    def smooth(self, lanes: torch.Tensor) -> torch.Tensor:
        chosen = lanes.index_select(0, self.index)
        return chosen if self.whole else torch.where(self.absent, self.fill.to(lanes.dtype), chosen)

    exact = smooth


class LargestModule(StageModule):
    def __init__(self, op: Largest) -> None:
        super().__init__()
        self.hold(index=op.index)

    def smooth(self, lanes: torch.Tensor) -> torch.Tensor:
        return lanes.index_select(0, self.index.flatten()).unflatten(0, self.index.shape).amax(dim=1)

    exact = smooth


class WeightedSumModule(StageModule):
    def __init__(self, op: WeightedSum) -> None:
        super().__init__()
        self.shift = op.shift
        self.hold(index=np.maximum(op.index, 0), multiplier=np.where(op.index < 0, 0, op.multiplier)[..., None],
                  offset=op.offset[:, None])
        self.runs = [_run(column) for column in np.maximum(op.index, 0).T]

    def _total(self, lanes: torch.Tensor, multiplier: torch.Tensor) -> torch.Tensor:
        if len(self.runs) > MANY_TERMS:
            taken = lanes.index_select(0, self.index.flatten()).unflatten(0, self.index.shape)
            return (taken * multiplier).sum(dim=1)
        parts = [lanes[run] if run is not None else lanes.index_select(0, self.index[:, k])
                 for k, run in enumerate(self.runs)]
        total = parts[0] * multiplier[:, 0]
        for k, part in enumerate(parts[1:], start=1):
            total = total + part * multiplier[:, k]
        return total

    def smooth(self, lanes: torch.Tensor) -> torch.Tensor:
        total = self._total(lanes, self.multiplier.float() * 2.0**-self.shift)
        return rounded(total + self.offset, -LANE_MAX, LANE_MAX)

    def exact(self, lanes: torch.Tensor) -> torch.Tensor:
        total = shifted(self._total(lanes, self.multiplier), self.shift)
        return (total + self.offset).clamp(-LANE_MAX, LANE_MAX)


class ProductModule(StageModule):
    def __init__(self, op: Product) -> None:
        super().__init__()
        self.shift = op.shift
        self.hold(left=op.left, right=op.right)

    def smooth(self, lanes: torch.Tensor) -> torch.Tensor:
        product = lanes.index_select(0, self.left) * (lanes.index_select(0, self.right) * 2.0**-self.shift)
        return rounded(product, -LANE_MAX, LANE_MAX)

    def exact(self, lanes: torch.Tensor) -> torch.Tensor:
        product = lanes.index_select(0, self.left) * lanes.index_select(0, self.right)
        return shifted(product, self.shift).clamp(-LANE_MAX, LANE_MAX)


class LimitModule(StageModule):
    def __init__(self, op: Limit) -> None:
        super().__init__()
        self.hold(low=op.low[:, None], high=op.high[:, None])
        self.alike = (int(op.low[0]), int(op.high[0])) if (op.low == op.low[0]).all() and (op.high == op.high[0]).all() \
            else None

    def smooth(self, lanes: torch.Tensor) -> torch.Tensor:
        if self.alike is not None:
            return lanes.clamp(*self.alike)
        return torch.minimum(torch.maximum(lanes, self.low.to(lanes.dtype)), self.high.to(lanes.dtype))

    exact = smooth


class TableModule(StageModule):
    """A function by look-up; the smooth one is on the straight lines between entries."""

    def __init__(self, op: Table) -> None:
        super().__init__()
        self.shift = op.shift
        self.hold(multiplier=op.multiplier[:, None], entries=op.entries)

    def smooth(self, lanes: torch.Tensor) -> torch.Tensor:
        place = lanes * (self.multiplier.float() * 2.0**-self.shift) + TABLE_HALF
        place = place.clamp(0, 2 * TABLE_HALF - 1)
        below = place.detach().floor().long().clamp(max=2 * TABLE_HALF - 2)
        start, end = self.entries[below].float(), self.entries[below + 1].float()
        return start + (end - start) * (place - below)

    def exact(self, lanes: torch.Tensor) -> torch.Tensor:
        place = shifted(lanes * self.multiplier, self.shift) + TABLE_HALF
        return self.entries[place.clamp(0, 2 * TABLE_HALF - 1)]


def _run(index: np.ndarray) -> slice | None:
    """The same elements as a slice, where each is the one after the last."""
    first = int(index[0])
    return slice(first, first + len(index)) if (index == np.arange(first, first + len(index))).all() else None


STAGES: dict[type, Callable[[Any], StageModule]] = {
    Encode: EncodeModule, Select: SelectModule, Largest: LargestModule, WeightedSum: WeightedSumModule,
    Product: ProductModule, Limit: LimitModule, Table: TableModule,
}
"""Module of each operation of the vector unit."""
