"""Decrements one by one, with the noise of every cycle: what a converter counts whose cycles draw.

Two ways to the same bits: arrays of numpy here, and loops that numba compiles in :mod:`.walk_compiled`
where it is installed. Every draw is addressed (:mod:`mho.macro_models.integer.random`), and each line takes the same
sums and products in the same order.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.macro_models.compiled import loops_of
from mho.macro_models.integer.random import LANES, Purpose, normal_blocks

__all__ = ["Walk", "compiled"]

_CHUNK = 8  # decrements whose noise is drawn at a time
_CHUNK_ALONE = 32  # for one vector, where calls cost more than draws
_VECTORS = 32  # walked through at a time: what is alive fits into the second-level cache

Counts = tuple[NDArray[np.bool_], NDArray[np.intp]]

compiled: Callable[[], Callable[..., Counts] | None] = loops_of("mho.macro_models.tnsa.converter.walk_compiled")
""":meth:`Walk.count` in the loops that numba compiles: of the walk and the same arguments."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Walk:
    """Lines that count down, charges as in :mod:`mho.macro_models.tnsa.converter.neuron`, each array of shape (lines,).

    A line that holds C has after a decrement ``beta C + d + sampling z``, d the drift of the polarity that the first
    comparison found and z a normal code; a comparison sees ``C + offset + comparator z``.
    """

    beta: float
    """What a cycle leaves of a charge."""
    offset: NDArray[np.float64]
    """Offset of the comparator."""
    pos: NDArray[np.float64]
    """Charge that a decrement adds to a line that was positive."""
    neg: NDArray[np.float64]
    """The same of a line that was negative."""
    sampling: NDArray[np.float64] | None
    """Deviation of the charge that each cycle samples, for normal codes; None without."""
    comparator: NDArray[np.float64] | None
    """Deviation of each comparison, likewise."""
    blocks: NDArray[np.uint64]
    """Numbers of the blocks of draws of each eight lines."""

    def count(self, charge: NDArray[np.float64], cap: int, op_id: NDArray[np.uint64], seed: int, core: int) -> Counts:
        """Signs (True is negative) and decrements that did not flip them, at most ``cap``, of shape (batch, lines).

        ``charge`` has shape (batch, lines), ``op_id`` (batch,).
        """
        fast = compiled()
        if fast is not None:
            return fast(self, charge, cap, op_id, seed, core)
        return self.count_in_numpy(charge, cap, op_id, seed, core)

    def count_in_numpy(
        self, charge: NDArray[np.float64], cap: int, op_id: NDArray[np.uint64], seed: int, core: int
    ) -> Counts:
        """:meth:`count` without numba."""
        parts = [slice(k, k + _VECTORS) for k in range(0, len(charge), _VECTORS)]
        row_counts = [_Rows(self, charge[part], op_id[part], seed, core).run(cap) for part in parts]
        negative, counts = (np.concatenate(a) for a in zip(*row_counts, strict=True))
        return negative, counts


class _Rows:
    """A batch in numpy: rows of eight lines, those of one block of draws, walked as long as one has not flipped."""

    def __init__(
        self, walk: Walk, charge: NDArray[np.float64], op_id: NDArray[np.uint64], seed: int, core: int
    ) -> None:
        self._batch, self._lines = charge.shape
        blocks = len(walk.blocks)
        self._draw = {"seed": seed, "core": core}
        self._beta = walk.beta

        def rows(line: NDArray[np.float64]) -> NDArray[np.float64]:
            padded = np.zeros((self._batch, blocks * LANES))
            padded[:, : self._lines] = line
            return padded.reshape(-1, LANES)

        self._state, self._offset = rows(charge), rows(walk.offset)
        noise = walk.sampling, walk.comparator
        self._sampling, self._comparator = (None if line is None else rows(line) for line in noise)
        self._pos, self._neg = rows(walk.pos), rows(walk.neg)
        self._ids = np.repeat(op_id, blocks)
        self._blocks = np.tile(walk.blocks, self._batch)

    def run(self, cap: int) -> Counts:
        """Signs and counts, of shape (batch, lines)."""
        state, offset, ids, blocks = self._state, self._offset, self._ids, self._blocks
        sampling, comparator = self._sampling, self._comparator
        compared = state + offset
        if comparator is not None:
            compared += comparator * self._normals(Purpose.COMPARATOR, blocks, ids, 0, 1)[0]
        negative = compared < 0.0
        drift = np.where(negative, self._neg, self._pos)
        sign, counts = negative, np.zeros(state.shape, dtype=np.intp)
        live, alive, count = np.arange(len(state)), np.ones(state.shape, dtype=bool), counts.copy()
        chunk = _CHUNK if self._batch > 1 else _CHUNK_ALONE
        for first in range(1, cap + 1, chunk):
            steps = min(chunk, cap + 1 - first)
            sampled = self._normals(Purpose.SAMPLING, blocks, ids, first, steps) if sampling is not None else None
            of_comparator = None if comparator is None else self._normals(Purpose.COMPARATOR, blocks, ids, first, steps)
            for k in range(steps):
                state *= self._beta
                state += drift
                if sampled is not None and sampling is not None:
                    state += sampling * sampled[k]
                compared = state + offset
                if of_comparator is not None and comparator is not None:
                    compared += comparator * of_comparator[k]
                alive &= (compared < 0.0) == sign
                count += alive
            going = alive.any(axis=1)
            counts[live] = count
            if not going.any():
                break
            state, offset, drift, sign, alive, count = (a[going] for a in (state, offset, drift, sign, alive, count))
            live, ids, blocks = live[going], ids[going], blocks[going]
            sampling = None if sampling is None else sampling[going]
            comparator = None if comparator is None else comparator[going]
        return self._lined(negative), self._lined(counts)

    def _lined(self, rows: NDArray[Any]) -> NDArray[Any]:
        return np.ascontiguousarray(rows.reshape(self._batch, -1)[:, : self._lines])

    def _normals(
        self, purpose: Purpose, blocks: NDArray[np.uint64], ids: NDArray[np.uint64], first: int, steps: int
    ) -> NDArray[np.int16]:
        step = np.arange(first, first + steps, dtype=np.uint64)[:, None]
        return normal_blocks(purpose, block=blocks, op_id=ids, step=step, **self._draw)
