"""Signed weights of a transposable core: differential pairs of bit lines."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mho.macro_models.cell_map import CellMap

__all__ = ["DifferentialPairs"]

Float = NDArray[np.float64]


@dataclass(frozen=True)
class DifferentialPairs(CellMap):
    """A weight is a pair of cells on an even and an odd bit line: their difference.

    The cell that does not carry the sign stays at the floor (the "sign" mapping of NeuRRAM).
    """

    cells: ClassVar[int] = 2

    def top(self, low: float, high: float) -> float:
        """The range of one cell."""
        return high - low

    def split(self, difference: NDArray[Any], low: float, high: float) -> NDArray[Any]:
        """The even cell takes what is positive, the odd one what is negative."""
        return np.stack([low + np.maximum(difference, 0.0), low + np.maximum(-difference, 0.0)])

    def join(self, cells: NDArray[Any]) -> NDArray[Any]:
        """Even less odd."""
        return cells[0] - cells[1]

    def reach(self, held: Float, low: float, high: float) -> tuple[Float, Float]:
        """See :meth:`CellMap.reach`."""
        sound = np.isnan(held)
        least = np.where(sound[0], low, held[0]) - np.where(sound[1], high, held[1])
        most = np.where(sound[0], high, held[0]) - np.where(sound[1], low, held[1])
        return least, most

    def split_around(self, difference: Float, held: Float, low: float, high: float) -> Float:
        """The sound cell of a pair makes the difference with what the other one holds."""
        plus, minus = self.split(difference, low, high)
        plus = np.where(np.isnan(held[1]), plus, np.clip(held[1] + difference, low, high))
        minus = np.where(np.isnan(held[0]), minus, np.clip(held[0] - difference, low, high))
        return np.where(np.isnan(held), np.stack([plus, minus]), held)
