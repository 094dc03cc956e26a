"""How the cells of a core hold signed weights: the one place that knows which lines and cells a weight has."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mho.macro_models.types import Array, Flags, Reals


@dataclass(frozen=True)
class CellMap(ABC):
    """Weights ``[row, column]`` in cells ``[driven line, converted line]``, forward.

    Each row has :attr:`row_lines` driven lines, from ``row_lines * row`` up, each column :attr:`column_lines` converted
    ones, and a weight one cell where they cross; arrays of the cells of weights have shape (cells, ...), line of the
    row by line of the column. What cells together stand for is a *difference*, in the unit of the cells and
    proportional to the weight: of conductances, or of whatever a cell of the kind holds.
    """

    rows: int
    """Rows of weights: inputs of the core forward."""
    columns: int
    """Columns of weights: outputs of the core forward."""
    absent_driven: tuple[int, ...] = ()
    """Driven lines that a smaller macro behind the core has not."""
    absent_converted: tuple[int, ...] = ()
    """The same of converted lines."""

    cells: ClassVar[int]
    """Cells of a weight."""
    column_lines: ClassVar[int] = 1
    """Converted lines of a column: 2 where weights are pairs of columns, whose difference the core converts."""

    @property
    def row_lines(self) -> int:
        """Driven lines of a row."""
        return self.cells // self.column_lines

    @property
    def shape(self) -> tuple[int, int]:
        """Cells of the core: (driven lines, converted lines)."""
        return self.row_lines * self.rows, self.column_lines * self.columns

    @property
    def absent(self) -> tuple[Flags, Flags]:
        """Lines that are not there: (driven, converted), boolean."""
        driven, converted = (np.zeros(lines, dtype=bool) for lines in self.shape)
        driven[list(self.absent_driven)] = True
        converted[list(self.absent_converted)] = True
        return driven, converted

    def dead(self, lines_off: tuple[ArrayLike, ArrayLike] | None = None) -> tuple[Flags, Flags]:
        """Lines that serve nobody, (driven, converted): those that are not there, and the dead ones that are given."""
        if lines_off is None:
            return self.absent
        driven, converted = (np.asarray(a, dtype=bool) | b for a, b in zip(lines_off, self.absent, strict=True))
        return driven, converted

    @property
    def there(self) -> tuple[int, int]:
        """Rows and columns of weights whose lines are there."""
        driven, converted = self.absent
        return int((self.per_row(driven) == 0).sum()), int((self.per_column(converted) == 0).sum())

    def lines_of(self, rows: ArrayLike) -> NDArray[np.intp]:
        """Driven lines of some rows, of shape (lines of a row, rows)."""
        return self.row_lines * np.asarray(rows, dtype=np.intp) + np.arange(self.row_lines)[:, None]

    def converted_of(self, columns: ArrayLike) -> NDArray[np.intp]:
        """Converted lines of some columns, of shape (lines of a column, columns)."""
        return self.column_lines * np.asarray(columns, dtype=np.intp) + np.arange(self.column_lines)[:, None]

    def per_row(self, values: Array) -> Array:
        """Sums over the lines of each row, of shape (rows,), of ``values`` of the driven lines."""
        return values.reshape(self.rows, self.row_lines).sum(axis=1)

    def per_column(self, values: Array) -> Array:
        """Sums over the lines of each column, of shape (columns,), of ``values`` of the converted lines."""
        return values.reshape(self.columns, self.column_lines).sum(axis=1)

    def take(self, array: Array, rows: ArrayLike, columns: ArrayLike) -> Array:
        """Cells of a block of weights, of shape (cells, rows, columns), out of those of a core."""
        cells = array[self._crossings(rows, columns)]
        return cells.reshape(self.cells, *cells.shape[2:])

    def put(self, array: Array, rows: ArrayLike, columns: ArrayLike, values: Array) -> None:
        """Write the cells of a block of weights into those of a core; inverse of :meth:`take`."""
        array[self._crossings(rows, columns)] = values.reshape(self.row_lines, self.column_lines, *values.shape[1:])

    def gated_by(self, rows: ArrayLike, columns: ArrayLike) -> tuple[NDArray[np.intp], ...]:
        """Indices of the cells that the load of columns is of, (driven lines, columns): of a pair those of one line."""
        return np.ix_(self.lines_of(rows).ravel(), self.converted_of(columns)[0])

    def _crossings(self, rows: ArrayLike, columns: ArrayLike) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Indices of cells, of shape (lines of a row, lines of a column, rows, columns) together."""
        return self.lines_of(rows)[:, None, :, None], self.converted_of(columns)[None, :, None, :]

    @abstractmethod
    def top(self, low: float, high: float) -> float:
        """Largest difference that cells from ``low`` to ``high`` can make; the least is its negative."""

    @abstractmethod
    def split(self, difference: Array, low: float, high: float) -> Array:
        """Cells that make differences, of shape (cells, ...), none below ``low`` or above ``high``."""

    @abstractmethod
    def join(self, cells: Array) -> Array:
        """Differences that cells make; inverse of :meth:`split`."""

    @abstractmethod
    def reach(self, fixed: Reals, low: float, high: float) -> tuple[Reals, Reals]:
        """Least and largest difference of each weight whose faulty cells hold ``fixed``, (cells, ...), NaN if sound."""

    @abstractmethod
    def split_around(self, difference: Reals, fixed: Reals, low: float, high: float) -> Reals:
        """Cells that make differences in the reach of weights with faulty cells, which get what they hold."""


