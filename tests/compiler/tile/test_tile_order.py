"""The order of nodes on a tile, and loops that stand for it."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mho.compiler.tile.placement.order import MOST_DEPTH, Loop, early, in_loops, unrolled
from mho.hw.tile.isa.window import SlidingWindow

ORDERS = st.recursive(
    st.lists(st.integers(0, 2), min_size=1, max_size=4),
    lambda inner: st.lists(st.tuples(st.integers(1, 4), inner), min_size=1, max_size=3).map(
        lambda parts: [number for times, part in parts for number in part * times]),
    max_leaves=6,
)


def depth(steps: tuple[int | Loop, ...]) -> int:
    return max((1 + depth(step.body) for step in steps if isinstance(step, Loop)), default=0)


@given(ORDERS)
def test_loops_stand_for_the_order(order: list[int]) -> None:
    steps = in_loops(order)
    assert unrolled(steps) == order
    assert depth(steps) <= MOST_DEPTH


def test_pooling_behind_a_convolution_takes_three_loops() -> None:
    """Two rows and an element of 8 pixels, then one result after two more: the program by hand of examples/tile."""
    rows = [0] * 10 + [1] + ([0, 0, 1]) * 3
    assert in_loops(rows * 4) == (Loop(4, (Loop(10, (0,)), Loop(3, (1, Loop(2, (0,)))), 1)),)


def test_bands_longer_than_a_body_are_found_once_they_are_folded() -> None:
    """Rows of 28 pixels: the input, a convolution, and pooling in every other row."""
    band = [0, 1] * 26 + [1, 1, 0, 0] + [1, 0, 1, 2, 0] * 13 + [1, 1, 2, 0, 0]
    steps = in_loops(band * 13)
    assert unrolled(steps) == band * 13
    assert max(len(unrolled(step.body)) for step in steps if isinstance(step, Loop)) == len(band)
    assert len(steps) < 12


def test_what_the_next_rows_begin_with_is_made_in_step() -> None:
    """Of a copy that has every fourth row of 14 x 14: four pixels a position, not four rows between two of its own."""
    walk = SlidingWindow(run=1, channel=0, kernel_x=3, kernel_y=3, stride_y=4, pad_x=1, pad_y=1, width=14, height=14,
                positions_x=14, positions_y=4)
    ahead = early(walk, walk.need, 128)
    assert (ahead >= walk.need).all()
    assert np.diff(walk.need).max() > 40
    assert np.diff(ahead).max() <= 6
    assert (ahead - walk.low[:-1]).max() <= 128
    # Where a ring may not hold so many, they come in one go.
    assert np.diff(early(walk, walk.need, 40)).max() > 40
