"""The geometry behind an index array: a window that slides over an image and takes its elements at each position.

The index arrays of a layer are what is computed with; a window says where they come from, and is proven equal to them.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from mho.macro_models.integer.vector import PAD
from mho.macro_models.types import Flags, Indices, Integers


@dataclass(frozen=True, kw_only=True)
class Axis:
    """One dimension of an image and how the window moves along it.

    Parameters
    ----------
    size, step
        Elements along the dimension, and how far apart they are in the flattened value.
    kernel, dilation
        Elements that the window takes, and how far apart they are along the dimension.
    stride, before, positions
        From one position to the next; where the window begins before the first element; how many positions there are.
    """

    size: int
    step: int
    kernel: int
    stride: int = 1
    dilation: int = 1
    before: int = 0
    positions: int = 1

    def coordinates(self) -> Integers:
        """Coordinates that the window takes, (positions, kernel), outside of the dimension those of padding."""
        return np.arange(self.positions)[:, None] * self.stride + np.arange(self.kernel) * self.dilation - self.before


@dataclass(frozen=True, kw_only=True)
class Window:
    """A window over ``channels`` channels of an image."""

    first: int
    """Element of the flattened value at which its first channel begins."""
    channels: int
    channel_step: int
    """How many channels it takes, and how far apart they are in the flattened value."""
    axes: tuple[Axis, ...] = ()
    """The dimensions of the image; none for a layer that takes one element of each channel."""
    groups: int = 1
    """Groups of channels, of equal size, whose outputs depend on no other group."""

    @property
    def shape(self) -> tuple[int, int]:
        """Positions and rows."""
        return math.prod(a.positions for a in self.axes), self.channels * math.prod(a.kernel for a in self.axes)

    def gives(self, patches: Indices) -> bool:
        """Whether this is the geometry of an index array of shape (positions, rows)."""
        return self.shape == patches.shape and np.array_equal(self.indices(), patches)

    def indices(self) -> Indices:
        """Elements that each row takes at each position, (positions, rows), :data:`PAD` outside of the image.

        Positions and elements of the kernel are in the order of the axes, the last fastest; rows begin with channels.
        """
        rank = len(self.axes)
        index = np.full((1,) * (2 * rank + 1), self.first, dtype=np.int64)
        index = index + (np.arange(self.channels) * self.channel_step).reshape(-1, *[1] * rank)
        inside = np.ones_like(index, dtype=bool)
        for k, axis in enumerate(self.axes):
            at = axis.coordinates()
            shape = [1] * (2 * rank + 1)
            shape[k], shape[rank + 1 + k] = at.shape
            at = at.reshape(shape)
            index = index + at * axis.step
            inside = inside & (at >= 0) & (at < axis.size)
        return np.where(inside, index, PAD).reshape(self.shape).astype(np.int32)


def recover(
    patches: Indices, channels: int, positions: Sequence[int], kernel: Sequence[int], stride: Sequence[int],
    dilation: Sequence[int], groups: int = 1,
) -> Window | None:
    """The window that gives an index array of shape (positions, rows), or None if there is none.

    Where elements were padded or put into another order before, size, steps and padding of the axes are those of the
    value that the array points to.
    """
    rank = len(kernel)
    if patches.shape != (math.prod(positions), channels * math.prod(kernel)):
        return None
    grid = patches.reshape(*positions, channels, *kernel).astype(np.int64)
    real = grid != PAD
    if not real.any():
        return None
    axes = []
    for k in range(rank):
        by_position, by_kernel = _step(grid, real, k), _step(grid, real, rank + 1 + k)
        moves = [(by_position, stride[k]), (by_kernel, dilation[k])]
        steps = {d // s if d % s == 0 else None for d, s in moves if d is not None} or {1}
        if len(steps) > 1 or None in steps:
            return None
        at = Axis(size=0, step=0, kernel=kernel[k], stride=stride[k], dilation=dilation[k], positions=positions[k])
        rest = tuple(axis for axis in range(2 * rank + 1) if axis not in (k, rank + 1 + k))
        places = at.coordinates()[np.any(real, axis=rest)]
        before = int(places.min())
        axes.append(Axis(**{
            **asdict(at), "size": int(places.max()) - before + 1, "step": int(steps.pop() or 0), "before": before,
        }))
    where = tuple(np.argwhere(real)[0])
    channel_step = _step(grid, real, rank) or 0
    first = int(grid[where]) - channel_step * int(where[rank])
    first -= sum(int(axis.coordinates()[where[k], where[rank + 1 + k]]) * axis.step for k, axis in enumerate(axes))
    window = Window(first=first, channels=channels, channel_step=channel_step, axes=tuple(axes), groups=groups)
    return window if window.gives(patches) else None


def _step(grid: Integers, real: Flags, axis: int) -> int | None:
    """How far apart neighbours along an axis are, None where there are none."""
    low, high = (np.take(real, range(a, b), axis=axis) for a, b in ((0, real.shape[axis] - 1), (1, real.shape[axis])))
    both = low & high
    if not both.any():
        return None
    return int(np.diff(grid, axis=axis)[both].flat[0])
