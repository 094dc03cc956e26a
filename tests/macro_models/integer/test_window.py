"""Windows against index arrays that loops count."""

from dataclasses import replace
from itertools import product

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mho.macro_models.integer.vector import PAD
from mho.macro_models.integer.window import Axis, Window, recover


@st.composite
def windows(draw: st.DrawFn) -> Window:
    axes, step = [], 1
    for _ in range(draw(st.integers(0, 3))):
        size, kernel, stride, dilation = (draw(st.integers(1, limit)) for limit in (6, 3, 3, 2))
        before = draw(st.integers(0, kernel))
        axes.append(Axis(size=size, step=step, kernel=kernel, stride=stride, dilation=dilation, before=before,
                         positions=draw(st.integers(1, 4))))
        step *= size
    return Window(first=draw(st.integers(0, 9)), channels=draw(st.integers(1, 3)), channel_step=step, axes=tuple(axes))


@given(window=windows())
def test_indices_are_those_of_loops(window: Window) -> None:
    rows = []
    for position in product(*(range(a.positions) for a in window.axes)):
        row = []
        for channel, *kernel in product(range(window.channels), *(range(a.kernel) for a in window.axes)):
            at = [p * a.stride + k * a.dilation - a.before
                  for p, k, a in zip(position, kernel, window.axes, strict=True)]
            inside = all(0 <= c < a.size for c, a in zip(at, window.axes, strict=True))
            element = window.first + channel * window.channel_step
            row.append(element + sum(c * a.step for c, a in zip(at, window.axes, strict=True)) if inside else PAD)
        rows.append(row)
    assert window.indices().tolist() == rows
    assert window.gives(np.array(rows, dtype=np.int32))


@given(window=windows(), data=st.data())
def test_a_window_is_recovered_or_nothing(window: Window, data: st.DataObject) -> None:
    patches, axes = window.indices(), window.axes
    given_axes = ([a.positions for a in axes], [a.kernel for a in axes], [a.stride for a in axes],
                  [a.dilation for a in axes])
    window_of_patches = recover(patches, window.channels, *given_axes)
    if window_of_patches is not None:
        assert window_of_patches.gives(patches)
    elif (patches != PAD).any():
        # Windows of which so little is inside that no two neighbours are.
        assert (patches == PAD).any()
    at = data.draw(st.integers(0, patches.size - 1))
    changed = patches.copy()
    changed.flat[at] = 999
    window_of_changed = recover(changed, window.channels, *given_axes)
    assert window_of_changed is None or window_of_changed.gives(changed)
    assert not replace(window, channels=window.channels + 1).gives(patches)
