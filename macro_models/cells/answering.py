"""Cells that answer to identical pulses by the section ``[update]`` of a device."""

from typing import Any

import numpy as np

from mho.macro_models.cells.pulse_draws import PulseDraws
from mho.macro_models.devices.sections.update import Update
from mho.macro_models.integer.pulse import PULSE_STEP
from mho.macro_models.integer.random import NORMAL_ONE
from mho.macro_models.types import Array, Integers

CELL_STEP = 11
"""Step of the draws of purpose ``PULSE`` that say how large the steps of a cell are."""


class AnsweringCells:
    """Conductances that pulses move by a law, with draws by cell and pulse: equal pulses leave equal cells.

    Parameters
    ----------
    law, seed, core
        What a pulse does, and the address of its draws.
    g_uS
        Conductances at first, of any shape, in uS.

    Attributes
    ----------
    g_uS, counts
        Conductances now, and pulses of each cell, of the same shape.
    """

    def __init__(self, law: Update, seed: int, core: int, g_uS: Array) -> None:
        self.law, self.g_uS = law, np.array(g_uS, dtype=np.float64)
        self.counts = np.zeros(self.g_uS.shape, dtype=np.int64)
        self._draws, every = PulseDraws(seed, core, self.g_uS.size), np.arange(self.g_uS.size)
        self._size = self._draws.draw(every, np.zeros_like(every), CELL_STEP) / NORMAL_ONE

    def pulse(self, cells: Integers, sign: int) -> None:
        """One pulse, up (1) or down (-1), for each of some cells by their flat numbers, (n,), none twice."""
        g, counts = self.g_uS.reshape(-1), self.counts.reshape(-1)
        cycle = self._draws.draw(cells, counts[cells], PULSE_STEP) / NORMAL_ONE
        g[cells] = self.law.draw(g[cells], sign, cycle, self._size[cells])
        counts[cells] += 1

    def changes(self) -> dict[str, Any]:
        """What pulses have made of them: arrays of their shape."""
        return {"g_uS": self.g_uS, "counts": self.counts}

    def take(self, changes: dict[str, Any]) -> None:
        """Take over the :meth:`changes` of the same cells elsewhere."""
        self.g_uS, self.counts = (np.array(changes[name]) for name in ("g_uS", "counts"))
