"""Packing of rectangles against exhaustive search, and the bound below which nothing goes."""

from collections.abc import Sequence
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mho.compiler.mapping.packing.pack import MASKS, Cells, Lines, Packing, Rectangle, best_packing
from mho.compiler.mapping.packing.packer import least_cores
from mho.compiler.mapping.place import place
from mho.macro_models.cell_map import DifferentialPairs
from tests.compiler.mapping.dead_lines import dead_lines

Shape = tuple[int, int]


def empty(shape: Shape, kind: type[Cells], _number: int) -> Cells:
    return kind(Lines(shape[0]), Lines(shape[1]))


def rectangles(sizes: Sequence[Shape]) -> list[Rectangle]:
    return [Rectangle(k, 0, h, 0, w, 1, 1) for k, (h, w) in enumerate(sizes)]


def packed(sizes: Sequence[Shape], shape: Shape) -> tuple[list[Cells], int]:
    """The cores, whose rectangles are checked to be those of the sizes and disjoint, and the bound."""
    pieces, new = rectangles(sizes), partial(empty, shape)
    bound = least_cores(pieces, new, shape)
    cores = best_packing(pieces, new, bound)[1]
    assert sorted(r.layer for core in cores for r, _, _ in core.taken) == list(range(len(sizes)))
    for core in cores:
        uses = np.zeros(shape, dtype=int)
        for r, top, left in core.taken:
            assert top + r.height <= shape[0]
            assert left + r.width <= shape[1]
            uses[top : top + r.height, left : left + r.width] += 1
        assert uses.max() == 1
        assert len(core.taken) <= MASKS
    return cores, bound


def fits(sizes: list[Shape], shape: Shape, cores: list[int]) -> bool:
    """Whether all rectangles fit into the free cells of cores, bit masks, wherever they lie: every place is tried."""
    if not sizes:
        return True
    (h, w), *rest = sizes
    tried: set[int] = set()
    for k, cells in enumerate(cores):
        if cells in tried:
            continue
        tried.add(cells)
        for top in range(shape[0] - h + 1):
            for left in range(shape[1] - w + 1):
                rectangle = sum(((1 << w) - 1) << left + shape[1] * row for row in range(top, top + h))
                if not cells & rectangle and fits(rest, shape, [*cores[:k], cells | rectangle, *cores[k + 1 :]]):
                    return True
    return False


def exhaustive(sizes: Sequence[Shape], shape: Shape) -> int:
    """The least number of cores."""
    ordered = sorted(sizes, key=lambda s: -s[0] * s[1])
    return next(n for n in range(1, len(sizes) + 1) if fits(ordered, shape, [0] * n))


def test_the_least_is_that_of_an_exhaustive_search() -> None:
    """But for one in a hundred, by a core."""
    rng, more = np.random.default_rng(0), 0
    for _ in range(200):
        count = rng.integers(1, 7)
        sizes = list(zip(rng.integers(1, 5, count).tolist(), rng.integers(1, 6, count).tolist(), strict=True))
        cores, bound = packed(sizes, (4, 5))
        fewest = exhaustive(sizes, (4, 5))
        assert bound <= fewest <= len(cores) <= fewest + 1
        more += len(cores) - fewest
    assert more <= 2


def test_tighter_than_shelves() -> None:
    """A tall one beside two flat ones, one above the other: two shelves do not hold them."""
    sizes = [(8, 4), (4, 12), (4, 12)]
    assert len(Packing().pack(Packing().sort(rectangles(sizes)), partial(empty, (8, 16)))[0]) == 2
    cores, bound = packed(sizes, (8, 16))
    assert len(cores) == bound == 1


@given(data=st.data(), count=st.integers(1, 3))
@settings(max_examples=100)
def test_nothing_goes_below_the_bound(data: st.DataObject, count: int) -> None:
    """Rows and columns need not be neighbours: whatever lies in some cores has a bound of at most their number."""
    rng, shape = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1))), (6, 9)
    sizes: list[Shape] = []
    for _ in range(count):
        used = np.zeros(shape, dtype=bool)
        for _ in range(MASKS):
            rows = rng.choice(shape[0], rng.integers(1, shape[0] + 1), replace=False)
            columns = np.flatnonzero(~used[rows].any(axis=0))
            if len(columns):
                columns = rng.choice(columns, rng.integers(1, len(columns) + 1), replace=False)
                used[np.ix_(rows, columns)] = True
                sizes.append((len(rows), len(columns)))
    assert packed(sizes, shape)[1] <= count


@pytest.mark.parametrize(
    ("sizes", "fewest"),
    [
        ([(1, 1)] * 17, 3),  # eight masks a core
        ([(4, 9)] * 3, 3),  # higher than half and wider than half: one a core
        ([(4, 4)] * 5, 3),  # two side by side
        ([(3, 9)] * 3, 2),
        ([(6, 3), (6, 3), (2, 3), (2, 3), (2, 3)], 1),
    ],
)
def test_bounds_that_are_reached(sizes: list[Shape], fewest: int) -> None:
    cores, bound = packed(sizes, (6, 9))
    assert len(cores) == bound == fewest


def test_a_core_with_dead_lines_holds_less() -> None:
    dead = np.ones(16, dtype=bool)
    dead[:4] = False
    faults = {0: dead_lines(dead, np.zeros(16, bool))}
    placement = place([(2, 8)] * 8, DifferentialPairs(8, 16), copies=1, faults=faults)
    assert placement.least == placement.bound == 2
    assert place([(2, 8)] * 8, DifferentialPairs(8, 16), copies=1).least == 1


def test_copies_take_cores_that_the_chip_has() -> None:
    """Tight packings leave no room for copies: they are for chips without more cores, and where none are wanted."""
    shapes, cell_map = [(8, 4), (4, 12), (4, 12)], DifferentialPairs(8, 16)
    many, tight, single = (place(shapes, cell_map, cores=n, copies=c) for n, c in ((2, None), (1, None), (2, 1)))
    assert {p.least for p in (many, tight, single)} == {p.bound for p in (many, tight, single)} == {1}
    assert [p.cores for p in (many, tight, single)] == [2, 1, 1]
