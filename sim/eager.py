"""The macro at every strobe: slow and plain, the truth against which the lazy evaluation is tested.

It accumulates sample by sample and takes decrement by decrement, in integers, as the pins say; the conversion's noise is
drawn at its first compare, from the input that has been accumulated by then.
"""

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from macro_models import TnsaModel
from macro_models.sensing import Key

__all__ = ["EagerTnsa", "Strobe"]


class Strobe(IntEnum):
    """Operations at the pins (``hdl/shim.cpp``)."""

    PRECHARGE = 0
    SAMPLE = 1
    COMPARE = 2
    DECREMENT = 3


class EagerTnsa:
    """A transposable macro behind its pins.

    Parameters
    ----------
    model
        The programmed macro.
    """

    def __init__(self, model: TnsaModel) -> None:
        self.model = model
        self._key: Key | None = None
        self._wl = np.zeros(0, dtype=np.bool_)
        lines = model.config.lines
        self._input = np.zeros(lines, dtype=np.int64)
        self._accumulator = np.zeros(lines, dtype=np.int64)
        self._charge: NDArray[np.int64] | None = None
        self._against = np.zeros(lines, dtype=np.bool_)

    def precharge(self) -> None:
        """Discharge the integrators."""
        self._input[:] = 0
        self._accumulator[:] = 0
        self._charge = None

    def sample(self, backward: bool, positive: NDArray[np.bool_], negative: NDArray[np.bool_], wl: NDArray[np.bool_]) -> None:
        """Sample the converted lines and integrate; arrays of shape (lines,), the driven lines and the word lines."""
        if (positive & negative).any():
            raise ValueError("A line register drives a line to both sides")
        if self._key is None or self._key.backward != backward or not np.array_equal(self._wl, wl):
            self._key = self.model.key(backward, wl)
            self._wl = wl.copy()
        driven = positive.astype(np.int64) - negative
        self._input += driven
        self._accumulator += driven @ self._key.k.astype(np.int64)

    def compare(self, latch: bool, op_id: int) -> NDArray[np.bool_]:
        """Lines whose charge is negative; ``latch`` keeps them as the direction of the decrements that follow."""
        if self._charge is None:
            assert self._key is not None
            key = self._key
            quiet = 2 * (self._input @ key.k.astype(np.int64)) + key.offset
            noise = self.model.charge(key, self._input[None], op_id)[0] - quiet
            self._charge = 2 * self._accumulator + key.offset + noise
        negative = self._charge < 0
        if latch:
            self._against = negative
        return negative

    def decrement(self, scale: int, step_code: int) -> None:
        """Take ``step_code << scale`` from the magnitude of the charge, in the latched direction."""
        assert self._key is not None and self._charge is not None
        steps = self.model.steps(self._key, step_code)
        self._charge = self._charge + np.where(self._against, steps.neg << scale, -(steps.pos << scale))
