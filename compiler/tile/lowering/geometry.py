"""Values of a program as images, and the windows that layers and pooling move over them: recovered, and proven equal.

The compiler counts the elements of a value channel by channel; a ring of a tile holds it pixel by pixel. What is found
here is held against the index arrays of the program, element by element, before anybody may use it. So a walk gives the
rows of a layer in another order, which costs nothing: the cells of the layer are put in that order.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mho.compiler.model.stages import Linear
from mho.compiler.program import Call
from mho.hw.tile.isa import DESCRIPTORS
from mho.hw.tile.isa.window import OUTSIDE, SlidingWindow
from mho.macro_models.integer.vector import PAD
from mho.macro_models.integer.window import Axis, Window
from mho.macro_models.types import Indices, Integers

CODES_IN, CODES_OUT = 4, 2
"""Codes in a word that a core takes, and in one that it gives."""

MOST_SIDE = DESCRIPTORS["walk"].layout["width"].range[1]
"""Pixels of a row, and rows of an image."""


Taking = Linear | Call
"""What takes patches: a layer of the network, or a call of the program."""


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


def row_image(channels: int, pixels: int) -> Image:
    """Pixels in a row, or in as few rows of the same length as a walk can have."""
    rows = next((n for n in range(1, MOST_SIDE + 1) if pixels % n == 0 and pixels // n <= MOST_SIDE), 1)
    return Image(channels=channels, height=rows, width=pixels // rows)


def call_image(call: Taking, outputs: int) -> Image:
    """What a layer makes: its positions row by row, in a single row if there is no window."""
    if len(call.patches) == 1:
        return Image(channels=outputs)
    if call.window is None:
        return row_image(outputs, len(call.patches))
    sides = [axis.positions for axis in call.window.axes]
    if len(sides) == 1:
        return row_image(outputs, sides[0])
    height, width = (*[1] * (2 - len(sides)), *sides)[-2:]
    return Image(channels=outputs, height=height, width=width)


def seen_image(call: Taking, elements: int) -> Image | None:
    """The image that the window of a layer sees in a value of so many elements, None if it has no two dimensions."""
    axes = () if call.window is None else call.window.axes
    if call.window is None or len(axes) == 0 or len(axes) > 2:
        return None
    last = axes[len(axes) - 1]
    if last.step > 1:
        return None
    pixels = call.window.channel_step or elements
    if len(axes) == 1:
        return row_image(elements // pixels, pixels) if elements % pixels == 0 else None
    width = axes[0].step or axes[1].size
    if width < 1 or pixels % width or elements % pixels:
        return None
    return Image(channels=elements // pixels, height=pixels // width, width=width)


def layer_walk(call: Taking, image: Image) -> SlidingWindow | None:
    """The walk that gives all inputs of a layer, of all of its groups, pixel by pixel; None if there is none."""
    if call.window is None:
        return None
    walks = [_walk_of_window(call.window, image)]
    if len(call.patches) == 1 and image.pixels > 1:
        # A layer that takes the whole value: a window as large as the image.
        walks.append(SlidingWindow(run=image.channels, channel=0, kernel_x=image.width, kernel_y=image.height,
                                   width=image.width, height=image.height))
    return next((walk for walk in walks if walk is not None and _gives(walk, call.patches, image)), None)


def _walk_of_window(window: Window, image: Image) -> SlidingWindow | None:
    """The walk that a window over an image would be, None if it has more than two dimensions.

    Where no position takes the first rows, or pixels of a single row, the walk is over the image without them.
    """
    if len(window.axes) > 2:
        return None
    single = Axis(size=1, step=0, kernel=1)
    y, x = [*([single] * (2 - len(window.axes))), *window.axes]
    if len(window.axes) == 1 and image.width == 1 and image.height > 1:
        y, x = x, y
    top, left = divmod(window.first % image.pixels, image.width)
    walk = SlidingWindow(
        run=window.channels, channel=window.first // image.pixels, kernel_x=x.kernel, kernel_y=y.kernel,
        dilation_x=x.dilation, dilation_y=y.dilation, stride_x=x.stride, stride_y=y.stride, pad_x=x.before - left,
        pad_y=y.before - top, width=image.width, height=image.height, positions_x=x.positions, positions_y=y.positions,
    )
    if walk.pad_y < 0:
        return replace(walk, pad_y=0, height=image.height + walk.pad_y)
    return replace(walk, pad_x=0, width=image.width + walk.pad_x) if walk.pad_x < 0 and image.height == 1 else walk


def channels_of(walk: SlidingWindow, first: int, count: int) -> SlidingWindow:
    """The same walk over some of its channels, ``first`` counted from its own first one."""
    return replace(walk, run=count, channel=walk.channel + first)


def rows_of(walk: SlidingWindow, first: int, count: int) -> Integers:
    """Inputs of a layer in the order in which the walk over some channels of it gives them."""
    order = np.arange(first, first + count)[None, :] * walk.terms + np.arange(walk.terms)[:, None]
    return order.ravel()


def rows_in_turns(sizes: Sequence[tuple[int, int, int]]) -> Indices:
    """Which elements of values side by side, each (channels, rows, width), make an image of their rows in turn."""
    starts = np.cumsum([0, *(math.prod(size) for size in sizes)])
    channels, width, rows = sizes[0][0], sizes[0][2], sum(size[1] for size in sizes)
    rows_made = np.empty((channels, rows, width), dtype=np.int32)
    for turn, size in enumerate(sizes):
        rows_made[:, turn :: len(sizes)] = (starts[turn] + np.arange(math.prod(size))).reshape(size)
    return rows_made.ravel()


def turns_of(index: Indices, images: Sequence[Image]) -> tuple[Image, tuple[int, ...]] | None:
    """The image whose rows, or pixels if it has one row, come from several values in turn; and which pixel from which.

    None if ``index``, what is taken of the values side by side, does something else.
    """
    first, count = images[0], len(images)
    if count < 2 or any(image.channels != first.channels for image in images):
        return None
    for flat in (True,) if all(image.pixels == 1 for image in images) else (False, True):
        sizes = [(image.channels, *((image.width, image.height) if flat else (image.height, image.width)))
                 for image in images]
        rows, width = sum(size[1] for size in sizes), sizes[0][2]
        if any(size[2] != width or size[1] != len(range(turn, rows, count)) for turn, size in enumerate(sizes)):
            continue
        if np.array_equal(index, rows_in_turns(sizes)):
            result = Image(channels=first.channels, **({"width": rows} if flat else {"height": rows, "width": width}))
            return result, tuple((np.repeat(np.arange(rows) % count, width)).tolist())
    return None


def _fields_hold(walk: SlidingWindow) -> bool:
    return all(field.holds(getattr(walk, field.name)) for field in DESCRIPTORS["walk"].layout.fields
               if field.name not in ("stream", "pad"))


def _gives(walk: SlidingWindow, patches: Indices, image: Image) -> bool:
    """Whether a walk is one of this image, and takes what the index array says, (positions, inputs)."""
    if min(walk.height, walk.width) < 1 or walk.channel + walk.run > image.channels or not _fields_hold(walk):
        return False
    elements = walk.patches(image.channels)
    if elements.shape != patches.shape:
        return False
    pixel, channel = np.divmod(elements, image.channels)
    element = np.where(elements == OUTSIDE, PAD, channel * image.pixels + pixel + image.pixels - walk.image)
    return np.array_equal(element, patches[:, rows_of(walk, 0, walk.run)])


def pooling(index: Indices, image: Image) -> tuple[SlidingWindow, Image] | None:
    """The walk of a window that each channel has alike, and the image that it makes; None if there is none.

    ``index`` of shape (elements, window) says which elements of a value of ``image`` each result takes, -1 for none;
    one that is taken several times counts once.
    """
    terms = len(index) // image.channels
    if terms * image.channels != len(index):
        return None
    grid = index.reshape(image.channels, terms, -1).astype(np.int64)
    pixels, shift = grid[0], image.pixels * np.arange(image.channels)[:, None, None]
    if not np.array_equal(grid, np.where(grid < 0, PAD, pixels + shift)) or pixels.max() >= image.pixels:
        return None
    places = [np.unique(members[members >= 0]) for members in pixels]
    if not all(map(len, places)):
        return None
    sides = [_axis([tuple(np.unique(at).tolist()) for at in side], size) for side, size in (
        ([place // image.width for place in places], image.height),
        ([place % image.width for place in places], image.width))]
    if sides[0] is None or sides[1] is None:
        return None
    (ky, dy, py, sy, by), (kx, dx, px, sx, bx) = sides[0], sides[1]
    walk = SlidingWindow(
        run=image.channels, channel=0, kernel_x=kx, kernel_y=ky, dilation_x=dx, dilation_y=dy, stride_x=sx,
        stride_y=sy, pad_x=bx, pad_y=by, width=image.width, height=image.height, positions_x=px, positions_y=py,
    )
    if not _fields_hold(walk) or walk.positions != terms:
        return None
    same = all(np.array_equal(members[members >= 0], place)
               for members, place in zip(np.sort(walk.pixels), places, strict=True))
    return (walk, Image(channels=image.channels, height=py, width=px)) if same else None


def _axis(spans: Sequence[tuple[int, ...]], size: int) -> tuple[int, int, int, int, int] | None:
    """Kernel, dilation, positions, stride and padding of one dimension, from what each position takes of it.

    Positions of the other dimension repeat what this one takes.
    """
    order = list(dict.fromkeys(spans))
    widest = max(order, key=len)
    dilation = widest[1] - widest[0] if len(widest) > 1 else 1
    for stride in range(1, 8):
        for pad in range(min(16, size)):
            for kernel in {len(widest), (order[0][-1] + pad) // dilation + 1}:
                expected = [tuple(at for k in range(kernel) if 0 <= (at := p * stride - pad + k * dilation) < size)
                         for p in range(len(order))]
                if expected == order:
                    return kernel, dilation, len(order), stride, pad
    return None
