"""Decrements one by one, with the noise of every cycle: what a converter counts whose cycles draw.

Two ways to the same bits: loops that numba compiles in :mod:`.walk_compiled` where it is installed, four times as
fast, and the plain definition in numpy here. Every draw is addressed (:mod:`mho.macro_models.integer.random`), and each
line takes the same sums and products in the same order.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mho.macro_models.compiled import loops_of
from mho.macro_models.integer.random import Purpose, normal_blocks
from mho.macro_models.types import Flags, Reals

Counts = tuple[Flags, NDArray[np.intp]]

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
    offset: Reals
    """Offset of the comparator."""
    pos: Reals
    """Charge that a decrement adds to a line that was positive."""
    neg: Reals
    """The same of a line that was negative."""
    sampling: Reals | None
    """Deviation of the charge that each cycle samples, for normal codes; None without."""
    comparator: Reals | None
    """Deviation of each comparison, likewise."""
    blocks: NDArray[np.uint64]
    """Numbers of the blocks of draws of each eight lines."""

    def count(self, charge: Reals, cap: int, op_id: NDArray[np.uint64], seed: int, core: int) -> Counts:
        """Signs (True is negative) and decrements that did not flip them, at most ``cap``, of shape (batch, lines).

        ``charge`` has shape (batch, lines), ``op_id`` (batch,).
        """
        fast = compiled()
        if fast is not None:
            return fast(self, charge, cap, op_id, seed, core)
        return self.count_in_numpy(charge, cap, op_id, seed, core)

    def count_in_numpy(self, charge: Reals, cap: int, op_id: NDArray[np.uint64], seed: int, core: int) -> Counts:
        """:meth:`count` without numba."""
        batch, lines = charge.shape

        def normals(purpose: Purpose, ids: NDArray[np.uint64], step: int) -> NDArray[np.int16]:
            drawn = normal_blocks(purpose, seed=seed, core=core, block=self.blocks, op_id=ids[:, None], step=step)
            return drawn.reshape(len(ids), -1)[:, :lines]

        def below(state: Reals, ids: NDArray[np.uint64], step: int) -> Flags:
            compared = state + self.offset
            if self.comparator is not None:
                compared += self.comparator * normals(Purpose.COMPARATOR, ids, step)
            return compared < 0.0

        negative, counts = below(charge, op_id, 0), np.zeros((batch, lines), dtype=np.intp)
        # Of the vectors that have lines which have not flipped.
        live, ids, state, sign, alive = np.arange(batch), op_id, charge, negative, np.ones((batch, lines), dtype=bool)
        for step in range(1, cap + 1):
            state = state * self.beta + np.where(sign, self.neg, self.pos)
            if self.sampling is not None:
                state += self.sampling * normals(Purpose.SAMPLING, ids, step)
            alive = alive & (below(state, ids, step) == sign)
            counts[live] += alive
            going = alive.any(axis=1)
            live, ids = live[going], ids[going]
            state, sign, alive = state[going], sign[going], alive[going]
            if not len(live):
                break
        return negative, counts
