"""Energy of the operations of a phase-change macro, from the energies of its description."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hw.config import Chip
from hw.config.kinds.pwm import PwmChip, PwmEnergySection
from macro_models.exact.masks import Masks
from macro_models.exact.operation import MvmOperation

__all__ = ["PwmEnergy"]


@dataclass(frozen=True, kw_only=True)
class PwmEnergy:
    """Energy of operations: rows and converters count in every window, whatever the inputs.

    The published energies, from which presets have theirs, are means over inputs.
    """

    energies: PwmEnergySection
    windows: int
    devices: int
    """Devices of a row, each of which is a driven line."""

    @classmethod
    def from_chip(cls, chip: Chip) -> "PwmEnergy":
        """That of a chip's description."""
        chip = PwmChip.of(chip)
        return cls(energies=chip.energy, windows=chip.read.phases, devices=2 * chip.core.devices)

    def operation(self, op: MvmOperation, masks: Masks, steps: ArrayLike) -> Mapping[str, NDArray[np.float64]]:
        """See :class:`hw.kinds.Energy`: ``rows``, ``oscillators``, ``conversion``."""
        e, columns = self.energies, int(masks.enabled(op).sum())
        rows = int(masks.word_lines(op).sum()) // self.devices
        each = {
            "rows": e.row_pJ * self.windows * rows,
            "oscillators": e.oscillators_pJ * self.windows * columns,
            "conversion": e.conversion_pJ * columns,
        }
        return {name: np.full(np.shape(steps)[:-1], value) for name, value in each.items() if value}
