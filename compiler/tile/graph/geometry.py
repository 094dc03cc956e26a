"""Values of a program as images, and the windows that layers and pooling move over them: recovered, and proven equal.

The compiler counts the elements of a value channel by channel; a ring of a tile holds it pixel by pixel. What is found
here is held against the index arrays of the program, element by element, before anybody may use it.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from compiler.program import Call
from compiler.tile.walks import LayerWalk, walk_of_window
from hw.tile.isa import DESCRIPTORS
from hw.tile.walk import OUTSIDE, Walk
from macro_models.exact.vector import PAD

__all__ = [
    "CODES_IN", "CODES_OUT", "Image", "call_image", "channels_of", "input_image", "layer_walk", "pooling", "rows_of",
]

CODES_IN, CODES_OUT = 4, 2
"""Codes in a word that a core takes, and in one that it gives."""

Index = NDArray[np.int32]


@dataclass(frozen=True, kw_only=True)
class Image:
    """A value as an image; a vector is one pixel."""

    channels: int
    height: int = 1
    width: int = 1

    @property
    def pixels(self) -> int:
        """Pixels of the image."""
        return self.height * self.width

    @property
    def elements(self) -> int:
        """Elements of the value."""
        return self.channels * self.pixels


def input_image(shape: tuple[int, ...]) -> Image:
    """The network's input: three dimensions are channels, rows and columns; anything else is a vector."""
    if len(shape) == 3:
        return Image(channels=shape[0], height=shape[1], width=shape[2])
    return Image(channels=int(np.prod(shape, dtype=int)))


def call_image(call: Call, outputs: int) -> Image:
    """What a layer makes: its positions row by row."""
    sides = [axis.positions for axis in call.window.axes] if call.window is not None else []
    if len(call.patches) == 1:
        return Image(channels=outputs)
    height, width = (*[1] * (2 - len(sides)), *sides)[-2:]
    return Image(channels=outputs, height=height, width=width)


def layer_walk(call: Call, image: Image) -> Walk | None:
    """The walk that gives all inputs of a layer, pixel by pixel; None if there is none."""
    if call.window is None or call.window.groups > 1:
        return None
    made = walk_of_window(call.window, (image.channels, image.height, image.width))
    if made is None and len(call.patches) == 1 and image.pixels > 1:
        # A layer that takes the whole value: a window as large as the image.
        walk = Walk(run=image.channels, channel=0, kernel_x=image.width, kernel_y=image.height, width=image.width,
                    height=image.height)
        made = LayerWalk(walk=walk, rows=rows_of(walk, 0, image.channels))
    if made is None or not _fields_hold(made.walk) or not _gives(made, call.patches, image):
        return None
    return made.walk


def channels_of(walk: Walk, first: int, count: int) -> Walk:
    """The same walk over some of its channels, ``first`` counted from its own first one."""
    return replace(walk, run=count, channel=walk.channel + first)


def rows_of(walk: Walk, first: int, count: int) -> NDArray[np.int64]:
    """Inputs of a layer in the order in which the walk over some channels of it gives them."""
    order = np.arange(first, first + count)[None, :] * walk.terms + np.arange(walk.terms)[:, None]
    return order.ravel()


def _fields_hold(walk: Walk) -> bool:
    return all(field.holds(getattr(walk, field.name)) for field in DESCRIPTORS["walk"].layout.fields
               if field.name not in ("stream", "pad"))


def _gives(made: LayerWalk, patches: Index, image: Image) -> bool:
    """Whether the walk takes what the index array says, (positions, inputs)."""
    found = made.walk.patches(image.channels)
    if found.shape != patches.shape or not np.array_equal(np.sort(made.rows), np.arange(patches.shape[1])):
        return False
    pixel, channel = np.divmod(found, image.channels)
    element = np.where(found == OUTSIDE, PAD, channel * image.pixels + pixel)
    return np.array_equal(element, patches[:, made.rows])


def pooling(index: Index, image: Image) -> tuple[Walk, Image] | None:
    """The walk of a window that each channel has alike, and the image that it makes; None if there is none.

    ``index`` of shape (elements, window) says which elements of a value of ``image`` each result takes.
    """
    each = len(index) // image.channels
    if each * image.channels != len(index) or (index < 0).any():
        return None
    grid = index.reshape(image.channels, each, -1)
    pixels = grid[0]
    if not np.array_equal(grid, pixels + image.pixels * np.arange(image.channels)[:, None, None]):
        return None
    y, x = np.divmod(pixels, image.width)
    sides = []
    for at in (y, x):
        taps = np.unique(at[0])
        starts = np.unique(at.min(axis=1))
        sides.append((len(taps), _step(taps), len(starts), _step(starts)))
    (ky, dy, py, sy), (kx, dx, px, sx) = sides
    walk = Walk(
        run=image.channels, channel=0, kernel_x=kx, kernel_y=ky, dilation_x=dx, dilation_y=dy, stride_x=sx,
        stride_y=sy, width=image.width, height=image.height, positions_x=px, positions_y=py,
    )
    same = _fields_hold(walk) and walk.positions == each and np.array_equal(walk.pixels, pixels)
    return (walk, Image(channels=image.channels, height=py, width=px)) if same else None


def _step(places: NDArray[np.integer]) -> int:
    return int(places[1] - places[0]) if len(places) > 1 else 1
