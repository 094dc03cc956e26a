"""Random numbers of cells that are pulsed: each pulse, or read, of each cell has one of its own."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mho.macro_models.integer.random import Purpose, normal_blocks
from mho.macro_models.types import Integers


class PulseDraws:
    """Normal codes by cell and number; what was drawn is kept, since eight numbers of a cell share a block.

    Parameters
    ----------
    seed, core
        Address of the draws.
    cells
        How many there are.
    """

    def __init__(self, seed: int, core: int, cells: int) -> None:
        self._seed, self._core, self._cells = seed, core, cells
        self._ahead: dict[int, tuple[Integers, NDArray[np.int16]]] = {}

    def draw(self, cells: Integers, number: Integers, step: int) -> Integers:
        """Normal codes of the ``number``-th pulse or read of each cell, (n,), for a step as in :meth:`draws`."""
        block, lane = number >> 3, number & 7
        if step not in self._ahead:
            self._ahead[step] = np.full(self._cells, -1, dtype=np.int64), np.empty((self._cells, 8), dtype=np.int16)
        blocks, drawn = self._ahead[step]
        missing = blocks[cells] != block
        if missing.any():
            fresh = cells[missing]
            drawn[fresh], blocks[fresh] = self.draws(fresh, block[missing], step), block[missing]
        return drawn[cells, lane].astype(np.int64)

    def draws(self, cells: Integers, block: ArrayLike, step: int) -> NDArray[np.int16]:
        """Draws number 8 block to 8 block + 7 of each of ``cells`` for a step of purpose ``PULSE``, of shape (n, 8)."""
        return normal_blocks(Purpose.PULSE, seed=self._seed, core=self._core, block=cells, op_id=block, step=step)
