"""Draws of :mod:`mho.macro_models.integer.random` within loops that numba compiles. Needs numba."""

from typing import Any

import numba as nb
import numpy as np

LOW, HIGH = np.uint64(0xFFFFFFFF), np.uint64(32)
"""Mask of the low word of a number, and how far up the high one is."""

_U, _V = np.uint64, np.uint32  # numba makes floating point of a signed and an unsigned integer
_M0, _M1 = _U(0xD2511F53), _U(0xCD9E8D57)
_W0, _W1 = _V(0x9E3779B9), _V(0xBB67AE85)
_16, _LOW16 = _V(16), _V(0xFFFF)


@nb.njit(error_model="numpy", inline="always")
def draw(block: Any, blocks: Any, low: Any, high: Any, step: Any, key: Any, normal: Any, words: Any, z: Any):
    """Eight normal codes for each of so many blocks."""
    w0, w1, w2, w3 = words[0], words[1], words[2], words[3]
    for i in range(blocks):  # all rounds of a block in registers, several blocks at once
        c0, c1, c2, c3, k0, k1 = block[i], low, high, step, _V(key[0]), _V(key[1])
        for _ in range(10):
            p0, p1 = _U(c0) * _M0, _U(c2) * _M1
            c0, c2 = _V(p1 >> HIGH) ^ c1 ^ k0, _V(p0 >> HIGH) ^ c3 ^ k1
            c1, c3 = _V(p1), _V(p0)
            k0, k1 = _V(k0 + _W0), _V(k1 + _W1)
        w0[i], w1[i], w2[i], w3[i] = c0, c1, c2, c3
    for i in range(blocks):
        for w in range(4):
            z[8 * i + 2 * w] = normal[words[w, i] & _LOW16]
            z[8 * i + 2 * w + 1] = normal[words[w, i] >> _16]
