"""What stands between a device and the random numbers of its cells."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mho.macro_models.integer.random import Purpose

__all__ = ["Drawn", "Draws", "anew_step"]

_ANEW_STEP, _STEPS = 1 << 17, 64
"""Steps of the draws of one programming: from the first on, so many for each."""
_CYCLES = 1 << 25
"""Programmings that have draws of their own."""


def anew_step(cycle: int) -> int:
    """First step of the draws of programming number ``cycle`` of a chip: of what its cells do not keep."""
    return _ANEW_STEP + _STEPS * (cycle % _CYCLES)


class Draws(Protocol):
    """Random numbers of the cells in question, by address: equal arguments give equal numbers, one for each cell."""

    def uniform(self, purpose: Purpose, step: int = 0) -> NDArray[np.integer]:
        """Integers 0..65535."""
        ...

    def normal(self, purpose: Purpose, step: int = 0) -> NDArray[np.integer]:
        """Standard normal codes, in units of 1 / :data:`~mho.macro_models.integer.random.NORMAL_ONE`."""
        ...

    def chip(self, which: int) -> int:
        """Normal code that all cells of the chip share: ``which`` 0 of programming, 1 of the change."""
        ...


@dataclass(frozen=True, eq=False)
class Drawn:
    """Cells as drawn, arrays of the shape of their targets."""

    g_uS: NDArray[np.float64]
    """Conductances, in uS."""
    origin_uS: NDArray[np.float64] | None = None
    """What programming left each cell with, in uS, where read noise goes by it; None: it goes by ``g_uS``."""
