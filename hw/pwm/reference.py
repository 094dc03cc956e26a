"""Reference of the whole core: what it gives, and when, from operations, settings and a model of the macro."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mho.hw.core.layout import OpLayout, unpack
from mho.hw.core.results.drain import pack_codes
from mho.hw.pwm.config import PwmCoreConfig
from mho.hw.pwm.engine.layout import COMMAND_MODE, Command
from mho.hw.pwm.engine.reference import CommandReference
from mho.hw.pwm.settings import SettingsFile, SettingsLayout
from mho.macro_models.errors import InputError
from mho.macro_models.integer.masks import Masks
from mho.macro_models.integer.pwm.operation import PwmOperation

__all__ = ["PwmCoreReference", "PwmMacro"]


class PwmMacro(Protocol):
    """What the reference needs of a macro: a programmed core of :mod:`mho.macro_models.pwm`."""

    calibration: Any

    def mvm(self, op: PwmOperation, masks: Masks, x: NDArray[np.integer], op_id: Any) -> Any:
        """``codes`` of shape (batch, columns)."""
        ...


class PwmCoreReference:
    """A core at transaction level.

    Parameters
    ----------
    cfg
        Configuration of the core.
    macro
        Model of its macro; it takes what corrects its converters from the settings.

    Attributes
    ----------
    masks : SettingsFile
        The settings, to be written.
    commands : CommandReference
        What carries out commands; its ``rows`` are to be set for write-verify.
    mvms, cycles, cycles_analog, error
        As in ``status``, if no operation waits for the result before it.
    """

    def __init__(self, cfg: PwmCoreConfig, macro: PwmMacro) -> None:
        self.cfg, self.macro = cfg, macro
        self.masks = SettingsFile(cfg)
        self.commands = CommandReference(self.masks, macro)
        self.mvms = self.cycles = self.cycles_analog = 0
        self.error = False

    def operation(self, descriptor: int) -> tuple[PwmOperation, int]:
        """See :func:`mho.hw.core.layout.unpack`."""
        return unpack(descriptor, PwmOperation)

    @property
    def address_bits(self) -> int:
        """Bits of an address of the settings."""
        return SettingsLayout(self.cfg)["addr"].width

    def run(self, descriptor: int, words: Sequence[int]) -> list[int]:
        """Output words of one operation with the input codes in ``words``; none if the descriptor is illegal."""
        if self.cfg.engine and (fields := OpLayout().from_bits(descriptor))["mode"] == COMMAND_MODE:
            found = self.commands.run(
                Command(fields["wl_select"]), fields["line_select"], fields["op_id"], fields["step_code"], words
            )
            return pack_codes(found.astype(np.int16))
        try:
            op, op_id = self.operation(descriptor)
        except InputError:
            self.error = True
            return []
        x = np.array(words, dtype="<u4").view(np.int8 if op.in_signed else np.uint8).astype(np.int64)
        held = self.masks.masks[:, : self.cfg.mask_lines]
        n = self.cfg.lines
        masks = Masks(held[:8], held[8:16, :n], held[16], held[17, :n])
        self.macro.calibration = self.masks.calibration
        result = self.macro.mvm(op, masks, x[None], op_id)
        self.mvms += 1
        self.cycles += self.cfg.timing.worst_cycles(op)
        self.cycles_analog += self.cfg.timing.pin_cycles
        return pack_codes(result.codes[0])
