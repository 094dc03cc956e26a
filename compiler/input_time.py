"""How long inputs take on a chip: the one notion of time of sweeps, reports, runs and comparisons."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mho.compiler.facts import TimeFacts


@dataclass(frozen=True, kw_only=True)
class InputTime:
    """Clock cycles of inputs that follow each other without a gap.

    Where a host schedules the cores, products follow one after the other, and so do inputs: both are the same, in the
    mean of the inputs. Tiles work on several inputs at a time.
    """

    latency: float
    """Of the first input, from its begin to its result."""
    interval: float
    """From result to result while others follow, in the mean."""
    predicted: bool = False
    """By the cycle model of the tiles, where they were not simulated."""

    def of(self, inputs: int) -> int:
        """Cycles of so many inputs, from the begin of the first to the result of the last."""
        return round(self.latency + (inputs - 1) * self.interval)

    def facts(self, f_clk_MHz: float) -> TimeFacts:
        """For JSON and tables."""
        return {
            "latency_cycles": self.latency, "latency_us": self.latency / f_clk_MHz,
            "interval_cycles": self.interval, "interval_us": self.interval / f_clk_MHz,
        }

    @classmethod
    def mean(cls, times: "Sequence[InputTime]") -> "InputTime":
        """The mean of several chips."""
        return cls(
            latency=float(np.mean([time.latency for time in times])),
            interval=float(np.mean([time.interval for time in times])), predicted=any(time.predicted for time in times),
        )
