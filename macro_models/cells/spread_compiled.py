"""Cells of a device of windows and spreads, in loops that numba compiles; import it through ``programming``.

The same quotients, sums and roots in the same order as :meth:`mho.macro_models.devices.Device.window_uS` and
``relaxed_uS``, and what :mod:`mho.macro_models.cells.programming` draws of them, for one cell after the other.
"""

from typing import Any

import numba as nb
import numpy as np

from mho.macro_models.compiled import compile_loops
from mho.macro_models.integer.random import NORMAL_ONE

_ONE, _BLOCK = np.float64(NORMAL_ONE), 512


@nb.njit(error_model="numpy", inline="always")
def _evaluate(polynomial: Any, r: Any, value: Any):
    for k in range(r.shape[0]):
        value[k] = 0.0
    for power in range(polynomial.shape[0] - 1, -1, -1):
        coefficient = polynomial[power]
        for k in range(r.shape[0]):
            value[k] = value[k] * r[k] + coefficient
    for k in range(r.shape[0]):
        value[k] = max(value[k], 0.0)


def _spread(
    g: Any, left: Any, moved: Any, normal: Any, accept: Any, reference: Any, first: Any, before: Any, after: Any,
    weight: Any, growth: Any,
):
    """Targets ``g`` become what cells hold.

    ``left`` and ``moved`` are their draws, empty where there are none. ``first`` is the polynomial of the first time,
    empty where the window is all; ``before``, ``after``, ``weight`` and ``growth`` are those of
    :meth:`~mho.macro_models.devices.sections.programming.Relaxation.around`.
    """
    # Some cells at a time, step by step: a loop over coefficients within that over cells is not vectorised.
    buffers = np.empty((4, _BLOCK))
    for start in range(0, g.shape[0], _BLOCK):
        block = g[start : start + _BLOCK]
        n = block.shape[0]
        r, window, total, fresh = buffers[0, :n], buffers[1, :n], buffers[2, :n], buffers[3, :n]
        for k in range(n):
            r[k] = min(max(block[k] / reference, 0.0), 1.0)
        if first.shape[0] > 0:
            _evaluate(first, r, window)
            for k in range(n):
                window[k] = min(accept, window[k])
        else:
            window[:] = accept
        if left.shape[0] > 0:
            draws = left[start : start + _BLOCK]
            for k in range(n):
                block[k] += window[k] * ((draws[k] + 0.5) / 32768.0 - 1.0)
        if moved.shape[0] > 0:
            _evaluate(after, r, total)
            if before.shape[0] > 0:
                _evaluate(before, r, fresh)
                for k in range(n):
                    total[k] = fresh[k] * (1.0 - weight) + total[k] * weight
            draws = moved[start : start + _BLOCK]
            for k in range(n):
                fresh[k] = normal[draws[k]] / _ONE
            for k in range(n):
                added = np.sqrt(max(total[k] * total[k] - window[k] * window[k] / 3.0, 0.0)) * growth
                block[k] += added * fresh[k]


LOOPS = compile_loops(
    nb.void(
        nb.float64[::1], nb.uint16[::1], nb.uint16[::1], nb.int16[::1], nb.float64, nb.float64, nb.float64[::1],
        nb.float64[::1], nb.float64[::1], nb.float64, nb.float64,
    ),
    _spread, nogil=True,
)
