"""How the cells of a core hold signed weights: the one place that knows which lines and cells a weight has."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["CellMap"]

Float = NDArray[np.float64]


@dataclass(frozen=True)
class CellMap(ABC):
    """Weights ``[row, column]`` in cells ``[driven line, converted line]``, forward.

    Each row has :attr:`cells` driven lines, from ``cells * row`` up, and a weight one cell on each of them; arrays of
    the cells of weights have shape (cells, ...). What cells together stand for is a *difference*, in the unit of their
    conductances and proportional to the weight.
    """

    rows: int
    """Rows of weights: inputs of the core forward."""
    columns: int
    """Columns of weights: converted lines."""
    absent_driven: tuple[int, ...] = ()
    """Driven lines that a smaller macro behind the core has not."""
    absent_converted: tuple[int, ...] = ()
    """The same of converted lines."""

    cells: ClassVar[int]
    """Cells of a weight."""

    @property
    def shape(self) -> tuple[int, int]:
        """Cells of the core: (driven lines, converted lines)."""
        return self.cells * self.rows, self.columns

    @property
    def absent(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Lines that are not there: (driven, converted), boolean."""
        driven, converted = (np.zeros(lines, dtype=bool) for lines in self.shape)
        driven[list(self.absent_driven)] = True
        converted[list(self.absent_converted)] = True
        return driven, converted

    def dead(
        self, lines_off: tuple[ArrayLike, ArrayLike] | None = None
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Lines that serve nobody, (driven, converted): those that are not there, and the dead ones that are given."""
        if lines_off is None:
            return self.absent
        driven, converted = (np.asarray(a, dtype=bool) | b for a, b in zip(lines_off, self.absent, strict=True))
        return driven, converted

    @property
    def there(self) -> tuple[int, int]:
        """Rows and columns of weights whose lines are there."""
        driven, converted = self.absent
        return int((self.per_row(driven) == 0).sum()), int((~converted).sum())

    def lines_of(self, rows: ArrayLike) -> NDArray[np.intp]:
        """Driven lines of some rows, of shape (cells, rows)."""
        return self.cells * np.asarray(rows, dtype=np.intp) + np.arange(self.cells)[:, None]

    def per_row(self, values: NDArray[Any]) -> NDArray[Any]:
        """Sums over the lines of each row, of shape (rows,), of ``values`` of the driven lines."""
        return values.reshape(self.rows, self.cells).sum(axis=1)

    def take(self, array: NDArray[Any], rows: ArrayLike, columns: NDArray[np.integer]) -> NDArray[Any]:
        """Cells of a block of weights, of shape (cells, rows, columns), out of those of a core."""
        return array[self.lines_of(rows)[:, :, None], columns]

    def put(self, array: NDArray[Any], rows: ArrayLike, columns: NDArray[np.integer], values: NDArray[Any]) -> None:
        """Write the cells of a block of weights into those of a core; inverse of :meth:`take`."""
        array[self.lines_of(rows)[:, :, None], columns] = values

    @abstractmethod
    def top(self, low: float, high: float) -> float:
        """Largest difference that cells from ``low`` to ``high`` can make; the least is its negative."""

    @abstractmethod
    def split(self, difference: NDArray[Any], low: float, high: float) -> NDArray[Any]:
        """Cells that make differences, of shape (cells, ...), none below ``low`` or above ``high``."""

    @abstractmethod
    def join(self, cells: NDArray[Any]) -> NDArray[Any]:
        """Differences that cells make; inverse of :meth:`split`."""

    @abstractmethod
    def reach(self, held: Float, low: float, high: float) -> tuple[Float, Float]:
        """Least and largest difference of each weight whose faulty cells hold ``held``, (cells, ...), NaN if sound."""

    @abstractmethod
    def split_around(self, difference: Float, held: Float, low: float, high: float) -> Float:
        """Cells that make differences in the reach of weights with faulty cells, which get what they hold."""
