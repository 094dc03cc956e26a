"""A rectangle of weights in a core."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Block:
    """A rectangle of one layer's weights in one core.

    ``rows`` are the core's rows of the layer's rows ``first`` and up; ``columns`` the physical source lines;
    ``outputs``, of the length of ``columns``, the output of the layer that each serves. With copies an output occurs
    several times, and with slices once for each slice of each copy: all columns of slice 0 of a copy, then those of
    slice 1, and so on.
    """

    layer: int
    core: int
    first: int
    rows: NDArray[np.int32]
    columns: NDArray[np.int32]
    outputs: NDArray[np.int32]
    copies: int
    wl_select: int
    line_select: int
    slices: int = 1

    @property
    def copy_of(self) -> NDArray[np.int64]:
        """Which copy each column belongs to, of shape (columns,)."""
        return np.arange(len(self.columns)) // (len(self.columns) // self.copies)

    @property
    def slice_of(self) -> NDArray[np.int64]:
        """Which slice of the weights each column holds, 0 for the most significant, of shape (columns,)."""
        columns = len(self.columns)
        return np.arange(columns) // (columns // (self.copies * self.slices)) % self.slices
