"""Leaves: codes of cores on the scale of their layer, and their sums."""

from collections.abc import Sequence

import numpy as np

from mho.macro_models.integer.operation import LSB_SEGMENT_BITS, MvmOperation
from mho.macro_models.integer.vector.operations import LANE_MAX, Lanes, round_shift
from mho.macro_models.types import Integers, Integral


def largest_code(op: MvmOperation) -> int:
    """Largest magnitude of an operation's output codes, in half steps."""
    codes = 2 * op.max_steps + 1
    return codes if op.segments == 1 else ((codes << LSB_SEGMENT_BITS) + codes)


def scale_leaf(codes: Integral, multiplier: Integral, shift: int) -> Lanes:
    """Codes of shape (batch, columns) on the scale of the layer: ``(code * multiplier + half) >> shift``.

    ``multiplier`` has shape (columns,), 0..32767; ``shift`` is 0..31.
    """
    return round_shift(codes.astype(np.int64) * multiplier, shift).astype(np.int16)


def sum_leaves(leaves: Sequence[tuple[Lanes, Integral]], outputs: int) -> Lanes:
    """Wrapping 16-bit sums of shape (batch, outputs).

    Each leaf is (values of shape (batch, columns), the output that each column adds to); several columns may add to
    one output.
    """
    total = np.zeros((len(leaves[0][0]), outputs), dtype=np.int16)
    for values, target in leaves:
        # Columns of one output are taken in turns, so that each turn adds to an output at most once.
        order = np.argsort(target, kind="stable")
        group = target[order]
        turn = np.arange(len(group)) - np.searchsorted(group, group)
        for k in range(int(turn.max(initial=-1)) + 1):
            chosen = order[turn == k]
            total[:, target[chosen]] += values[:, chosen]
    return total


class LeafSum:
    """:func:`scale_leaf` and :func:`sum_leaves` of one product, for batch after batch.

    In 32 bits, which 16-bit codes times 15-bit multipliers and half of a unit never leave.

    Parameters
    ----------
    multiplier, outputs
        Of each column.
    shift
        Of the leaves.
    """

    def __init__(self, multiplier: Integral, outputs: Integral, shift: int) -> None:
        self._multiplier = multiplier.astype(np.int32)
        self._half, self._shift = np.int32((1 << shift) >> 1), np.int32(shift)
        self._outputs, turn = outputs, int(np.bincount(outputs).max(initial=1))
        first, count = int(outputs[0]), len(outputs) // turn
        tiled = np.array_equal(outputs, np.tile(np.arange(first, first + count), turn))
        self._tiles = (slice(first, first + count), turn) if tiled else None

    def add(self, total: Lanes, codes: Integral) -> None:
        """Adds the leaves of ``codes``, (batch, columns), to ``total``, (batch, outputs), with wrap-around."""
        product = codes.astype(np.int32)
        product *= self._multiplier
        product += self._half
        product >>= self._shift
        leaves = product.astype(np.int16)
        if self._tiles is None:
            total += sum_leaves([(leaves, self._outputs)], total.shape[1])
            return
        target, turn = self._tiles
        count = len(self._outputs) // turn
        while turn > 1:
            # Half of the columns onto the others; where their number is odd, the first stays alone.
            left = turn - turn // 2
            leaves[:, (turn % 2) * count : left * count] += leaves[:, left * count : turn * count]
            turn = left
        total[:, target] += leaves[:, :count]


def check_headroom(leaves: Sequence[tuple[int, Integral, Integral]], shift: int, bias: Integral) -> Integers:
    """Largest magnitude that each output's lane can reach; raises ValueError if one exceeds 16 bits.

    Each leaf is (largest code, multipliers, outputs), of which the last two have shape (columns,).
    """
    worst = np.abs(bias.astype(np.int64))
    for code, multiplier, target in leaves:
        if code * int(multiplier.max(initial=0)) >= 2**31:
            raise ValueError("a product of the leaf exceeds 32 bits")
        np.add.at(worst, target, round_shift(code * multiplier.astype(np.int64), shift))
    if worst.max(initial=0) > LANE_MAX:
        raise ValueError(f"a lane can reach {worst.max()}, which exceeds 16 bits")
    return worst
