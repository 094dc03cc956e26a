"""The walk of :mod:`.walk` in loops that numba compiles. Needs numba; import it through ``walk.compiled``.

Philox is exact in integers, a normal is a look-up, and numba contracts and reorders nothing without ``fastmath``: the
bits are those of numpy. What makes it fast: loops over the lines of one vector that the compiler can vectorise (few
arrays each, one of them written), lines that are done taken out eight at a time, and comparisons whose noise cannot
decide them left without a draw.
"""

from typing import Any

import numba as nb
import numpy as np
from numpy.typing import NDArray

from mho.macro_models.compiled import compile_loops
from mho.macro_models.integer.random import LANES, NORMAL_TABLE, Purpose, philox_key
from mho.macro_models.tnsa.draws_compiled import HIGH, LOW, draw
from mho.macro_models.types import Flags, Reals

_V = np.uint32
_LEAST = 5e-324  # smallest positive number

_STATE, _DRIFT, _OFFSET, _SAMPLING, _COMPARATOR, _REACH, _SIGN, _LEVEL, _ROWS = range(9)
"""Rows of what is kept of each line: charge, charge that a decrement adds, and so on. No noise of a comparison exceeds
its reach. A line has not flipped while sign times what is seen is at least the level; of one that has, the charge is
NaN, so that it neither counts nor needs noise."""


@nb.njit(error_model="numpy", inline="always")
def _begin(charge: Any, constants: Any, noisy: Any, z: Any, lines: Any, negative: Any):
    """Sets the lines of a vector up; ``constants`` has the rows offset, pos, neg, sampling, comparator."""
    top = np.float64(NORMAL_TABLE[65535])
    for j in range(lines.shape[1]):
        lines[_STATE, j] = np.nan
        if j < charge.shape[0]:
            lines[_STATE, j], lines[_OFFSET, j] = charge[j], constants[0, j]
            lines[_SAMPLING, j], lines[_COMPARATOR, j] = constants[3, j], constants[4, j]
            lines[_REACH, j] = constants[4, j] * top
            compared = charge[j] + constants[0, j]
            if noisy:
                compared += constants[4, j] * z[j]
            below = compared < 0.0
            negative[j] = below
            lines[_DRIFT, j] = constants[2, j] if below else constants[1, j]
            lines[_SIGN, j], lines[_LEVEL, j] = (-1.0, _LEAST) if below else (1.0, 0.0)


@nb.njit(error_model="numpy", inline="always")
def _decrement(
    state: Any, drift: Any, offset: Any, sampling: Any, n: Any, beta: Any, sampled: Any, z: Any, compared: Any
):
    """One decrement of the first n lines, and what a comparator without noise would see."""
    if sampled:
        for j in range(n):
            state[j] = state[j] * beta + drift[j] + sampling[j] * z[j]
    else:
        for j in range(n):
            state[j] = state[j] * beta + drift[j]
    for j in range(n):
        compared[j] = state[j] + offset[j]


@nb.njit(error_model="numpy", inline="always")
def _find_close(reach: Any, live: Any, number: Any, compared: Any, close: Any, near: Any, first: Any):
    """Blocks with a line that noise may flip: their numbers, where they are, and how many."""
    for j in range(8 * live):
        close[j] = np.uint8(abs(compared[j]) <= reach[j])
    packed, groups = close.view(np.uint64), 0
    for b in range(live):
        near[groups], first[groups] = number[b], 8 * b
        groups += packed[b] != 0
    return groups


@nb.njit(error_model="numpy", inline="always")
def _compare(state: Any, sign: Any, level: Any, n: Any, compared: Any, count: Any):
    """Counts the decrement of lines that have not flipped, and ends those that have."""
    for j in range(n):
        same = sign[j] * compared[j] >= level[j]
        count[j] += same
        state[j] = state[j] if same else np.nan


