"""Reference of the whole core: what it gives, and when, from operations, settings and a model of the macro."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mho.hw.core.layout import OpLayout, pack_codes
from mho.hw.core.reference import CoreReference
from mho.hw.kinds.pwm.config import PwmCoreConfig
from mho.hw.kinds.pwm.engine.layout import COMMAND_MODE, Command
from mho.hw.kinds.pwm.engine.reference import CommandReference
from mho.hw.kinds.pwm.settings import SettingsFile


class PwmCoreReference(CoreReference):
    """A core at transaction level. See :class:`mho.hw.core.reference.CoreReference`.

    The model of the macro takes what corrects its converters from the settings, which are in ``masks``.

    Attributes
    ----------
    commands : CommandReference
        What carries out commands; its ``rows`` are to be set for write-verify.
    """

    masks: SettingsFile

    def __init__(self, cfg: PwmCoreConfig, macro: Any) -> None:
        super().__init__(cfg, macro)
        self.commands = CommandReference(self.masks, macro)

    def settings(self) -> SettingsFile:
        """All settings after reset."""
        return SettingsFile(self.cfg)

    def run(self, descriptor: int, words: Sequence[int]) -> list[int]:
        """Output words of one operation or command with these input words; none if the descriptor is illegal."""
        if self.cfg.engine and (fields := OpLayout().from_bits(descriptor))["mode"] == COMMAND_MODE:
            outputs = self.commands.run(
                Command(fields["wl_select"]), fields["line_select"], fields["op_id"], fields["step_code"], words
            )
            return pack_codes(outputs.astype(np.int16))
        self.macro.calibration = self.masks.calibration
        return super().run(descriptor, words)
