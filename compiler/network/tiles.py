"""What a network file holds of tiles: their programs, what joins them, and what the host sends and gets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hw.tile.machine.tiles import Flow, Reduction
from hw.tile.program import Program

__all__ = ["HeldValue", "TileCode"]

Lanes = NDArray[np.int16]


@dataclass(frozen=True, kw_only=True)
class HeldValue:
    """How a value lies in the rings of tiles: pixel by pixel, an element in one byte or, ``wide``, in two."""

    channels: int
    pixels: int
    wide: bool
    signed: bool = True

    @property
    def block(self) -> int:
        """Bytes of a pixel."""
        return self.channels * (2 if self.wide else 1)

    def blocks(self, lanes: Lanes) -> NDArray[np.uint8]:
        """Pixels of images, row by row: from (images, elements) to (images * pixels, block)."""
        pixels = lanes.reshape(len(lanes), self.channels, self.pixels).transpose(0, 2, 1)
        kind = "<i2" if self.wide else "u1"
        return np.ascontiguousarray(pixels.reshape(-1, self.channels).astype(kind)).view(np.uint8)

    def lanes(self, blocks: NDArray[np.uint8]) -> Lanes:
        """Inverse of :meth:`blocks`."""
        kind = "<i2" if self.wide else "i1" if self.signed else "u1"
        pixels = np.ascontiguousarray(blocks).view(kind).astype(np.int16)
        images = pixels.reshape(-1, self.pixels, self.channels).transpose(0, 2, 1)
        return images.reshape(-1, self.pixels * self.channels)


@dataclass(frozen=True, kw_only=True)
class TileCode:
    """All that tiles are loaded with for a network.

    Attributes
    ----------
    programs
        By tile, ``column,row``; the number of the first image is 0.
    flows, reductions
        What joins them.
    given
        The remote streams that the host sends every pixel of the input to: (tile, stream).
    input
        How they hold it.
    values
        What the host gets, by the numbers of values: who sends it, in which flow, and how it is held. At least that of
        the last stage.
    instructions
        Instructions of all tiles for one image.
    """

    programs: Mapping[str, Program]
    flows: Sequence[Flow]
    reductions: Sequence[Reduction]
    given: Sequence[tuple[str, int]]
    input: HeldValue
    values: Mapping[int, tuple[str, int, HeldValue]]
    instructions: int
