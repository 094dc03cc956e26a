"""Random numbers of a vector operation, from shifts, additions and exclusive ors: what a tile has gates for.

Four words of 32 bits begin at 0. 24 times the oldest one is mixed with others and goes behind them: (w1, w2, w3,
rotl(w0 + (w1 ^ rotl(w3, 8) ^ 0x9E3779B9 ^ x), 7)), where x is the low word of the key, its high word, the number of the
image, that of the draw, then 0. These 128 bits, the lowest bit of the first word first, are b[0..127]; from there on
b[t] = b[t-127] ^ b[t-63]. Element i of the operation has the bits 16 i to 16 i + 15, whatever the lanes of a tile.
"""

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from mho.macro_models.integer.random import Purpose, philox_key
from mho.macro_models.types import Integers, Integral

DRAW_WORDS, DRAW_ROUNDS, DRAW_CONSTANT, DRAW_TURNS = 4, 24, 0x9E3779B9, (8, 7)
"""Words that are mixed, how often, with what, by how much they are rotated."""

NUMBER_BITS = 20
"""Bits of the number of a draw within an image, which wraps."""

_WORD = 0xFFFFFFFF


class Law(IntEnum):
    """What an element is made of its 16 bits."""

    BYTE = 0
    """The low byte: uniform in 0..255."""
    NIBBLES = 1
    """The sum of the four nibbles less 30: -30..30, nearly normal, variance 85."""
    WORD = 2
    """All of them: uniform in -32768..32767."""


def draw_key(seed: int, core: int) -> int:
    """What a host writes as the key of a tile, 64 bits: that of all noise of core ``core`` of chip number ``seed``."""
    low, high = philox_key(Purpose.DRAW, seed, core)
    return low | high << 32


def draws(key: int, image: int | Integral, number: int | Integral, elements: int, law: int) -> Integers:
    """Numbers of an operation, shape (elements,); of several images (images, elements).

    Parameters
    ----------
    key
        64 bits.
    image, number
        Of the image, 32 bits, and of the draw since it began, of which the low 20 bits count; or of each.
    elements, law
        How many, of which :class:`Law`.
    """
    words = _mixed(key, np.asarray(image, dtype=np.int64), np.asarray(number) & (1 << NUMBER_BITS) - 1)
    while 2 * len(words) < elements:
        # 32 bits at a time: both are from words of before.
        older, newer = (words[k] >> 1 | words[k + 1] << 31 for k in (len(words) - 4, len(words) - 2))
        words.append((older ^ newer) & _WORD)
    bits = np.stack(words, axis=-1).astype("<u4").view("<u2")[..., :elements]
    if law == Law.BYTE:
        return (bits & 0xFF).astype(np.int64)
    if law == Law.NIBBLES:
        nibbles = bits[..., None] >> np.arange(0, 16, 4) & 15
        return nibbles.sum(axis=-1).astype(np.int64) - 30
    return bits.view("<i2").astype(np.int64)


def drawn_bits(key: int, count: int) -> NDArray[np.uint8]:
    """b[0..count - 1] of a key, its image and its number 0: zeros and ones of shape (count,)."""
    zero = np.zeros((), dtype=np.int64)
    bits = np.zeros(max(count, 32 * DRAW_WORDS), dtype=np.uint8)
    start = np.stack(_mixed(key, zero, zero)).astype("<u4").view(np.uint8)
    bits[: 32 * DRAW_WORDS], known, scale = np.unpackbits(start, bitorder="little"), 32 * DRAW_WORDS, 1
    while known < count:
        # Squared, the recurrence holds over twice the distances, from b[1] on: more bits at a time.
        while 2 * scale * 127 < known:
            scale *= 2
        older, newer = (known - scale * distance for distance in (127, 63))
        new = min(63 * scale, count - known)
        np.bitwise_xor(bits[older : older + new], bits[newer : newer + new], out=bits[known : known + new])
        known += new
    return bits[:count]


def _mixed(key: int, image: Integers, number: Integers) -> list[Integers]:
    """The words that a sequence begins with."""
    words = [np.zeros_like(image)] * DRAW_WORDS
    comes = [key & _WORD, key >> 32, image, number]
    for word in [*comes, *[0] * (DRAW_ROUNDS - len(comes))]:
        mixed = words[0] + (words[1] ^ _rotated(words[3], DRAW_TURNS[0]) ^ DRAW_CONSTANT ^ word) & _WORD
        words = [*words[1:], _rotated(mixed, DRAW_TURNS[1])]
    return words


def _rotated(word: Integers, turns: int) -> Integers:
    return (word << turns | word >> 32 - turns) & _WORD
