"""From the window of a layer to the walk that reads its patches from a ring: recovered, and proven equal.

The compiler counts the elements of a value channel by channel; a ring holds it pixel by pixel. So a walk gives the rows
of a layer in another order, which costs nothing: the cells of the layer are put in that order.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mho.hw.tile.isa import DESCRIPTORS
from mho.hw.tile.isa.window import OUTSIDE, SlidingWindow
from mho.macro_models.integer.vector import PAD
from mho.macro_models.integer.window import Axis, Window

__all__ = ["LayerWalk", "walk_of_window"]

Index = NDArray[np.int32]


@dataclass(frozen=True, kw_only=True)
class LayerWalk:
    """A walk, and the row of the layer that each of its codes is, (codes,)."""

    walk: SlidingWindow
    rows: NDArray[np.int64]


def walk_of_window(window: Window, image: tuple[int, int, int], group: int = 0) -> LayerWalk | None:
    """The walk of one group of a window over a value of ``image`` (channels, height, width).

    None where no walk gives the same elements: a window of more than two dimensions, over something that is no image of
    this shape, of more channels than a pixel has, or beyond the fields of a descriptor. Where no position takes the
    first rows, or pixels of a single row, the walk is over the image without them.
    """
    channels, height, width = image
    if len(window.axes) > 2:
        return None
    single = Axis(size=1, step=0, kernel=1)
    y, x = [*([single] * (2 - len(window.axes))), *window.axes]
    if len(window.axes) == 1 and width == 1 and height > 1:
        y, x = x, y
    top, left = divmod(window.first % (height * width), width)
    run, place = window.channels // window.groups, window.first // (height * width)
    walk = SlidingWindow(
        run=run, channel=place + group * run, kernel_x=x.kernel, kernel_y=y.kernel, dilation_x=x.dilation,
        dilation_y=y.dilation, stride_x=x.stride, stride_y=y.stride, pad_x=x.before - left, pad_y=y.before - top,
        width=width, height=height, positions_x=x.positions, positions_y=y.positions,
    )
    if walk.pad_y < 0:
        walk = replace(walk, pad_y=0, height=height + walk.pad_y)
    elif walk.pad_x < 0 and height == 1:
        walk = replace(walk, pad_x=0, width=width + walk.pad_x)
    order = np.arange(run)[None, :] * walk.terms + np.arange(walk.terms)[:, None]
    candidate = LayerWalk(walk=walk, rows=order.ravel() + group * run * walk.terms)
    encodable = walk.height > 0 and walk.width > 0 and walk.channel + walk.run <= channels and _encodes(walk)
    return candidate if encodable and _gives(candidate, window.indices(), channels, height * width) else None


def _encodes(walk: SlidingWindow) -> bool:
    """Whether the fields of a descriptor hold it."""
    return all(field.holds(getattr(walk, field.name)) for field in DESCRIPTORS["walk"].layout.fields
               if field.name not in ("stream", "pad"))


def _gives(candidate: LayerWalk, patches: Index, channels: int, pixels: int) -> bool:
    """Whether the walk takes what the index array says, (positions, rows of all groups)."""
    taken_elements = candidate.walk.patches(channels)
    if len(taken_elements) != len(patches) or candidate.rows.max() >= patches.shape[1]:
        return False
    pixel, channel = np.divmod(taken_elements, channels)
    element = np.where(taken_elements == OUTSIDE, PAD, channel * pixels + pixel + pixels - candidate.walk.image)
    return np.array_equal(element, patches[:, candidate.rows])
