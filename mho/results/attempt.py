"""What was tried to lower the error of a network's outputs."""

from dataclasses import dataclass
from math import hypot

SURE = 2.0
"""Standard errors from which on two errors do not differ by chance."""

Change = tuple[str, str | None, float]
"""An option of the compiler, the name of the layer that it is for (None: all), and its value."""


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """A network with some changes: error of its outputs relative to the float model's, and what it takes.

    ``error`` is a mean over chips, ``uncertainty`` its standard error; ``conversions`` are those of an input. ``kept``:
    all its changes are those of the network that came of it.
    """

    changes: tuple[Change, ...]
    error: float
    uncertainty: float
    cores: int
    conversions: int
    kept: bool = False

    def gain(self, before: "Attempt") -> float:
        """Error that it saves; 0 where that may be chance."""
        saved = before.error - self.error
        return saved if saved > SURE * hypot(self.uncertainty, before.uncertainty) else 0.0