@nb.njit(error_model="numpy", inline="always")
def _keep(live: Any, block: Any, number: Any, lines: Any, count: Any, counts: Any, all_of_them: Any):
    """Writes the counts of blocks that are done, and moves the last ones into their places; how many go on."""
    b = 0
    while b < live:
        done = True
        for j in range(8 * b, 8 * b + 8):
            done &= np.isnan(lines[_STATE, j])
        if not (done or all_of_them):
            b += 1
            continue
        first = 8 * block[b]
        for k in range(min(8, counts.shape[0] - first)):
            counts[first + k] = count[8 * b + k]
        live -= 1
        block[b], number[b] = block[live], number[live]
        for k in range(8):
            count[8 * b + k] = count[8 * live + k]
            for row in range(_ROWS):
                lines[row, 8 * b + k] = lines[row, 8 * live + k]
    return live


def _walk(
    charge: Any, constants: Any, numbers: Any, sampled: Any, noisy: Any, ids: Any, keys: Any, normal: Any, beta: Any,
    cap: Any, negative: Any, counts: Any,
):
    blocks = constants.shape[1] // 8
    words, near = np.empty((4, blocks), _V), np.empty(blocks + 1, _V)
    block, number = np.empty(blocks, np.int64), np.empty(blocks, _V)
    first, count, close = np.empty(blocks + 1, np.int64), np.empty(8 * blocks, np.int64), np.zeros(8 * blocks, np.uint8)
    lines, z, compared = np.zeros((_ROWS, 8 * blocks)), np.zeros(8 * blocks), np.zeros(8 * blocks)
    state, drift, offset, sampling = lines[_STATE], lines[_DRIFT], lines[_OFFSET], lines[_SAMPLING]
    comparator, reach, sign, level = lines[_COMPARATOR], lines[_REACH], lines[_SIGN], lines[_LEVEL]
    for v in range(charge.shape[0]):
        low, high, live = _V(ids[v] & LOW), _V(ids[v] >> HIGH), blocks
        for b in range(blocks):
            block[b], number[b] = b, numbers[b]
        count[:] = 0
        if noisy:
            draw(number, live, low, high, _V(0), keys[1], normal, words, z)
        _begin(charge[v], constants, noisy, z, lines, negative[v])
        for step in range(1, cap + 1):
            if sampled:
                draw(number, live, low, high, _V(step), keys[0], normal, words, z)
            _decrement(state, drift, offset, sampling, 8 * live, beta, sampled, z, compared)
            if noisy:
                groups = _find_close(reach, live, number, compared, close, near, first)
                draw(near, groups, low, high, _V(step), keys[1], normal, words, z)
                for i in range(groups):
                    for k in range(8):
                        compared[first[i] + k] += comparator[first[i] + k] * z[8 * i + k]
            _compare(state, sign, level, 8 * live, compared, count)
            if step % 4 == 0:
                live = _keep(live, block, number, lines, count, counts[v], False)
                if live == 0:
                    break
        _keep(live, block, number, lines, count, counts[v], True)


_LOOPS: Any = compile_loops(
    nb.void(
        nb.float64[:, ::1], nb.float64[:, ::1], nb.uint32[::1], nb.boolean, nb.boolean, nb.uint64[::1],
        nb.uint32[:, ::1], nb.int16[::1], nb.float64, nb.int64, nb.boolean[:, ::1], nb.int64[:, ::1],
    ),
    _walk,
)


def count(
    walk: Any, charge: Reals, cap: int, op_id: NDArray[np.uint64], seed: int, core: int
) -> tuple[Flags, NDArray[np.intp]]:
    batch, lines = charge.shape
    constants = np.zeros((5, LANES * len(walk.blocks)))
    for row, line in zip(constants, (walk.offset, walk.pos, walk.neg, walk.sampling, walk.comparator), strict=True):
        row[:lines] = 0.0 if line is None else line
    keys = [philox_key(purpose, seed, core) for purpose in (Purpose.SAMPLING, Purpose.COMPARATOR)]
    negative, counts = np.empty((batch, lines), dtype=np.bool_), np.empty((batch, lines), dtype=np.int64)
    _LOOPS(
        np.ascontiguousarray(charge), constants, np.array(walk.blocks, dtype=np.uint32), walk.sampling is not None,
        walk.comparator is not None, np.array(op_id, dtype=np.uint64), np.array(keys, dtype=np.uint32),
        NORMAL_TABLE, walk.beta, cap, negative, counts,
    )
    return negative, counts


LOOPS = None if _LOOPS is None else count
