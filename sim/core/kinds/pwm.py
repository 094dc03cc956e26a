"""The phase-change core in verification."""

from typing import Any

import numpy as np

from mho.hw.kinds.pwm.settings import SettingsFile
from mho.macro_models.integer.operation import MAX_BITS
from mho.macro_models.integer.pwm.operation import MAGNITUDE_BITS, PwmOperation
from mho.sim.core.kinds import SimulatedKind
from mho.sim.core.words import MaskImage

__all__ = ["KIND"]


class _Settings(MaskImage):
    """Masks, and the registers that correct the converters of the macro: those of its model."""

    file: Any

    def new_file(self, cfg: Any) -> SettingsFile:
        """What the memory holds after reset."""
        return SettingsFile(cfg)

    def settings(self, model: Any) -> list[tuple[int, int]]:
        """(address, data) of the registers that are other than the model's."""
        return [] if model is None else self.file.calibration_words(model.calibration)


def _random_operation(rng: np.random.Generator) -> PwmOperation:
    signed = bool(rng.integers(2))
    return PwmOperation(
        in_bits=int(rng.integers(1, MAGNITUDE_BITS + 1 + signed)), in_signed=signed,
        out_bits=int(rng.integers(1, MAX_BITS + 1)), relu=bool(rng.integers(2)), wl_select=int(rng.integers(8)),
        line_select=int(rng.integers(8)),
    )


KIND = SimulatedKind(
    image=_Settings, devices=("ideal", "pcm-generic", "pcm-hermes-1dev"), random_operation=_random_operation,
    transposed=False, pin_level=False,
)
