"""How many cores rectangles of weights take at least, however they are packed.

The bounds hold for any sets of rows and columns, contiguous or not, of which no two share a cell:

* a core has so many masks, and so many cells;
* in each row the columns of those that lie there are disjoint, so that their widths add up to at most that of a core,
  and so do the images of those widths by a dual feasible function (Fekete and Schepers, Math. Program. 91, 11 (2001)).
  Summed over the rows, each rectangle counts as its height times that image; the same with rows and columns exchanged;
* of rectangles higher than half a core any two share a row: they lie side by side, each counting as 1 high.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from mho.compiler.mapping.packing.pack import MASKS, Core, Rectangle
from mho.compiler.types import Float

__all__ = ["least_cores"]

MOST_THRESHOLDS = 64
"""Sizes at which the functions change, at most."""

_SLACK = 1e-9


def least_cores(rectangles: Sequence[Rectangle], new: Callable[[int], Core], shape: tuple[int, int]) -> int:
    """No packing takes fewer cores than these.

    ``new`` makes an empty core from its number, ``shape`` is (rows, columns) of one without dead lines.
    """
    heights = np.array([r.height for r in rectangles], dtype=np.int64)
    widths = np.array([r.width for r in rectangles], dtype=np.int64)
    cores, free = 0, 0
    while cores * MASKS < len(rectangles) or free < int(heights @ widths):
        core = new(cores)
        cores, free = cores + 1, free + len(core.rows) * len(core.columns)
    rows, columns = shape
    return max(cores, _by_functions(heights, rows, widths, columns), _by_functions(widths, columns, heights, rows))


def _by_functions(heights: NDArray[np.int64], rows: int, widths: NDArray[np.int64], columns: int) -> int:
    """The bound by rows: each rectangle counts as its height times a function of its width."""
    best, high = 0.0, np.where(2 * heights > rows, 1.0, 0.0)
    for image in _images(widths, columns):
        best = max(best, float(heights @ image) / rows, float(high @ image))
    return int(np.ceil(best - _SLACK))


def _images(sizes: NDArray[np.int64], whole: int) -> list[Float]:
    """Images of sizes in 1..whole by dual feasible functions: of sizes that add up to ``whole`` they make at most 1."""
    share, result = sizes / whole, [sizes / whole]
    limits = np.unique(np.concatenate([sizes, whole - sizes + 1]))
    for limit in limits[2 * limits <= whole][:MOST_THRESHOLDS]:
        # What leaves less than ``limit`` counts as all of it, what is smaller as nothing.
        result.append(np.where(sizes > whole - limit, 1.0, np.where(sizes < limit, 0.0, share)))
    for k in range(1, 9):
        # (k + 1) x rounded down to whole multiples of 1 / k, unless it is whole.
        times = (k + 1) * sizes
        result.append(np.where(times % whole == 0, share, (times // whole) / k))
    return result
