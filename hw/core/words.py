"""Codes in the words of a core's streams: four inputs of 8 bits, or two outputs of 16, lowest first."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mho.macro_models.integer.operation import MvmOperation

__all__ = ["CODE_WIDTH", "INPUTS_PER_WORD", "INPUT_WIDTH", "OUTPUTS_PER_WORD", "pack_codes", "pack_inputs",
           "unpack_codes", "unpack_inputs"]

INPUTS_PER_WORD, INPUT_WIDTH = 4, 8
"""Input codes in a word, and the bits of one."""

OUTPUTS_PER_WORD, CODE_WIDTH = 2, 16
"""Output codes in a word, and the bits of one."""


def pack_inputs(x: ArrayLike) -> list[int]:
    """Words of the input stream for the codes of one vector, 8-bit two's complement, lowest code in the lowest byte."""
    return np.asarray(x).astype(np.uint8).view("<u4").tolist()


def unpack_inputs(op: MvmOperation, words: Sequence[int]) -> NDArray[np.int64]:
    """The codes of one vector from its words. Inverse of :func:`pack_inputs` for codes in the range of ``op``."""
    return np.asarray(words, dtype="<u4").view(np.int8 if op.in_signed else np.uint8).astype(np.int64)


def pack_codes(codes: ArrayLike) -> list[int]:
    """Words of the output stream for the codes of one vector: two 16-bit codes a word, lowest first."""
    return np.asarray(codes).astype("<i2").view("<u4").tolist()


def unpack_codes(words: ArrayLike) -> NDArray[np.int16]:
    """Codes of shape (..., lines) from words of shape (..., lines // 2). Inverse of :func:`pack_codes`."""
    return np.ascontiguousarray(np.asarray(words, dtype="<u4")).view("<i2").astype(np.int16, copy=False)
