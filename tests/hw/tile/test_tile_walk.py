"""What walks need and give back, against a search over all later windows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mho.hw.tile.isa.window import OUTSIDE, SlidingWindow


@st.composite
def walks(draw, largest=9):
    small = st.integers(1, 3)
    values = {name: draw(small) for name in (
        "kernel_x", "kernel_y", "dilation_x", "dilation_y", "stride_x", "stride_y", "run")}
    sizes = {name: draw(st.integers(1, largest)) for name in ("width", "height", "positions_x", "positions_y")}
    return SlidingWindow(channel=0, pad_x=draw(st.integers(0, 4)), pad_y=draw(st.integers(0, 4)), **values, **sizes)


@pytest.mark.slow
@given(walks())
@settings(max_examples=300)
def test_nothing_is_given_back_that_a_later_position_needs(walk):
    assert walk.low[0] == 0
    assert walk.low[-1] == walk.image
    assert (np.diff(walk.low) >= 0).all()
    for p in range(walk.positions):
        assert walk.low[p] <= walk.oldest[p:].min()
        pixels = walk.pixels[p][walk.pixels[p] != OUTSIDE]
        assert walk.need[p] == (pixels.max() + 1 if len(pixels) else 0)


def test_the_least_ring_of_a_convolution_is_its_line_buffer():
    for kernel in (1, 2, 3, 5):
        for width in (8, 17):
            walk = SlidingWindow(run=1, channel=0, kernel_x=kernel, kernel_y=kernel, width=width, height=9,
                                 positions_x=width - kernel + 1, positions_y=9 - kernel + 1)
            assert walk.least == (kernel - 1) * width + kernel
    same = SlidingWindow(run=1, channel=0, kernel_x=3, kernel_y=3, pad_x=1, pad_y=1, width=16, height=16,
                         positions_x=16, positions_y=16)
    assert same.least == 2 * 16 + 3


@given(walks())
@settings(max_examples=100)
def test_without_pads_nothing_is_kept_that_no_later_position_needs(walk):
    if walk.pad_x or walk.pad_y or (walk.pixels == OUTSIDE).any():
        return
    for p in range(walk.positions):
        assert walk.low[p] == walk.oldest[p:].min()
