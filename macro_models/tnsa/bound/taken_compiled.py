"""Codes of conversions without noise, of elements by their index, in loops that numba compiles.

Import it through ``product.compiled_taken``. What is taken and its charges stay in the cache of a processor, so many
vectors at once: larger blocks are bounded by the memory, which threads share, and smaller ones by the interpreter,
which is not needed here.
"""

from typing import Any

import numba as nb
import numpy as np

from mho.macro_models.compiled import compile_loops, read

NUMBERS = 1 << 17
"""Of what is taken and of charges at once, in single precision: 512 KiB."""

FEWEST = 16
"""Vectors at once at least."""


@nb.njit(error_model="numpy", inline="always")
def _take(values: Any, index: Any, first: Any, count: Any, chosen: Any):
    """Vectors from number ``first`` on: of each value, those of ``index``."""
    places, inputs = index.shape
    for v in range(count):
        value, place, target = values[(first + v) // places], index[(first + v) % places], chosen[v]
        for k in range(inputs):
            target[k] = value[place[k]]


@nb.njit(error_model="numpy", inline="always")
def _split(chosen: Any, count: Any, scale: Any, high: Any):
    """What the high segment has of inputs, whose rest is left."""
    back = np.float32(1.0) / scale
    for v in range(count):
        rest, target = chosen[v], high[v]
        for k in range(rest.shape[0]):
            target[k] = np.trunc(rest[k] * back)
            rest[k] = rest[k] - target[k] * scale


@nb.njit(error_model="numpy", inline="always")
def _count(charge: Any, steps: Any, cap: Any, relu: Any, row: Any):
    """Codes of a vector, and their largest magnitude: quotients and floors of ``conversion.count_steps``."""
    low, high, largest = np.float32(-cap - 1), np.float32(cap), np.int16(0)
    for j in range(row.shape[0]):
        count = np.floor(min(max(charge[j] / steps[j], low), high))
        row[j] = np.int16(np.int32(count) * np.int32(2) + np.int32(1))
    if relu:
        for j in range(row.shape[0]):
            row[j] = max(row[j], np.int16(0))
    for j in range(row.shape[0]):
        largest = max(largest, max(row[j], np.int16(-row[j])))
    return largest


@nb.njit(error_model="numpy", inline="always")
def _put(row: Any, lines: Any, in_turn: Any, codes: Any):
    """Codes of all lines."""
    n = row.shape[0]
    if in_turn:
        for first in range(0, codes.shape[0], n):
            target = codes[first : first + n]
            for j in range(n):
                target[j] = row[j]
    else:
        for j in range(codes.shape[0]):
            codes[j] = row[lines[j]]


@nb.njit(error_model="numpy", inline="always")
def _combine(segment: Any, scale: Any, row: Any, combined: Any):
    """A segment's codes below those of the segments before."""
    if segment == 0:
        for j in range(row.shape[0]):
            combined[j] = row[j]
    else:
        for j in range(row.shape[0]):
            combined[j] = np.int16(np.int32(combined[j]) * scale + np.int32(row[j]))


@nb.njit(error_model="numpy", inline="always")
def _between(codes: Any, ends: Any):
    """Least and largest code, of those before and of these."""
    smallest, largest = np.int16(ends[0]), np.int16(ends[1])
    for j in range(codes.shape[0]):
        smallest = min(smallest, codes[j])
    for j in range(codes.shape[0]):
        largest = max(largest, codes[j])
    ends[0], ends[1] = smallest, largest


def _codes(
    values: Any, index: Any, matrix: Any, steps: Any, lines: Any, segments: Any, scale: Any, cap: Any, relu: Any,
    early: Any, codes: Any, taken_steps: Any, ends: Any,
):
    """Codes of ``values[:, index]``, and decrements of each conversion, for each vector.

    ``lines`` says which charge, a column of ``matrix``, each line has; ``scale`` is that of the high segment. A
    conversion that ends ``early`` takes those of its largest magnitude. ``ends`` becomes the least and largest code.
    """
    ends[0], ends[1] = 32767, -32768
    (vectors, outputs), (inputs, n), in_turn = codes.shape, matrix.shape, lines.shape[0] % matrix.shape[1] == 0
    for j in range(outputs):
        in_turn = in_turn and lines[j] == j % n
    at_once = max(min(NUMBERS // (inputs * segments + n), vectors), FEWEST)
    chosen, above = np.empty((at_once, inputs), np.float32), np.empty((at_once, inputs), np.float32)
    charge, combined, row = np.empty((at_once, n), np.float32), np.empty((at_once, n), np.int16), np.empty(n, np.int16)
    for first in range(0, vectors, at_once):
        count = min(at_once, vectors - first)
        _take(values, index, first, count, chosen)
        for segment in range(segments):
            last = segment + 1 == segments
            if not last:
                _split(chosen, count, np.float32(scale), above)
            part = chosen if last else above
            np.dot(part[:count], matrix, charge[:count])
            for v in range(count):
                top = np.int64(_count(charge[v], steps, cap, relu, row))
                taken_steps[first + v, segment] = min((top + 1) >> 1, cap) if early else cap
                _combine(segment, np.int32(scale), row, combined[v])
        for v in range(count):
            _put(combined[v], lines, in_turn, codes[first + v])
            _between(codes[first + v], ends)


LOOPS = compile_loops(
    nb.void(
        read(nb.float32, 2), read(nb.uint32, 2), nb.float32[:, ::1], read(nb.float32, 1), read(nb.uint32, 1), nb.int64,
        nb.int64, nb.int64, nb.boolean, nb.boolean, nb.int16[:, ::1], nb.int64[:, ::1], nb.int64[::1],
    ),
    _codes, nogil=True,
)