@dataclass(frozen=True)
class DifferentialPairs(CellMap):
    """A weight is a pair of cells on an even and an odd driven line: their difference.

    The cell that does not carry the sign stays at the floor (the "sign" mapping of NeuRRAM).
    """

    cells: ClassVar[int] = 2

    def top(self, low: float, high: float) -> float:
        """The range of one cell."""
        return high - low

    def split(self, difference: Array, low: float, high: float) -> Array:
        """The even cell takes what is positive, the odd one what is negative."""
        return np.stack([low + np.maximum(difference, 0.0), low + np.maximum(-difference, 0.0)])

    def join(self, cells: Array) -> Array:
        """Even less odd."""
        return cells[0] - cells[1]

    def reach(self, fixed: Reals, low: float, high: float) -> tuple[Reals, Reals]:
        """See :meth:`CellMap.reach`."""
        sound = np.isnan(fixed)
        low_end = np.where(sound[0], low, fixed[0]) - np.where(sound[1], high, fixed[1])
        high_end = np.where(sound[0], high, fixed[0]) - np.where(sound[1], low, fixed[1])
        return low_end, high_end

    def split_around(self, difference: Reals, fixed: Reals, low: float, high: float) -> Reals:
        """The sound cell of a pair makes the difference with what the other one holds."""
        plus, minus = self.split(difference, low, high)
        plus = np.where(np.isnan(fixed[1]), plus, np.clip(fixed[1] + difference, low, high))
        minus = np.where(np.isnan(fixed[0]), minus, np.clip(fixed[0] - difference, low, high))
        return np.where(np.isnan(fixed), np.stack([plus, minus]), fixed)


@dataclass(frozen=True)
class ColumnPairs(DifferentialPairs):
    """A weight is a pair of cells on an even and an odd converted line, whose difference the core converts."""

    column_lines: ClassVar[int] = 2


@dataclass(frozen=True)
class OffsetCells(CellMap):
    """A weight is one cell, less the middle of its range, which a reference column has in each row."""

    middle_uS: float = 0.0
    """What the cells of the reference column conduct."""
    cells: ClassVar[int] = 1

    def top(self, low: float, high: float) -> float:
        """Half of the range."""
        return (high - low) / 2.0

    def split(self, difference: Array, low: float, high: float) -> Array:
        """About the reference."""
        return np.clip(np.asarray(difference) + self.middle_uS, low, high)[None]

    def join(self, cells: Array) -> Array:
        """The cell less the reference."""
        return cells[0] - self.middle_uS

    def reach(self, fixed: Reals, low: float, high: float) -> tuple[Reals, Reals]:
        """See :meth:`CellMap.reach`."""
        low_end, high_end = (np.where(np.isnan(fixed[0]), end, fixed[0]) - self.middle_uS for end in (low, high))
        return low_end, high_end

    def split_around(self, difference: Reals, fixed: Reals, low: float, high: float) -> Reals:
        """A faulty cell holds what it does."""
        return np.where(np.isnan(fixed), self.split(difference, low, high), fixed)
