"""Models of the made-up kind: one cell a weight, what is above the middle of its range is positive."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mho.macro_models.cell_map import CellMap
from mho.macro_models.integer.masks import Masks
from mho.macro_models.integer.operation import Converter, Direction, MvmOperation
from mho.macro_models.kinds import Family
from mho.macro_models.macro import MvmResult
from mho.macro_models.programmed import ConductanceGrid, ProgrammedCore


@dataclass(frozen=True)
class OffsetCells(CellMap):
    """A weight is what its cell holds above or below a middle."""

    middle: float = 0.0
    cells: ClassVar[int] = 1

    def top(self, low, high):
        return min(high - self.middle, self.middle - low)

    def split(self, difference, low, high):
        return np.clip(self.middle + difference, low, high)[None]

    def join(self, cells):
        return cells[0] - self.middle

    def reach(self, fixed, low, high):
        return self.join(np.where(np.isnan(fixed), low, fixed)), self.join(np.where(np.isnan(fixed), high, fixed))

    def split_around(self, difference, fixed, low, high):
        return np.where(np.isnan(fixed), self.split(difference, low, high), fixed)


@dataclass(frozen=True, kw_only=True)
class PlainConfig(ConductanceGrid):
    kind: ClassVar[str] = "plain"
    lines: int
    columns: int
    bits: int
    g_bits: int = 4
    g_min_uS: float = 1.0
    g_max_uS: float = 40.0
    g_full_scale_uS: float = 50.0

    @property
    def cell_map(self) -> OffsetCells:
        return OffsetCells(self.lines, self.columns, middle=(self.g_min_uS + self.g_max_uS) / 2)

    def inputs(self, direction: Direction) -> int:
        return self.lines

    def load(self, g: NDArray[Any], *, axis: int, unit_uS: float = 1.0) -> NDArray[Any]:
        return np.full(np.sum(g, axis=axis).shape, self.g_max_uS / unit_uS)

    def limit(self, step_code: int) -> float:
        return float(step_code << self.bits - 1)

    def active_causes(self, device: Any) -> frozenset[str]:
        return frozenset()


class PlainModel(ProgrammedCore[PlainConfig]):
    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> "PlainModel":
        config = {name: value for name, value in state["config"].items() if name != "kind"}
        model = cls._restored(PlainConfig(**config), state)
        model._begin()
        return model

    def _begin(self) -> None:
        self.weights = self.cells.astype(np.int64) - 2 ** (self.config.g_bits - 1)

    def converted(self, charge: NDArray[np.int64], step_code: int) -> NDArray[np.int64]:
        top = 2 ** (self.config.bits - 1)
        return np.clip(charge // step_code, -top, top - 1)

    def charge(self, op: MvmOperation, masks: Masks, x: ArrayLike) -> NDArray[np.int64]:
        return (np.asarray(x, dtype=np.int64) * masks.driven(op)) @ self.weights

    def mvm(self, op: MvmOperation, masks: Masks, x: ArrayLike, op_id: ArrayLike) -> MvmResult:
        charge = self.charge(op, masks, x)
        raw, most = 2 * self.converted(charge, op.step_code) + 1, 2**op.out_bits - 1
        codes = np.where(masks.enabled(op) & ~(op.relu & (raw < 0)), np.clip(raw, -most, most), 0)
        clipped = (np.abs(charge) >= self.config.limit(op.step_code)).sum(axis=1)
        return MvmResult(codes.astype(np.int16), np.zeros((len(charge), 1), dtype=np.int64), clipped=clipped)

    def supports(self, op: MvmOperation) -> bool:
        plain = op.converter is Converter.COUNT and not op.early_stop and op.direction is Direction.FORWARD
        return plain and op.out_bits <= self.config.bits

    def full_scale(self, op: MvmOperation, masks: Masks, x: ArrayLike) -> float:
        return float(np.abs(self.charge(op, masks, x)).max(initial=0)) / 2 ** (self.config.bits - 1)


FAMILY = Family(config=PlainConfig, model=PlainModel)
