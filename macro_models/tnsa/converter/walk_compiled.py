"""The walk of :mod:`.walk` in loops that numba compiles. Needs numba; import it through ``walk.compiled``.

Philox is exact in integers, a normal is a look-up, and numba contracts and reorders nothing without ``fastmath``: the
bits are those of numpy. Eight lines, which have one block of draws, count down together; comparisons whose noise cannot
decide them are left without a draw.
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
_OFFSET, _POS, _NEG, _SAMPLING, _COMPARATOR = range(5)
"""Rows of the constants of lines."""


@nb.njit(error_model="numpy", inline="always")
def _decrement(state: Any, lines: Any, negative: Any, beta: Any, z: Any):
    """One decrement of eight lines."""
    for j in range(LANES):
        drift = lines[_NEG, j] if negative[j] else lines[_POS, j]
        state[j] = state[j] * beta + drift + lines[_SAMPLING, j] * z[j]


@nb.njit(error_model="numpy", inline="always")
def _undecided(state: Any, lines: Any, alive: Any, top: Any):
    """Whether noise may decide the comparison of a line that has not flipped."""
    close = False
    for j in range(LANES):
        close |= alive[j] & (abs(state[j] + lines[_OFFSET, j]) <= lines[_COMPARATOR, j] * top)
    return close


def _walk(
    charge: Any, constants: Any, numbers: Any, sampled: Any, noisy: Any, ids: Any, keys: Any, normal: Any, beta: Any,
    cap: Any, negative: Any, counts: Any,
):
    """Arrays of lines are filled up to whole blocks."""
    words, z, still = np.empty((4, 1), _V), np.zeros(LANES), np.zeros(LANES)
    state, below, alive = np.empty(LANES), np.empty(LANES, np.bool_), np.empty(LANES, np.bool_)
    top = np.float64(normal[65535])
    for v in range(charge.shape[0]):
        low, high = _V(ids[v] & LOW), _V(ids[v] >> HIGH)
        for b in range(len(numbers)):
            at = slice(LANES * b, LANES * (b + 1))
            lines, sign, count, number = constants[:, at], negative[v, at], counts[v, at], numbers[b : b + 1]
            state[:], alive[:] = charge[v, at], True
            for step in range(cap + 1):
                if step > 0:
                    if sampled:
                        draw(number, 1, low, high, _V(step), keys[0], normal, words, z)
                    _decrement(state, lines, sign, beta, z if sampled else still)
                drawn = noisy and (step == 0 or _undecided(state, lines, alive, top))
                if drawn:
                    draw(number, 1, low, high, _V(step), keys[1], normal, words, z)
                for j in range(LANES):
                    compared = state[j] + lines[_OFFSET, j]
                    below[j] = (compared + lines[_COMPARATOR, j] * z[j] if drawn else compared) < 0.0
                if step == 0:
                    sign[:], count[:] = below, 0
                    continue
                for j in range(LANES):
                    alive[j] &= below[j] == sign[j]
                    count[j] += alive[j]
                if not alive.any():
                    break


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
    shape = batch, LANES * len(walk.blocks)
    whole, constants = np.zeros(shape), np.zeros((5, shape[1]))
    whole[:, :lines] = charge
    for row, line in zip(constants, (walk.offset, walk.pos, walk.neg, walk.sampling, walk.comparator), strict=True):
        row[:lines] = 0.0 if line is None else line
    keys = [philox_key(purpose, seed, core) for purpose in (Purpose.SAMPLING, Purpose.COMPARATOR)]
    negative, counts = np.empty(shape, dtype=np.bool_), np.empty(shape, dtype=np.int64)
    _LOOPS(
        whole, constants, np.array(walk.blocks, dtype=np.uint32), walk.sampling is not None,
        walk.comparator is not None, np.array(op_id, dtype=np.uint64), np.array(keys, dtype=np.uint32),
        NORMAL_TABLE, walk.beta, cap, negative, counts,
    )
    return negative[:, :lines], counts[:, :lines]


LOOPS = None if _LOOPS is None else count
