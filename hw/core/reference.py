"""Reference of a core at transaction level: what it gives, and how long it takes, with a model of its macro."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.hw.core.layout import pack_codes, unpack, unpack_inputs
from mho.hw.core.masks import MaskFile
from mho.hw.core.shape import Timing
from mho.macro_models.errors import InputError
from mho.macro_models.integer.operation import MvmOperation


class CoreReference:
    """A core at transaction level.

    Parameters
    ----------
    cfg
        Configuration of the core: a :class:`mho.hw.core.shape.CoreShape`, and a :class:`Timing` unless a kind says
        another in :attr:`timing`.
    macro
        Model of its macro: ``mvm(op, masks, x, op_id)`` gives ``codes`` (batch, lines) and ``steps`` (batch, segments).

    Attributes
    ----------
    masks : MaskFile
        The masks, to be written.
    mvms, cycles_analog, error
        As in ``status``.
    cycles
        ``status.cycles_total`` if no operation waits for the result before it.
    """

    def __init__(self, cfg: Any, macro: Any) -> None:
        self.cfg, self.macro = cfg, macro
        self.masks = self.settings()
        self.mvms = self.cycles = self.cycles_analog = 0
        self.error = False

    def settings(self) -> MaskFile:
        """The masks after reset, and what a kind has behind them."""
        return MaskFile(self.cfg)

    @property
    def timing(self) -> Timing:
        """How long operations take now."""
        return self.cfg

    def operation(self, descriptor: int) -> tuple[Any, int]:
        """See :func:`mho.hw.core.layout.unpack`."""
        return unpack(descriptor, self.cfg.operation_type)

    def run(self, descriptor: int, words: Sequence[int]) -> list[int]:
        """Output words of one operation with the input codes in ``words``; none if the descriptor is illegal."""
        try:
            op, op_id = self.operation(descriptor)
        except InputError:
            self.error = True
            return []
        result = self.macro.mvm(op, self.masks.as_masks(), unpack_inputs(op, words)[None], op_id)
        self.count(op, np.asarray(result.steps[0]))
        return pack_codes(result.codes[0])

    def count(self, op: MvmOperation, steps: NDArray[np.int64]) -> None:
        """Count an operation that made these decrements, of shape (segments,)."""
        self.mvms += self.timing.conversion_cycles(op, steps).shape[-1]
        self.cycles += int(self.timing.cycles(op, steps))
        self.cycles_analog += int(self.timing.analog_cycles(op, steps))
