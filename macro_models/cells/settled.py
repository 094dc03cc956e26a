"""Cells after programming: what each was left with, and what it has become some time later."""

from dataclasses import dataclass

import numpy as np

from mho.macro_models.cells.programming import CellDraws
from mho.macro_models.devices.device import Device
from mho.macro_models.integer.random import NORMAL_ONE, Purpose, normal_blocks
from mho.macro_models.types import Flags, Integers, Integral, Reals

RELAX_STEP = 9
"""Step of the draws of purpose ``PULSE`` that say where in the distribution of its relaxation a cell is."""

LOST_STEP = 10
"""The same of the draws that say which cells are lost. What follows are further numbers of a cell's place."""


@dataclass(frozen=True, kw_only=True, eq=False)
class SettledCells:
    """Cells that rest, flattened ``[bit line * lines + source line]``; all arrays have shape (cells,).

    A cell's place in the distribution of the device is drawn with its last pulse and kept while it rests, so that a
    cell that has settled in the band during the waits between passes stays there.
    """

    left_uS: Reals
    """Conductance that the last pulse of each cell left (or, without pulses, where it was found), in uS."""
    waits: Integral
    """Waits between passes since then."""
    wait_s: float
    """Duration of one of them, in seconds."""
    pulses: Integral
    """Pulses of each cell so far: part of the address of its draw."""
    moves: Flags
    """Cells that relax; the others (stuck, not formed, dead) keep what they have."""
    seed: int
    core: int
    """The rest of the address."""

    def relaxed_uS(self, device: Device, time_s: float, temp_C: float = 25.0) -> Reals:
        """Conductances ``time_s`` seconds after the end of the last pass, in uS, of shape (cells,).

        A cell has changed as the device does in the time since the cell's last pulse, of which only waits count: a
        pass is short against them.
        """
        changed = self.left_uS.copy()
        if not device.relaxes:
            return changed
        for waits in np.unique(self.waits):
            chosen = np.flatnonzero(self.moves & (self.waits == waits))
            since = int(waits) * self.wait_s + time_s
            if since <= 0.0 or not chosen.size:
                continue
            draws = CellDraws(self.seed, self.core, (int(chosen.max()) + 1,), chosen)
            settled = device.settled(self.left_uS[chosen], draws, since, temp_C)
            if settled is not None:
                changed[chosen] = settled
                continue
            g = self.left_uS[chosen]
            if device.law.model:
                change, _ = device.change_quantiles(since, temp_C)
                moved = device.law.draw(change, g, self._place(chosen, device, since, temp_C))
            else:
                moved = device.relaxation_uS(g, since, temp_C) * (self._draw(chosen) / NORMAL_ONE)
            changed[chosen] = device.lose(
                np.maximum(g + moved, 0.0), g, since, temp_C, lambda cells=chosen: self._draw(cells, LOST_STEP)
            )
        return changed

    def later_uS(self, g_uS: Reals, device: Device, time_s: float, temp_C: float = 25.0) -> Reals:
        """Conductances ``time_s`` seconds from now of cells that hold ``g_uS`` now, in uS, of shape (cells,).

        What happens from now on is added: relaxation during the waits is in ``g_uS``.
        """
        change = self.relaxed_uS(device, time_s, temp_C) - self.relaxed_uS(device, 0.0, temp_C)
        return device.read_at(np.maximum(g_uS + change, 0.0), g_uS, temp_C)

    def _place(self, cells: Integers, device: Device, since: float, temp_C: float) -> Integral:
        """Where in the distribution of their change ``cells`` are."""
        return device.change_codes(
            since, temp_C, lambda k: self._draw(cells, LOST_STEP + k if k else RELAX_STEP),
            lambda: CellDraws(self.seed, self.core, ()).chip(1),
        )

    def _draw(self, cells: Integers, step: int = RELAX_STEP) -> Integers:
        """Normal codes of ``cells``: eight pulses of a cell share a block."""
        number = self.pulses[cells].astype(np.int64)
        drawn = normal_blocks(Purpose.PULSE, seed=self.seed, core=self.core, block=cells, op_id=number >> 3, step=step)
        return drawn[np.arange(len(cells)), number & 7].astype(np.int64)
