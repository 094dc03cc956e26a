"""The order of nodes on a tile, and loops that stand for it."""

from hypothesis import given
from hypothesis import strategies as st

from compiler.tile.placed.order import MOST_DEPTH, Loop, in_loops, unrolled

ORDERS = st.recursive(
    st.lists(st.integers(0, 2), min_size=1, max_size=4),
    lambda inner: st.lists(st.tuples(st.integers(1, 4), inner), min_size=1, max_size=3).map(
        lambda parts: [one for times, part in parts for one in part * times]),
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
