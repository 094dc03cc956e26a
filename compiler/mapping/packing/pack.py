"""Packing of rectangles of weights into cores: on shelves, or in whatever rectangles stay free.

Each way is a heuristic that takes rectangles in some order. The first serves as long as none takes fewer cores; the
others are tried where the bound (:mod:`.packer`) says that fewer might do. What lies free is kept as
maximal empty rectangles (Jylanki, A thousand ways to pack the bin, 2010).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product

from mho.macro_models.types import Indices

MASKS = 8
"""Word-line masks, and masks of converted lines, that a core holds."""

ROUNDS = 24
"""How often what did not fit is put first, for each way of choosing a place."""

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

    @property
    def width(self) -> int:
        """Columns that it takes."""
        return self.outputs * self.copies * self.slices


Space = tuple[int, int, int, int]
"""Free cells: (first row, first column, row behind, column behind)."""


@dataclass
class Core:
    """Free rows and columns of a core while it is packed; ``taken`` has (rectangle, its first row, its first column).

    ``shelves`` has [first row, height, columns in use] where it is packed on shelves, which take ``used`` rows, else
    ``spaces`` are the maximal empty rectangles.
    """

    rows: Indices
    columns: Indices
    taken: list[tuple[Rectangle, int, int]] = field(default_factory=list)
    shelves: list[list[int]] = field(default_factory=list)
    used: int = 0
    spaces: list[Space] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.spaces = [(0, 0, len(self.rows), len(self.columns))]

    def on_shelf(self, r: Rectangle) -> bool:
        """Puts a rectangle on the first shelf with room, or on a new one."""
        if len(self.taken) == MASKS:
            return False
        height, space = r.height, len(self.columns) - r.width
        for shelf in self.shelves:
            if shelf[1] >= height and shelf[2] <= space:
                self.taken.append((r, shelf[0], shelf[2]))
                shelf[2] += r.width
                return True
        top = self.used
        if top + height > len(self.rows) or space < 0:
            return False
        self.shelves.append([top, height, r.width])
        self.used = top + height
        self.taken.append((r, top, 0))
        return True

    def put(self, r: Rectangle, space: Space) -> None:
        """Puts a rectangle into the first corner of a space."""
        top, left = space[:2]
        bottom, right = top + r.height, left + r.width
        self.taken.append((r, top, left))
        spaces: list[Space] = []
        for space in self.spaces:
            t, w, b, e = space
            if t >= bottom or b <= top or w >= right or e <= left:
                spaces.append(space)
                continue
            parts = ((t, w, top, e), (bottom, w, b, e), (t, w, b, left), (t, right, b, e))
            spaces += [p for p in parts if p[0] < p[2] and p[1] < p[3]]
        unique = list(dict.fromkeys(spaces))
        self.spaces = [s for s in unique if not any(o is not s and _holds(o, s) for o in unique)]


def _holds(outer: Space, inner: Space) -> bool:
    return outer[0] <= inner[0] and outer[1] <= inner[1] and outer[2] >= inner[2] and outer[3] >= inner[3]


Key = tuple[int, ...]
_ORDERS: dict[str, Callable[[Rectangle], Key]] = {
    "height": lambda r: (-r.height, -r.width),
    "width": lambda r: (-r.width, -r.height),
    "area": lambda r: (-r.height * r.width, -r.height),
    "side": lambda r: (-max(r.height, r.width), -min(r.height, r.width)),
    "girth": lambda r: (-r.height - r.width, -r.height),
}

_FITS: dict[str, Callable[[Rectangle, Space], Key]] = {
    "corner": lambda r, s: (s[0] + r.height, s[1]),
    "side": lambda r, s: (min(s[2] - s[0] - r.height, s[3] - s[1] - r.width), s[0], s[1]),
    "area": lambda r, s: ((s[2] - s[0]) * (s[3] - s[1]) - r.height * r.width, s[0], s[1]),
}
"""How good a space is for a rectangle, least first."""


@dataclass(frozen=True)
class Packing:
    """A way of packing.

    ``order`` and ``fit`` are keys of the tables above, no fit for shelves; with ``anywhere`` a rectangle goes to the
    best place of all cores, else to that of the first core with room.
    """

    order: str = "height"
    fit: str | None = None
    anywhere: bool = False

    def sort(self, rectangles: Sequence[Rectangle]) -> list[Rectangle]:
        """Rectangles in the order in which they are packed."""
        if self.fit is None:
            return sorted(rectangles, key=lambda r: -r.height)
        return sorted(rectangles, key=_ORDERS[self.order])

    def pack(
        self, rectangles: Sequence[Rectangle], new: Callable[[int], Core], limit: int | None = None,
        *, all_or_none: bool = False,
    ) -> tuple[list[Core], list[Rectangle]]:
        """Cores, at most ``limit``, with the rectangles in the order given, and those that did not fit.

        ``new`` makes an empty core from its number; any rectangle fits any empty core. With ``all_or_none`` the first
        that does not fit is the last that is tried.
        """
        cores: list[Core] = []
        left: list[Rectangle] = []
        first: dict[tuple[int, int], int] = {}
        for r in rectangles:
            if self.fit is None and self._on_shelf(r, cores, first):
                continue
            if self.fit is not None and self._put(r, cores):
                continue
            if limit is not None and len(cores) == limit:
                left.append(r)
                if all_or_none:
                    break
                continue
            cores.append(new(len(cores)))
            if self.fit is None:
                cores[-1].on_shelf(r)
            else:
                self._put(r, cores[-1:])
        return cores, left

    @staticmethod
    def _on_shelf(r: Rectangle, cores: Sequence[Core], first: dict[tuple[int, int], int]) -> bool:
        """Into the first core with room.

        ``first`` has the one for the last rectangle of a size: those before it only get fuller, and have no room for
        another.
        """
        size = r.height, r.width
        for k in range(first.get(size, 0), len(cores)):
            if cores[k].on_shelf(r):
                first[size] = k
                return True
        first[size] = len(cores)
        return False

    def _put(self, r: Rectangle, cores: Sequence[Core]) -> bool:
        assert self.fit is not None
        fit, best = _FITS[self.fit], None
        for core in cores:
            if len(core.taken) == MASKS:
                continue
            for space in core.spaces:
                if r.height <= space[2] - space[0] and r.width <= space[3] - space[1]:
                    key = fit(r, space)
                    if best is None or key < best[0]:
                        best = key, core, space
            if best is not None and not self.anywhere:
                break
        if best is None:
            return False
        best[1].put(r, best[2])
        return True


SHELVES = Packing()
"""The first way: on shelves, the highest rectangles first."""


def _others() -> Iterator[Packing]:
    for fit, anywhere, order in product(_FITS, (False, True), _ORDERS):
        yield Packing(order, fit, anywhere)


Put = Callable[[Sequence[Rectangle], int | None], list[Core] | None]
"""Packs rectangles on cores, of which it takes at most so many: None where that cannot be."""


@dataclass
class _Budget:
    left: int = MOST_WORK

    def spend(self, count: int) -> bool:
        self.left -= count
        return self.left >= 0


def best_packing(rectangles: Sequence[Rectangle], new: Callable[[int], Core], bound: int) -> tuple[Put, list[Core]]:
    """A way of packing, and what it makes of the rectangles: shelves unless another takes fewer cores.

    It stops at ``bound`` cores, below which nothing can come. The way is told as what packs rectangles of the same
    layers that may have grown since, see :data:`Put`.
    """
    best, cores = SHELVES, SHELVES.pack(SHELVES.sort(rectangles), new)[0]
    first: dict[tuple[int, int, int], int] = {}
    budget = _Budget()
    while len(cores) > bound and (smaller := _fewer(rectangles, new, len(cores) - 1, budget)) is not None:
        best, ordered, cores = smaller
        first = {(r.layer, r.first, r.first_output): k for k, r in enumerate(ordered)}

    def pack(grown: Sequence[Rectangle], limit: int | None = None) -> list[Core] | None:
        ordered = best.sort(grown)
        if first:
            ordered.sort(key=lambda r: first.get((r.layer, r.first, r.first_output), len(first)))
        cores, left = best.pack(ordered, new, limit, all_or_none=True)
        return None if left else cores

    return pack, cores


def _fewer(
    rectangles: Sequence[Rectangle], new: Callable[[int], Core], limit: int, budget: _Budget
) -> tuple[Packing, list[Rectangle], list[Core]] | None:
    """A way that takes at most ``limit`` cores, the order of the rectangles, and the cores; None if none is found."""
    waiting = [(way, way.sort(rectangles)) for way in _others()]
    for _ in range(ROUNDS):
        following = []
        for way, ordered in waiting:
            if not budget.spend(len(ordered)):
                return None
            cores, left = way.pack(ordered, new, limit)
            if not left:
                return way, ordered, cores
            # What did not fit goes first.
            late = set(left)
            following.append((way, [*left, *(r for r in ordered if r not in late)]))
        waiting = following
    return None
