"""Cells that learn: pulses of a backend's engine, and what the device's own law makes of them."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mho.hw.config import Chip, PulseChip
from mho.hw.core.write_verify.config import WriteVerifyParameters
from mho.hw.core.write_verify.reference import RECORD
from mho.macro_models.cells.answering import AnsweringCells
from mho.macro_models.cells.pulses import PulseArray
from mho.macro_models.devices.device import Device
from mho.macro_models.integer.pulse import Polarity
from mho.macro_models.types import Integers, Reals
from mho.sim.programming.network import with_pulse_law
from mho.sim.programming.write_verify import Pulser


class LearningCells:
    """Cells of one core that answer to pulses by the section ``[update]`` of a device, or without one by ``[pulse]``.

    The law is applied to the pulses that a backend says were given, so that equal pulses leave equal cells, whatever
    gave them. Draws are numbered by cell and pulse.

    Raises InputError if the chip's cells are not written by pulses.

    Parameters
    ----------
    chip, device, seed, core
        What the cells are, and the address of their draws.
    g_uS
        Conductances at first, ``[bit line, source line]``, in uS.
    """

    def __init__(self, chip: Chip, device: Device, seed: int, core: int, g_uS: Reals) -> None:
        self.config, self.core = PulseChip.of(chip).pulse_config(), core
        self._array = PulseArray(self.config, device=with_pulse_law(device)[0], seed=seed, core=core)
        self._parameters = replace(WriteVerifyParameters.from_chip(chip), blind=True)
        self._array.g_uS = np.ravel(g_uS)
        self._answering = AnsweringCells(device.update, seed, core, g_uS) if device.update.model else None

    @property
    def g_uS(self) -> Reals:
        """Conductances, ``[bit line, source line]``, in uS."""
        return self._array.g_uS.reshape(self.config.shape) if self._answering is None else self._answering.g_uS

    def step_uS(self, middle_uS: float) -> tuple[float, float]:
        """Mean size of a step upwards and downwards of cells at ``middle_uS``, in uS."""
        if self._answering is not None:
            up, down = (abs(float(self._answering.law.step(middle_uS, sign))) for sign in (1, -1))
            return up, down
        sizes = []
        for kind in (Polarity.SET, Polarity.RESET):
            cells, every = PulseArray.from_state(self._array.state()), np.arange(self.config.cells)
            cells.g_uS = np.full(len(every), middle_uS)
            p, name = self._parameters, kind.name.lower()
            pulse = (kind, getattr(p, f"{name}_start"), getattr(p, f"{name}_cycles"))
            cells.pulse(every, *(np.full(len(every), value) for value in pulse))
            sizes.append(float(np.abs(cells.g_uS - middle_uS).mean()))
        return sizes[0], sizes[1]

    def give(self, pulses: Integers, engine: Pulser) -> tuple[int, int]:
        """Have the engine give ``pulses``, SET ones above 0, to each cell, ``[bit line, source line]``.

        Returns how many pulses it gave, and the clock cycles that it took.
        """
        row, col = np.nonzero(pulses)  # sorted by row
        if not len(row):
            return 0, 0
        signed = pulses[row, col]
        records = np.zeros(len(row), dtype=RECORD)
        records["row"], records["col"], records["count"] = row, col, np.abs(signed)
        records["polarity"] = np.where(signed > 0, Polarity.SET, Polarity.RESET)
        run = engine.pulse(self.core, self._array, records, self._parameters)
        if self._answering is not None:
            self._answer(run.pulses, self._answering)
        return len(run.pulses), run.cycles

    def _answer(self, pulses: NDArray[np.void], answering: AnsweringCells) -> None:
        """What the law of ``[update]`` makes of pulses, no cell with both polarities."""
        cell = pulses["row"].astype(np.int64) * self.config.shape[1] + pulses["col"]
        cells, first, counts = np.unique(cell, return_index=True, return_counts=True)
        upwards = pulses["polarity"][first] == Polarity.SET
        for k in range(int(counts.max(initial=0))):
            for sign in (1, -1):
                answering.pulse(cells[(upwards == (sign > 0)) & (counts > k)], sign)
