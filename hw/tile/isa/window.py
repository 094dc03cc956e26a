"""Walks: a window that moves over an image in a ring, and which pixels it needs and gives back.

A block of the stream is a pixel with all of its channels; pixels come row by row. At each position the walk takes
``run`` bytes of every pixel under its kernel, row by row; for a pixel outside of the image what stands at ``pad``. The
whole is given ``repeat`` times, then the ``tail`` bytes behind the pad follow.

Reading waits for the last pixel of the image that is under the kernel. When a walk that frees goes on, it gives back
what no later position needs, as it comes: all pixels before the first one that the next position of its row can need
(row ``y stride - pad``, column ``x stride - pad``, both 0 at least) and before the row in which the next row of
positions begins; after the last position the rest of the image. So a walk ends each image by itself, and begins the
next one where it ends.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

OUTSIDE = -1
"""Stands for a pixel outside of the image."""

Numbers = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class SlidingWindow:
    """The geometry of a walk; fields as in its descriptor (:data:`mho.hw.tile.isa.DESCRIPTORS`)."""

    run: int
    channel: int
    kernel_x: int = 1
    kernel_y: int = 1
    dilation_x: int = 1
    dilation_y: int = 1
    stride_x: int = 1
    stride_y: int = 1
    pad_x: int = 0
    pad_y: int = 0
    width: int = 1
    height: int = 1
    positions_x: int = 1
    positions_y: int = 1
    repeat: int = 1
    tail: int = 0

    @property
    def positions(self) -> int:
        """Positions in an image."""
        return self.positions_x * self.positions_y

    @property
    def terms(self) -> int:
        """Pixels under the kernel."""
        return self.kernel_x * self.kernel_y

    @property
    def codes(self) -> int:
        """Bytes that are given at a position."""
        return self.terms * self.run * self.repeat + self.tail

    @property
    def image(self) -> int:
        """Pixels of an image."""
        return self.width * self.height

    @property
    def pixels(self) -> Numbers:
        """Numbers of the pixels at each position, (positions, terms), :data:`OUTSIDE` outside of the image."""
        return self._numbers(self._rows[:, None, :, None], self._columns[None, :, None, :])

    def window(self, position: int) -> Numbers:
        """Numbers of the pixels at a position, (terms,), :data:`OUTSIDE` outside of the image."""
        y, x = divmod(position, self.positions_x)
        return self._numbers(self._rows[None, y, :, None], self._columns[None, x, None, :])[0]

    def _numbers(self, y: Numbers, x: Numbers) -> Numbers:
        inside = (y >= 0) & (y < self.height) & (x >= 0) & (x < self.width)
        return np.where(inside, y * self.width + x, OUTSIDE).reshape(-1, self.terms)

    @cached_property
    def need(self) -> Numbers:
        """Pixels of the image that must have come before each position can be read, (positions,)."""
        y, x = (np.where((at >= 0) & (at < size), at, OUTSIDE).max(axis=1) for at, size in self._sides)
        return np.where((y[:, None] >= 0) & (x >= 0), y[:, None] * self.width + x + 1, 0).ravel()

    @cached_property
    def oldest(self) -> Numbers:
        """The first pixel at each position, the size of the image where there is none, (positions,)."""
        y, x = (np.where((at >= 0) & (at < size), at, size).min(axis=1) for at, size in self._sides)
        inside = (y[:, None] < self.height) & (x < self.width)
        return np.where(inside, y[:, None] * self.width + x, self.image).ravel()

    @property
    def inside_x(self) -> NDArray[np.bool_]:
        """Whether each column of the kernel is in the image, in each column of positions, (positions_x, kernel_x)."""
        return (self._columns >= 0) & (self._columns < self.width)

    @cached_property
    def low(self) -> Numbers:
        """Pixels given back when a walk that frees is at each position, and after the last one, (positions + 1,)."""
        top = np.maximum(np.arange(self.positions_y) * self.stride_y - self.pad_y, 0) * self.width
        left = np.maximum(np.arange(self.positions_x) * self.stride_x - self.pad_x, 0)
        following = np.append(top[1:], self.image)
        low = np.minimum(np.minimum(top[:, None] + left, following[:, None]), self.image)
        return np.append(low.ravel(), self.image)

    @property
    def least(self) -> int:
        """Blocks that its ring has at least, if this walk alone frees."""
        return max(1, int((self.need - self.low[:-1]).max()))

    @cached_property
    def _rows(self) -> Numbers:
        return (np.arange(self.positions_y)[:, None] * self.stride_y - self.pad_y
                + np.arange(self.kernel_y) * self.dilation_y)

    @cached_property
    def _columns(self) -> Numbers:
        return (np.arange(self.positions_x)[:, None] * self.stride_x - self.pad_x
                + np.arange(self.kernel_x) * self.dilation_x)

    @property
    def _sides(self) -> tuple[tuple[Numbers, int], tuple[Numbers, int]]:
        return (self._rows, self.height), (self._columns, self.width)

    def patches(self, block: int) -> Numbers:
        """Bytes of an image of whole blocks that each code of the window is, (positions, terms * run), OUTSIDE else."""
        pixels = self.pixels[:, :, None]
        codes = pixels * block + self.channel + np.arange(self.run)
        return np.where(pixels == OUTSIDE, OUTSIDE, codes).reshape(self.positions, -1)


@lru_cache(maxsize=1024)
def _cached(fields: tuple[tuple[str, int], ...]) -> SlidingWindow:
    return SlidingWindow(**dict(fields))


def sliding_window(values: Mapping[str, int]) -> SlidingWindow:
    """The walk of a descriptor's values."""
    return _cached(tuple((name, value) for name, value in values.items() if name not in ("stream", "pad")))
