"""Where the elements of a value come from: places in the blocks of what a stage takes.

A program counts elements channel by channel, a block holds a pixel with all of its channels, or all pixels of an image
one after the other. What a stage does to its elements becomes a table of sources and places in their blocks; where one
pixel is done at a time, it has to be the same table at every pixel.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from mho.compiler.tile.lowering.geometry import Image
from mho.macro_models.types import Integers, Integral

ABSENT = -1


class NotAlikeError(Exception):
    """Elements of a channel have different parameters, or come from different places."""


@dataclass(frozen=True)
class Run:
    """Elements ``first`` to ``end`` that are side by side at their source too, from ``place`` on."""

    first: int
    end: int
    source: int
    place: int


@dataclass(frozen=True)
class Route:
    """``source`` and ``place`` of each term of each element of a block, (elements, terms); -1 for what is absent.

    ``sizes`` are the elements of a block of each source.
    """

    source: Integers
    place: Integers
    sizes: tuple[int, ...]

    @property
    def elements(self) -> int:
        """Elements that are made."""
        return len(self.source)

    @property
    def terms(self) -> int:
        """Terms of each."""
        return self.source.shape[1]

    def term(self, number: int) -> "Route":
        """One of its terms alone."""
        return Route(self.source[:, number : number + 1], self.place[:, number : number + 1], self.sizes)

    @property
    def runs(self) -> list[Run]:
        """Runs of the first term, those of what is absent with source -1."""
        source, place = self.source[:, 0], self.place[:, 0]
        breaks = (np.diff(source) != 0) | ((np.diff(place) != 1) & (source[1:] != ABSENT))
        edges = [0, *(np.flatnonzero(breaks) + 1).tolist(), len(source)]
        return [Run(a, b, int(source[a]), int(place[a])) for a, b in pairwise(edges)]


def route(index: Integral, images: Sequence[Image], result: Image, *, whole: bool) -> Route:
    """The route of a stage.

    Raises NotAlikeError if pixels differ.

    Parameters
    ----------
    index
        Elements of the values side by side that each element takes, (elements, terms), -1 for none.
    images, result
        Images of the values, and of what is made. One of a single pixel may serve all pixels of it.
    whole
        Whether a block has all pixels, else one.
    """
    bases = np.cumsum([0, *(image.elements for image in images)])
    if index.max(initial=-1) >= bases[-1]:
        raise NotAlikeError
    source = np.searchsorted(bases, index, side="right") - 1
    pixels = np.array([image.pixels for image in images])[source]
    channel, pixel = np.divmod(index - bases[source], pixels)
    present = index >= 0
    source = np.where(present, source, ABSENT)
    if whole:
        channels = np.array([image.channels for image in images])[source]
        order = np.arange(result.elements).reshape(result.channels, result.pixels).T.ravel()
        place = np.where(present, pixel * channels + channel, ABSENT)
        return Route(source[order], place[order], tuple(image.elements for image in images))
    at = (np.arange(len(index)) % result.pixels)[:, None]
    if (present & (pixels != 1) & ((pixels != result.pixels) | (pixel != at))).any():
        raise NotAlikeError
    shape = result.channels, result.pixels, -1
    grids = [array.reshape(shape) for array in (source, np.where(present, channel, ABSENT))]
    if any((grid != grid[:, :1]).any() for grid in grids):
        raise NotAlikeError
    return Route(grids[0][:, 0], grids[1][:, 0], tuple(image.channels for image in images))


def each_of(values: Integral, image: Image, *, whole: bool) -> Integers:
    """Parameters of the elements of a block, from those of all elements, (elements, ...).

    Raises NotAlikeError if those of a channel differ and a block has one pixel.
    """
    grid = values.astype(np.int64).reshape(image.channels, image.pixels, *values.shape[1:])
    if whole:
        return grid.swapaxes(0, 1).reshape(values.shape)
    if (grid != grid[:, :1]).any():
        raise NotAlikeError
    return grid[:, 0]
