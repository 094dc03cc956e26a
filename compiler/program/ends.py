"""Both ends of a program, which the host does: quantisation of the input, dequantisation of the output."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mho.compiler.model.before import Before
from mho.compiler.types import Float, Lanes

__all__ = ["InputStage", "OutputStage"]

AT_ONCE = 1 << 14
"""Numbers of an input that are quantised at once, and stay in the cache of a processor."""


@dataclass(frozen=True, kw_only=True)
class InputStage:
    """The host's quantisation of an input: ``clip(rint((x - offset) / scale), low, high)``.

    ``offset`` and ``scale`` have shape (features,), in the units of the model. With ``before`` it is that of what those
    steps make of the input, (elements,).
    """

    offset: Float
    scale: Float
    low: int
    high: int
    before: Before | None = None

    def compute(self, x: NDArray[np.floating]) -> Lanes:
        """Codes of shape (batch, features) for finite ``x`` of shape (batch, ...)."""
        return self.compute_counted(x)[0]

    def compute_counted(self, x: NDArray[np.floating]) -> tuple[Lanes, int]:
        """The same, and how many numbers of ``x`` are beyond what codes reach."""
        codes, beyond = np.empty((len(x), len(self.scale)), dtype=np.int16), 0
        batch = max(1, AT_ONCE // max(len(self.scale), 1))
        for first in range(0, len(x), batch):
            scaled = self._scaled(x[first : first + batch])
            beyond += int(np.count_nonzero((scaled < self.low - 0.5) | (scaled > self.high + 0.5)))
            np.rint(scaled, out=scaled)
            codes[first : first + batch] = np.clip(scaled, self.low, self.high, out=scaled)
        return codes, beyond

    def clipped(self, x: NDArray[np.floating]) -> int:
        """How many numbers of ``x`` are beyond what codes reach."""
        return self.compute_counted(x)[1]

    def _scaled(self, x: NDArray[np.floating]) -> Float:
        x = np.asarray(x, dtype=np.float64).reshape(len(x), -1)
        return ((x if self.before is None else self.before.compute(x)) - self.offset) / self.scale

    def value(self, codes: NDArray[np.integer]) -> Float:
        """The numbers that codes stand for."""
        return codes * self.scale + self.offset


@dataclass(frozen=True, kw_only=True)
class OutputStage:
    """The host's dequantisation of the last value's lanes: ``lanes * scale``, ``scale`` of shape (elements,)."""

    scale: Float

    def compute(self, lanes: NDArray[np.integer]) -> Float:
        """Numbers in the units of the model, of shape (batch, elements)."""
        return lanes * self.scale
