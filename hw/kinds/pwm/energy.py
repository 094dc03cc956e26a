"""Energy of the operations of a phase-change macro, from the energies of its description."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mho.hw.config import Chip
from mho.hw.config.kinds.pwm import PwmChip
from mho.macro_models.integer.operation import Masks, MvmOperation
from mho.macro_models.integer.pwm.operation import MAGNITUDE_BITS


@dataclass(frozen=True, kw_only=True)
class PwmEnergy:
    """Energy of operations: modulators and converters count in every window, devices for as long as they are driven.

    Where nobody says the inputs, devices are driven for half of each window, and are those in the mean.
    """

    chip: PwmChip

    @classmethod
    def from_chip(cls, chip: Chip) -> "PwmEnergy":
        """That of a chip's description."""
        return cls(chip=PwmChip.of(chip))

    def operation(self, op: MvmOperation, masks: Masks, steps: ArrayLike) -> Mapping[str, NDArray[np.float64]]:
        """See :class:`mho.hw.kinds.Energy`: ``rows``, ``oscillators``, ``conversion``."""
        e, windows, columns = self.chip.energy, self.chip.read.phases, int(masks.enabled(op).sum())
        by_part = {
            "rows": e.row_pJ * windows * self._rows(op, masks),
            "oscillators": e.oscillators_pJ * windows * columns,
            "conversion": e.conversion_pJ * columns,
        }
        return {name: np.full(np.shape(steps)[:-1], value) for name, value in by_part.items() if value}

    def weight(self, magnitude: NDArray[np.int64]) -> NDArray[np.int64]:
        """See :class:`mho.hw.kinds.Energy`: the width of the pulse."""
        return magnitude

    def inputs(
        self, op: MvmOperation, masks: Masks, vectors: int, weights: NDArray[np.int64],
        row_uS: NDArray[np.float64] | None,
    ) -> Mapping[str, float]:
        """See :class:`mho.hw.kinds.Energy`: ``rows``."""
        chip = self.chip
        share = chip.modulator_pJ / (chip.modulator_pJ + chip.devices_pJ)
        mean, half = 2 * chip.core.devices * chip.lines * chip.mean_g_uS, 2 ** (MAGNITUDE_BITS - 1)
        devices = weights / half * (1.0 if row_uS is None else row_uS / mean)
        parts = share * vectors * self._rows(op, masks) + (1.0 - share) * float(devices.sum())
        return {"rows": chip.energy.row_pJ * chip.read.phases * parts} if chip.energy.row_pJ else {}

    def _rows(self, op: MvmOperation, masks: Masks) -> int:
        """Rows that are on; each device of one is a driven line."""
        return int(masks.word_lines(op).sum()) // (2 * self.chip.core.devices)
