"""The phase-change core in verification."""

from typing import Any

from mho.hw.kinds.pwm.settings import SettingsFile
from mho.macro_models.integer.pwm.operation import PwmOperation
from mho.sim.core.kinds import SimulatedKind
from mho.sim.core.words import MaskImage


class _Settings(MaskImage):
    """Masks, and the registers that correct the converters of the macro: those of its model."""

    file: Any

    def new_file(self, cfg: Any) -> SettingsFile:
        """What the memory holds after reset."""
        return SettingsFile(cfg)

    def settings(self, model: Any) -> list[tuple[int, int]]:
        """(address, data) of the registers that are other than the model's."""
        return [] if model is None else self.file.calibration_words(model.calibration)


KIND = SimulatedKind(
    operation=PwmOperation, image=_Settings, devices=("ideal", "pcm-generic", "pcm-hermes-1dev"),
)
