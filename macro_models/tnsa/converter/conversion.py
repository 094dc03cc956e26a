"""The converter of :mod:`mho.macro_models.integer.tnsa.converter` on charges held in floating point, for speed.

Every function here gives what the integer reference gives; the comments say why floating point is exact.
"""

import numpy as np
from numpy.typing import NDArray

from mho.macro_models.integer.operation import LSB_SEGMENT_BITS
from mho.macro_models.integer.tnsa.converter import convert
from mho.macro_models.integer.tnsa.operation import Converter, TnsaOperation
from mho.macro_models.tnsa.sensing import Steps
from mho.macro_models.types import Flags, Integers


def segment_inputs(op: TnsaOperation, x: NDArray[np.floating]) -> tuple[NDArray[np.floating], ...]:
    """Inputs of each conversion of an operation: sign and magnitude, most significant segment first."""
    if op.segments == 1:
        return (x,)
    high = np.trunc(x * 2.0**-LSB_SEGMENT_BITS)
    return high, x - high * 2.0**LSB_SEGMENT_BITS


def convert_charge(
    op: TnsaOperation, charge: NDArray[np.floating], steps: Steps, enabled: Flags
) -> tuple[NDArray[np.int16], Integers]:
    """Codes of one conversion, of shape (batch, lines), and its decrements, of shape (batch,).

    ``charge`` holds odd integers that its type represents exactly.
    """
    if op.converter is Converter.BINARY and not steps.equal:
        codes, steps_made = convert(op, charge.astype(np.int64), steps.pos, steps.neg, enabled)
        return codes.astype(np.int16), steps_made
    codes, steps_made = count_steps(op, charge, steps)
    if enabled.all():
        return codes, steps_made
    codes *= enabled
    return codes, steps_taken(op, codes)


def count_steps(op: TnsaOperation, charge: NDArray[np.floating], steps: Steps) -> tuple[NDArray[np.int16], Integers]:
    """:func:`convert_charge` of lines that are all enabled; ``charge`` is written to."""
    # A charge is odd and a step even, so that the quotient is never whole and its floor gives both polarities: n and
    # -n - 1. The floor of a rounded quotient is exact: |A| / s stays away from the integers by at least 1 / s, and
    # rounding moves it by at most |A| / s * 2**-24, which is less as |A| < 2**24 (2**-53 and 2**53 in double). A step
    # that is too large to be exact itself is larger than every charge.
    pos, neg = steps.floats[charge.dtype.type]
    if steps.equal:
        count = np.divide(charge, pos, out=charge)
    else:
        count = np.maximum(charge / pos, 0.0)
        count += np.minimum(charge / neg, 0.0)
    np.clip(count, -op.max_steps - 1, op.max_steps, out=count)
    codes = np.floor(count, out=count).astype(np.int16)
    codes += codes
    codes += np.int16(1)
    if op.relu:
        np.maximum(codes, 0, out=codes)
    return codes, steps_taken(op, codes)


def steps_taken(op: TnsaOperation, codes: NDArray[np.int16]) -> Integers:
    """Decrements of a conversion: as in the reference, from the codes, of which ``2 n + 1`` took ``n + 1``."""
    return steps_to(op, np.maximum(codes.max(axis=1), -codes.min(axis=1)))


def steps_to(op: TnsaOperation, top: NDArray[np.int16]) -> Integers:
    """Decrements of conversions by the largest magnitude of their codes."""
    if op.converter is Converter.BINARY:
        return np.full(top.shape, op.out_bits - 1, dtype=np.int64)
    if not op.early_stop:
        return np.full(top.shape, op.max_steps, dtype=np.int64)
    return np.minimum((top.astype(np.int64) + 1) >> 1, op.max_steps)
