"""The converter in integers: numpy, the co-simulation shim and an emulator in an FPGA all compute this.

A line's charge is the odd integer ``A = 2a + o``: twice the accumulated product plus an odd offset, so that it is
never zero. A decrement takes an even step from it, ``s_pos`` from a positive and ``s_neg`` from a negative charge, so
that it never reaches zero either. Codes are odd integers in half steps: ``2n + 1`` or ``-(2n + 1)``, which is twice the
decoded value, for n decrements that did not flip the sign; 0 stands for a line that is off or that ReLU suppressed.
"""

import numpy as np

from mho.macro_models.integer.operation import LSB_SEGMENT_BITS
from mho.macro_models.integer.tnsa.operation import Converter, TnsaOperation
from mho.macro_models.types import Flags, Integers, Integral


def count_decrements(a: Integral, s_pos: Integral, s_neg: Integral, cap: int) -> Integers:
    """Decrements that do not flip the sign, at most ``cap``.

    ``a`` has shape (..., lines) and is odd; steps have shape (lines,), are even and positive. Since odd is never a
    multiple of even, the count is ``floor(|A| / s)``.
    """
    step = np.where(a < 0, s_neg, s_pos)
    return np.minimum(np.abs(a) // step, cap).astype(np.int64)


def search_binary(a: Integral, s_pos: Integral, s_neg: Integral, bits: int) -> Integers:
    """Magnitude found by a non-restoring binary search of ``bits`` decrements, most significant first.

    Each decrement is against the sign of the charge as it is then, so for ``s_pos != s_neg`` the result differs from
    counting; for equal steps it is the same.
    """
    residual = a.astype(np.int64)
    s_pos, s_neg = s_pos.astype(np.int64), s_neg.astype(np.int64)
    negative = residual < 0
    magnitude = np.zeros(a.shape, dtype=np.int64)
    for bit in range(bits - 1, -1, -1):
        up, down = s_neg.astype(np.int64) << bit, s_pos.astype(np.int64) << bit
        residual = np.where(residual < 0, residual + up, residual - down)
        magnitude += ((residual < 0) == negative).astype(np.int64) << bit
    return magnitude


def decode(negative: Flags, n: Integral, enabled: Flags, relu: bool) -> Integers:
    """Codes of one conversion in half steps (see the module) from signs and counts."""
    magnitude = 2 * n.astype(np.int64) + 1
    code = np.where(negative, 0 if relu else -magnitude, magnitude)
    return np.where(enabled, code, 0)


def convert(
    op: TnsaOperation,
    a: Integral,
    s_pos: Integral,
    s_neg: Integral,
    enabled: Flags,
) -> tuple[Integers, Integers]:
    """One conversion of all lines.

    ``a`` has shape (..., lines). Returns the codes, of the same shape, and the decrements that the converter made,
    of shape (...).
    """
    if op.converter is Converter.COUNT:
        n = count_decrements(a, s_pos, s_neg, op.max_steps)
    else:
        n = search_binary(a, s_pos, s_neg, op.out_bits - 1)
    return decode(a < 0, n, enabled, op.relu), steps_taken(op, a < 0, n, enabled)


def steps_taken(op: TnsaOperation, negative: Flags, n: Integral, enabled: Flags) -> Integers:
    """Decrements that the converter makes: a line that counted ``n`` flips at decrement ``n + 1``."""
    lead = n.shape[:-1]
    if op.converter is Converter.BINARY:
        return np.full(lead, op.out_bits - 1, dtype=np.int64)
    if not op.early_stop:
        return np.full(lead, op.max_steps, dtype=np.int64)
    waits = enabled & ~negative if op.relu else np.broadcast_to(enabled, n.shape)
    return np.minimum(np.where(waits, n + 1, 0).max(axis=-1, initial=0), op.max_steps).astype(np.int64)


def combine_segments(high: Integral, low: Integral) -> Integral:
    """Codes of a two-segment operation, ``16 * high + low``."""
    return (high << LSB_SEGMENT_BITS) + low
