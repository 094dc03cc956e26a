"""Signed weights of a phase-change core: one or two devices for each sign, filled one after the other."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mho.macro_models.cell_map import CellMap

__all__ = ["DeviceQuads", "FilledDevices"]

Float = NDArray[np.float64]


@dataclass(frozen=True)
class FilledDevices(CellMap):
    """A weight is what the devices for its positive part have together, less those for its negative part.

    Only the part of the weight's sign is above the lowest conductance (RESET), and its devices are filled one after the
    other ("max-SET-fill", US patent 12,254,222): at most one device of a weight is between RESET and SET, where devices
    scatter and drift most. One device a sign. Lines of a row: positive devices, then negative ones.
    """

    cells: ClassVar[int] = 2

    @property
    def each(self) -> int:
        """Devices of one sign."""
        return self.cells // 2

    def top(self, low: float, high: float) -> float:
        """The range of the devices of one sign."""
        return self.each * (high - low)

    def split(self, difference: NDArray[Any], low: float, high: float) -> NDArray[Any]:
        """Each sign's devices in turn take what those before could not."""
        return np.stack([
            low + np.clip(part - k * (high - low), 0.0, high - low)
            for part in (difference, -difference) for k in range(self.each)
        ])

    def join(self, cells: NDArray[Any]) -> NDArray[Any]:
        """Positive less negative devices."""
        return cells[: self.each].sum(axis=0) - cells[self.each :].sum(axis=0)

    def reach(self, fixed: Float, low: float, high: float) -> tuple[Float, Float]:
        """See :meth:`CellMap.reach`."""
        low_cells, high_cells = np.where(np.isnan(fixed), low, fixed), np.where(np.isnan(fixed), high, fixed)
        ends = (low_cells, high_cells)
        low_end, high_end = (
            self.join(np.concatenate([ends[k][: self.each], ends[1 - k][self.each :]])) for k in (0, 1)
        )
        return low_end, high_end

    def split_around(self, difference: Float, fixed: Float, low: float, high: float) -> Float:
        """Sound devices make what the faulty ones leave: those of the sign that is wanted first, in turn."""
        faulty = ~np.isnan(fixed)
        cells = np.where(faulty, fixed, low)
        rest = difference - self.join(cells)
        for k in range(self.cells):
            sign = 1.0 if k < self.each else -1.0
            step = np.where(faulty[k], 0.0, np.clip(sign * rest, 0.0, high - low))
            cells[k] += step
            rest = rest - sign * step
        return cells


@dataclass(frozen=True)
class DeviceQuads(FilledDevices):
    """Two devices for each sign: what a unit cell has in all."""

    cells: ClassVar[int] = 4
