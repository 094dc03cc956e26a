"""Counter-based randomness: a draw is a function of what it is for, never of the order of calls.

Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011). The key is (seed, core and
purpose), the counter is (block of eight items, op_id, step). Each 128-bit block gives eight 16-bit draws; a normal is
a look-up of such a draw in an integer table of the inverse distribution, so that it costs the same everywhere and is
the same everywhere.
"""

from collections.abc import Callable
from enum import IntEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

NORMAL_FRACTION_BITS = 12
NORMAL_ONE = 1 << NORMAL_FRACTION_BITS
"""One standard deviation in the integers that :func:`normal_codes` returns."""

LANES = 8
"""Items of one block of draws."""

PHILOX_ROUNDS = 10
PHILOX_MULTIPLIERS = 0xD2511F53, 0xCD9E8D57
PHILOX_WEYL = 0x9E3779B9, 0xBB67AE85
"""What the key grows by from round to round."""

_M0, _M1 = (np.uint64(multiplier) for multiplier in PHILOX_MULTIPLIERS)
_W0, _W1 = PHILOX_WEYL
_LOW = np.uint64(0xFFFFFFFF)
_32 = np.uint64(32)


class Purpose(IntEnum):
    """What a draw is for: part of the key, so that two purposes never share a number."""

    PROGRAMMING = 0
    RELAXATION = 1
    READ_NOISE = 2
    OUTPUT_NOISE = 3
    CONVERTER_OFFSET = 4
    CONVERTER_GAIN = 5
    STUCK = 6
    STUCK_VALUE = 7
    DRIFT = 8
    PULSE = 9
    AMPLIFIER_OFFSET = 10
    SAMPLING = 11
    COMPARATOR = 12
    SHIFT_REGISTER = 13
    TRAP = 14
    TRAP_STATE = 15
    CONVERTER_CURVE = 16
    CONVERTER_RESIDUAL = 17
    CONVERTER_PHASE = 18
    REFERENCE_PHASE = 19
    PIXEL_GAIN = 20
    PIXEL_DARK = 21
    DRAW = 22



def philox_key(purpose: Purpose, seed: int, core: int) -> tuple[int, int]:
    """Key of the draws of one purpose on one core of one chip."""
    return seed & 0xFFFFFFFF, (core << 8) | int(purpose)


def philox4x32(
    counter: tuple[ArrayLike, ArrayLike, ArrayLike, ArrayLike], key: tuple[int, int]
) -> tuple[NDArray[np.uint64], ...]:
    """Ten rounds of Philox4x32. Counter words broadcast; returns four arrays of 32-bit values held in uint64."""
    words = [np.asarray(c, dtype=np.uint64) for c in counter]
    shape = np.broadcast_shapes(*(c.shape for c in words))
    c0, c1, c2, c3 = (np.atleast_1d(c) for c in words)
    k0, k1 = key
    for turn in range(PHILOX_ROUNDS):
        p0, p1 = c0 * _M0, c2 * _M1
        if turn < 3:
            # The words have shapes of their own at first; after three rounds each depends on all of them.
            c0, c2 = (p1 >> _32) ^ (c1 ^ np.uint64(k0)), (p0 >> _32) ^ (c3 ^ np.uint64(k1))
            c1, c3 = p1 & _LOW, p0 & _LOW
        else:
            # In place, for speed: every array is of the full shape and nobody else's.
            np.right_shift(p1, _32, out=c0)
            np.right_shift(p0, _32, out=c2)
            c0 ^= c1
            c2 ^= c3
            c0 ^= np.uint64(k0)
            c2 ^= np.uint64(k1)
            c1, c3 = np.bitwise_and(p1, _LOW, out=p1), np.bitwise_and(p0, _LOW, out=p0)
        k0, k1 = (k0 + _W0) & 0xFFFFFFFF, (k1 + _W1) & 0xFFFFFFFF
    return tuple(c.reshape(shape) for c in (c0, c1, c2, c3))


