"""Where rectangles of weights lie in a tile: on shelves, or wherever cells are free, around lines that are dead.

Each begins at a row and a column at which words of codes begin.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np

from mho.compiler.mapping.packing.pack import MASKS, Rectangle
from mho.compiler.tile.lowering.geometry import CODES_IN, CODES_OUT
from mho.macro_models.types import Flags

Dead = tuple[Flags, Flags]
"""Which rows and columns are dead."""


@dataclass
class Tile:
    """A tile: ``taken`` has (rectangle, first row, first column) of what lies there, ``works`` positions of layers."""

    dead: Dead
    works: Sequence[int]
    taken: list[tuple[Rectangle, int, int]] = field(default_factory=list[tuple[Rectangle, int, int]])

    @property
    def work(self) -> int:
        return sum(self.works[rectangle.layer] for rectangle, _, _ in self.taken)

    def puts(self, rectangles: Sequence[Rectangle]) -> Self | None:
        """The tile with all of some rectangles, None if they do not fit."""
        trial = self._copied()
        for rectangle in rectangles:
            place = trial._place(rectangle) if len(trial.taken) < MASKS else None
            if place is None:
                return None
            trial.taken.append((rectangle, *place))
        return trial

    def _copied(self) -> Self:
        return replace(self, taken=list(self.taken))

    def _place(self, piece: Rectangle) -> tuple[int, int] | None:
        """First row and column for another rectangle, which are its own from now on."""
        raise NotImplementedError


@dataclass
class Shelves(Tile):
    """A tile with ``shelves`` of [first row, height, columns in use], the last of which may become higher."""

    shelves: list[list[int]] = field(default_factory=list[list[int]])

    def _copied(self) -> Self:
        return replace(self, taken=list(self.taken), shelves=[list(shelf) for shelf in self.shelves])

    def _place(self, piece: Rectangle) -> tuple[int, int] | None:
        rows, columns = (len(side) for side in self.dead)
        height, width = _up(piece.height, CODES_IN), _up(piece.width, CODES_OUT)
        for shelf in self.shelves:
            high = rows - shelf[0] if shelf is self.shelves[-1] else shelf[1]
            column = _free(self.dead[1], shelf[2], piece.width, CODES_OUT)
            dead = self.dead[0][shelf[0] : shelf[0] + piece.height].any()
            if height <= high and column + width <= columns and not dead:
                shelf[1:] = max(shelf[1], height), column + width
                return shelf[0], column
        behind = max([shelf[0] + shelf[1] for shelf in self.shelves], default=0)
        first = _free(self.dead[0], behind, piece.height, CODES_IN)
        column = _free(self.dead[1], 0, piece.width, CODES_OUT)
        if first + height > rows or column + width > columns:
            return None
        self.shelves.append([first, height, column + width])
        return first, column


class Anywhere(Tile):
    """A tile whose rectangles lie in the first rows, and there in the first columns, that are free."""

    def _place(self, piece: Rectangle) -> tuple[int, int] | None:
        rows, columns = (np.logical_or.reduceat(side, np.arange(0, len(side), unit))
                         for side, unit in zip(self.dead, (CODES_IN, CODES_OUT), strict=True))
        busy = rows[:, None] | columns
        for rectangle, row, column in self.taken:
            row, column = row // CODES_IN, column // CODES_OUT
            busy[row : row - (-rectangle.height // CODES_IN), column : column - (-rectangle.width // CODES_OUT)] = True
        height, width = -(-piece.height // CODES_IN), -(-piece.width // CODES_OUT)
        if height > len(rows) or width > len(columns):
            return None
        total = np.pad(busy.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
        inside = total[height:, width:] - total[:-height, width:] - total[height:, :-width] + total[:-height, :-width]
        place = int(np.argmin(inside != 0))
        row, column = divmod(place, inside.shape[1])
        return None if inside[row, column] else (row * CODES_IN, column * CODES_OUT)


def _up(size: int, unit: int) -> int:
    return -(-size // unit) * unit


def _free(dead: Flags, first: int, count: int, unit: int) -> int:
    """The first place from which on no line of some is dead; behind all of them, if there is none."""
    at = _up(first, unit)
    while at + count <= len(dead) and dead[at : at + count].any():
        at = _up(at + int(np.flatnonzero(dead[at : at + count])[-1]) + 1, unit)
    return at
