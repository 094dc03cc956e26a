"""Codes of conversions with read noise, in loops that numba compiles; import it through ``product.compiled``.

The same sums, products and roots in the same order as :meth:`mho.macro_models.tnsa.sensing.Key.charge` with the
converter of :mod:`.converter.conversion`, for the lines of one vector after the other: of numpy it takes a dozen
passes.
"""

from typing import Any

import numba as nb
import numpy as np

from mho.macro_models.compiled import compile_loops
from mho.macro_models.tnsa.draws_compiled import HIGH, LOW, draw


def _convert(
    a: Any, square: Any, cross: Any, lines: Any, ids: Any, blocks: Any, key: Any, normal: Any, steps: Any, relu: Any,
    codes: Any, top: Any,
):
    """``lines`` has the rows inverse, total, offset, positive step, negative step; ``square`` one column or all."""
    n = a.shape[1]
    n_blocks = blocks.shape[0]
    words, z = np.empty((4, n_blocks), np.uint32), np.empty(8 * n_blocks, np.int16)
    alike, crossed = square.shape[1] == 1, cross.shape[0] > 0
    inverse, total, offset, pos, neg = lines[0], lines[1], lines[2], lines[3], lines[4]
    low_end, high_end = np.float64(-steps - 1), np.float64(steps)
    charge = np.empty(n)
    for v in range(a.shape[0]):
        draw(blocks, n_blocks, np.uint32(ids[v] & LOW), np.uint32(ids[v] >> HIGH), np.uint32(0), key, normal, words, z)
        if alike:
            variance = np.float64(square[v, 0])
            if crossed:
                for j in range(n):
                    x = np.float64(a[v, j]) * inverse[j]
                    charge[j] = np.sqrt(max((total[j] * x - 2.0 * np.float64(cross[v, j])) * x + variance, 0.0))
            else:
                for j in range(n):
                    x = np.float64(a[v, j]) * inverse[j]
                    charge[j] = np.sqrt(max(total[j] * x * x + variance, 0.0))
        elif crossed:
            for j in range(n):
                x = np.float64(a[v, j]) * inverse[j]
                weighted = (total[j] * x - 2.0 * np.float64(cross[v, j])) * x
                charge[j] = np.sqrt(max(weighted + np.float64(square[v, j]), 0.0))
        else:
            for j in range(n):
                x = np.float64(a[v, j]) * inverse[j]
                charge[j] = np.sqrt(max(total[j] * x * x + np.float64(square[v, j]), 0.0))
        for j in range(n):
            charge[j] = (np.float64(a[v, j]) + np.rint(charge[j] * z[j])) * 2.0 + offset[j]
        row, largest, smallest = codes[v], np.int16(0), np.int16(0)
        for j in range(n):
            # Both steps are loaded, so that there is a choice of values and not a jump.
            above, below, q = pos[j], neg[j], charge[j]
            whole = np.floor(min(max(q / (below if q < 0.0 else above), low_end), high_end))
            row[j] = np.int16(np.int32(whole * 2.0 + 1.0))
        if relu:
            for j in range(n):
                row[j] = max(row[j], np.int16(0))
        for j in range(n):
            largest, smallest = max(largest, row[j]), min(smallest, row[j])
        top[v] = max(largest, np.int16(-smallest))


LOOPS = compile_loops(
    nb.void(
        nb.float32[:, ::1], nb.float32[:, ::1], nb.float32[:, ::1], nb.float64[:, ::1], nb.uint64[::1], nb.uint32[::1],
        nb.uint32[::1], nb.int16[::1], nb.int64, nb.boolean, nb.int16[:, ::1], nb.int16[::1],
    ),
    _convert, nogil=True,
)
