"""Packing of rectangles of weights into cores and tiles: on shelves, or wherever cells are free.

Both are heuristics that take rectangles in some order. Shelves serve as long as nothing takes fewer cores; the other
way is tried where the bound (:mod:`.packer`) says that fewer might do.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise, product
from typing import Self

MASKS = 8
"""Word-line masks, and masks of converted lines, that a core holds."""

ROUNDS = 24
"""How often what did not fit is put first, for each order."""

MOST_WORK = 20_000
"""Rectangles that are put altogether while fewer cores are sought: what bounds the time."""


@dataclass(frozen=True)
class Rectangle:
    """A part of a layer: ``height`` rows from its row ``first``, and ``outputs`` from ``first_output``."""

    layer: int
    first: int
    height: int
    first_output: int
    outputs: int
    copies: int
    slices: int

    @cached_property
    def width(self) -> int:
        """Columns that it takes."""
        return self.outputs * self.copies * self.slices


@dataclass(frozen=True)
class Lines:
    """Rows or columns of a core: how many, at multiples of which rectangles begin, which are dead, in their order."""

    count: int
    unit: int = 1
    dead: Sequence[int] = ()

    def up(self, size: int) -> int:
        """The next multiple of the unit."""
        return size if self.unit == 1 else -(-size // self.unit) * self.unit

    def free(self, first: int, count: int) -> int:
        """The first place from which on no line of so many is dead; behind all lines, if there is none."""
        at = self.up(first)
        while self.dead and at + count <= self.count:
            behind = bisect_left(self.dead, at + count)
            if behind == bisect_left(self.dead, at):
                break
            at = self.up(self.dead[behind - 1] + 1)
        return at

    @property
    def runs(self) -> list[tuple[int, int]]:
        """First line, and line behind, of whole units side by side of which no line is dead."""
        ends = [-1, *dict.fromkeys(line // self.unit for line in self.dead), self.up(self.count) // self.unit]
        return [((a + 1) * self.unit, b * self.unit) for a, b in pairwise(ends) if b > a + 1]


@dataclass
class Cells:
    """Cells of a core while it is packed; ``taken`` has (rectangle, its first row, its first column)."""

    rows: Lines
    columns: Lines
    taken: list[tuple[Rectangle, int, int]] = field(default_factory=list[tuple[Rectangle, int, int]])

    def put(self, rectangle: Rectangle) -> bool:
        """Puts a rectangle where it fits, if it does."""
        place = self._place(rectangle) if len(self.taken) < MASKS else None
        if place is not None:
            self.taken.append((rectangle, *place))
        return place is not None

    def with_all(self, rectangles: Sequence[Rectangle]) -> Self | None:
        """Another one with more rectangles, None if they do not all fit."""
        trial = self._copied()
        return trial if all(trial.put(rectangle) for rectangle in rectangles) else None

    def _copied(self) -> Self:
        return replace(self, taken=list(self.taken))

    def _place(self, piece: Rectangle) -> tuple[int, int] | None:
        """First row and column for another rectangle, which are its own from now on."""
        raise NotImplementedError


@dataclass
class Shelves(Cells):
    """With ``shelves`` of [first row, height, columns in use], the last of which may become higher."""

    shelves: list[list[int]] = field(default_factory=list[list[int]])

    def _copied(self) -> Self:
        return replace(self, taken=list(self.taken), shelves=[list(shelf) for shelf in self.shelves])

    def _place(self, piece: Rectangle) -> tuple[int, int] | None:
        rows, columns = self.rows, self.columns
        height, width = rows.up(piece.height), columns.up(piece.width)
        for shelf in self.shelves:
            high = rows.count - shelf[0] if shelf is self.shelves[-1] else shelf[1]
            if height > high or shelf[2] + width > columns.count or rows.free(shelf[0], piece.height) != shelf[0]:
                continue
            column = columns.free(shelf[2], piece.width)
            if column + width <= columns.count:
                shelf[1:] = max(shelf[1], height), column + width
                return shelf[0], column
        behind = max([shelf[0] + shelf[1] for shelf in self.shelves], default=0)
        first, column = rows.free(behind, piece.height), columns.free(0, piece.width)
        if first + height > rows.count or column + width > columns.count:
            return None
        self.shelves.append([first, height, column + width])
        return first, column


Space = tuple[int, int, int, int]
"""Free cells: (first row, first column, row behind, column behind)."""


@dataclass
class Anywhere(Cells):
    """With rectangles in the first rows, and there in the first columns, that are free.

    ``spaces`` are the maximal empty rectangles (Jylanki, A thousand ways to pack the bin, 2010).
    """

    spaces: list[Space] | None = None

    def _place(self, piece: Rectangle) -> tuple[int, int] | None:
        height, width = self.rows.up(piece.height), self.columns.up(piece.width)
        if self.spaces is None:
            sides = product(self.rows.runs, self.columns.runs)
            self.spaces = [(top, left, bottom, right) for (top, bottom), (left, right) in sides]
        places = [s[:2] for s in self.spaces if height <= s[2] - s[0] and width <= s[3] - s[1]]
        if not places:
            return None
        top, left = min(places)
        bottom, right, spaces = top + height, left + width, list[Space]()
        for space in self.spaces:
            t, w, b, e = space
            if t >= bottom or b <= top or w >= right or e <= left:
                spaces.append(space)
                continue
            parts = ((t, w, top, e), (bottom, w, b, e), (t, w, b, left), (t, right, b, e))
            spaces += [p for p in parts if p[0] < p[2] and p[1] < p[3]]
        unique = list(dict.fromkeys(spaces))
        self.spaces = [s for s in unique if not any(o is not s and _holds(o, s) for o in unique)]
        return top, left


def _holds(outer: Space, inner: Space) -> bool:
    return outer[0] <= inner[0] and outer[1] <= inner[1] and outer[2] >= inner[2] and outer[3] >= inner[3]


New = Callable[[type[Cells], int], Cells]
"""Makes an empty core of a kind from its number; any rectangle fits any empty core."""
Place = tuple[int, int, int]

_ORDERS: Sequence[Callable[[Rectangle], tuple[int, ...]]] = (
    lambda r: (-r.height, -r.width), lambda r: (-r.width, -r.height), lambda r: (-r.height * r.width, -r.height),
)
"""Orders in which rectangles are put wherever cells are free: on 120 random sets of 3 to 40 they take 390 cores where
30 ways of choosing order and place took 389, shelves 426."""


def _highest_first(rectangle: Rectangle) -> tuple[int, ...]:
    return (-rectangle.height,)


@dataclass(frozen=True)
class Packing:
    """A way of packing: the kind of cores, and the order; ``places`` has rectangles that come first, in theirs."""

    kind: type[Cells] = Shelves
    order: Callable[[Rectangle], tuple[int, ...]] = _highest_first
    places: Mapping[Place, int] = field(default_factory=dict[Place, int])

    def sort(self, rectangles: Sequence[Rectangle]) -> list[Rectangle]:
        """Rectangles in the order in which they are packed; they may have grown since it was found."""
        ordered, last = sorted(rectangles, key=self.order), len(self.places)
        return sorted(ordered, key=lambda r: self.places.get(_identity(r), last)) if last else ordered

    def pack(
        self, rectangles: Sequence[Rectangle], new: New, limit: int | None = None, *, all_or_none: bool = False
    ) -> tuple[list[Cells], list[Rectangle]]:
        """Cores, at most ``limit``, with rectangles in the order given, each in the first with room; those left over.

        With ``all_or_none`` the first that does not fit is the last that is tried.
        """
        cores: list[Cells] = []
        left: list[Rectangle] = []
        # Those before the core of the last rectangle of a size only get fuller, and have no room for another.
        first: dict[tuple[int, int], int] = {}
        for r in rectangles:
            size = r.height, r.width
            at = next((k for k in range(first.get(size, 0), len(cores)) if cores[k].put(r)), len(cores))
            first[size] = at
            if at < len(cores):
                continue
            if at == limit:
                left.append(r)
                if all_or_none:
                    break
                continue
            cores.append(new(self.kind, at))
            cores[-1].put(r)
        return cores, left


def _identity(rectangle: Rectangle) -> Place:
    return rectangle.layer, rectangle.first, rectangle.first_output


def best_packing(rectangles: Sequence[Rectangle], new: New, bound: int) -> tuple[Packing, list[Cells]]:
    """A way of packing, and what it makes of the rectangles: shelves unless the other takes fewer cores.

    It stops at ``bound`` cores, below which nothing can come.
    """
    best = Packing()
    cores, tries = best.pack(best.sort(rectangles), new)[0], iter(range(MOST_WORK // max(1, len(rectangles))))
    while len(cores) > bound and (smaller := _fewer(rectangles, new, len(cores) - 1, tries)) is not None:
        best, cores = smaller
    return best, cores


def _fewer(
    rectangles: Sequence[Rectangle], new: New, limit: int, tries: Iterator[int]
) -> tuple[Packing, list[Cells]] | None:
    """A way that takes at most ``limit`` cores, and the cores; None if none is found in so many ``tries``."""
    waiting = [(order, sorted(rectangles, key=order)) for order in _ORDERS]
    for _ in range(ROUNDS):
        for k, (order, ordered) in enumerate(waiting):
            if next(tries, None) is None:
                return None
            cores, left = Packing(Anywhere).pack(ordered, new, limit)
            if not left:
                return Packing(Anywhere, order, {_identity(r): n for n, r in enumerate(ordered)}), cores
            # What did not fit goes first.
            late = set(left)
            waiting[k] = order, [*left, *(r for r in ordered if r not in late)]
    return None