def bits16(
    purpose: Purpose, *, seed: int, core: int, items: int, op_id: ArrayLike = 0, step: int = 0
) -> NDArray[np.uint16]:
    """Uniform 16-bit draws of shape ``np.shape(op_id) + (items,)``.

    ``seed`` 0..2**32-1, ``core`` 0..2**24-1; item i is the line or the flattened cell; ``op_id`` up to 64 bits.
    """
    ids, count = np.asarray(op_id, dtype=np.uint64), -(-items // LANES)
    if _words is not None:
        drawn = _words(philox_key(purpose, seed, core), np.ascontiguousarray(ids).reshape(-1), count, step)
        return drawn.astype("<u4", copy=False).view("<u2").reshape(*ids.shape, -1)[..., :items]
    drawn = _bits_of_blocks(purpose, seed, core, np.arange(count, dtype=np.uint64), ids[..., None], step)
    return drawn.reshape(*drawn.shape[:-2], -1)[..., :items]


Words = Callable[[tuple[int, int], NDArray[np.uint64], int, int], NDArray[np.uint32]]
_words: Words | None = None


def use_words(words: Words | None) -> None:
    """Have :func:`bits16` take its words from elsewhere, for speed: they must be those of :func:`philox4x32`.

    ``words(key, op_ids, blocks, step)`` has four words of each of the blocks from 0 on, one conversion behind the
    other.
    """
    global _words
    _words = words


def _bits_of_blocks(
    purpose: Purpose, seed: int, core: int, block: ArrayLike, op_id: NDArray[np.uint64], step: ArrayLike
) -> NDArray[np.uint16]:
    """Draws of blocks of eight items; block, op_id and step broadcast, the items of a block are the last axis."""
    counter = (block, op_id & _LOW, op_id >> _32, step)
    w0, w1, w2, w3 = philox4x32(counter, philox_key(purpose, seed, core))
    packed = np.empty((*w0.shape, 2), dtype="<u8")
    np.bitwise_or(w0, np.left_shift(w1, _32, out=w1), out=packed[..., 0])
    np.bitwise_or(w2, np.left_shift(w3, _32, out=w3), out=packed[..., 1])
    return packed.view("<u2")


def _make_table() -> NDArray[np.int16]:
    u = (np.arange(65536, dtype=np.float64) + 0.5) / 65536
    # The table is antisymmetric by construction, so that its mean is exactly zero whatever the libm.
    half = np.rint(ndtri(u[32768:]) * NORMAL_ONE).astype(np.int16)
    return np.concatenate([-half[::-1], half])


NORMAL_TABLE = _make_table()
"""Normal code of each 16-bit draw; the last is the largest."""


def normal_codes(
    purpose: Purpose, *, seed: int, core: int, items: int, op_id: ArrayLike = 0, step: int = 0
) -> NDArray[np.int16]:
    """Standard normal draws as integers in units of 1 / :data:`NORMAL_ONE`, of the shape of :func:`bits16`."""
    return NORMAL_TABLE.take(bits16(purpose, seed=seed, core=core, items=items, op_id=op_id, step=step), mode="clip")


def normal_blocks(
    purpose: Purpose, *, seed: int, core: int, block: ArrayLike, op_id: ArrayLike, step: ArrayLike = 0
) -> NDArray[np.int16]:
    """As :func:`normal_codes` for items 8 b to 8 b + 7 of blocks b; block, op_id and step broadcast to (..., 8)."""
    bits = _bits_of_blocks(purpose, seed, core, block, np.asarray(op_id, dtype=np.uint64), step)
    return NORMAL_TABLE.take(bits, mode="clip")


def bits_of_blocks(
    purpose: Purpose, *, seed: int, core: int, block: NDArray[np.uint64], op_id: NDArray[np.uint64]
) -> NDArray[np.uint16]:
    """As :func:`bits16` for some blocks of eight items only, (..., 8 blocks): ``block`` (blocks,), ``op_id`` any."""
    drawn = _bits_of_blocks(purpose, seed, core, block, op_id[..., None], 0)
    return drawn.reshape(*drawn.shape[:-2], -1)
