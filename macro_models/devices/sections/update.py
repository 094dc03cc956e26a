"""How a cell answers to identical pulses: the section ``[update]`` of a device, which training can use.

With x = (g - g_min) / (g_max - g_min) a pulse that raises the conductance (potentiation) moves it by

    linear        up_uS                     ConstantStep of aihwkit
    soft          up_uS (1 - x)             SoftBounds of aihwkit; G(n) = B (1 - exp(-n / A)) of NeuroSim
    exponential   up_uS exp(-up_curve x)    ExpStep of aihwkit, one direction
    abrupt        to g_max, with the probability up_part

and one that lowers it (depression) by the mirror image, with 1 - x for x, of the same or of another form; all end at
g_min and g_max. From pulse to pulse a step is (1 + cycle_spread z) times as large, from cell to cell exp(cell_spread z)
times.

Sources: aihwkit (MIT licence), ``rpu_pulsed`` devices; P.-Y. Chen, X. Peng, S. Yu, "NeuroSim: a circuit-level macro
model for benchmarking neuro-inspired architectures in online learning", IEEE TCAD 37 (2018) 3067, equations 3 to 5.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from mho.macro_models.types import Reals

UPDATES = ("", "linear", "soft", "exponential", "abrupt")
"""Forms of the answer."""


@dataclass(frozen=True, kw_only=True)
class Update:
    """Answer to identical pulses. An empty ``model``: not known."""

    model: str = ""
    """Of :data:`UPDATES`."""
    down_model: str = ""
    """The form downwards; empty: the same."""
    g_min_uS: float = 0.0
    """Conductance to which depression tends, in uS."""
    g_max_uS: float = 0.0
    """Conductance to which potentiation tends, in uS."""
    up_uS: float = 0.0
    """Step of a pulse upwards at g_min, in uS (``abrupt``: mean step)."""
    down_uS: float = 0.0
    """Size of the step of a pulse downwards at g_max, in uS."""
    up_curve: float = 0.0
    """How many e-folds the step falls over the window (``exponential``)."""
    down_curve: float = 0.0
    """The same downwards."""
    up_part: float = 0.0
    """Probability that a pulse switches a cell (``abrupt``)."""
    down_part: float = 0.0
    """The same downwards."""
    cycle_spread: float = 0.0
    """Relative standard deviation of a step from pulse to pulse."""
    cell_spread: float = 0.0
    """Standard deviation of the logarithm of steps between cells."""
    read_sigma_uS: float = 0.0
    """Standard deviation of a reading, in uS."""
    up_V: float = 0.0
    """Amplitude of the pulses, in V."""
    down_V: float = 0.0
    """The same downwards, negative."""
    pulse_s: float = 0.0
    """Width of the pulses, in seconds."""
    heldout: tuple[float, ...] = ()
    """Root mean square of the errors of G(n) for cells that were left out, relative to the window: of linear, soft,
    exponential, abrupt."""
    n: tuple[float, ...] = ()
    """Pulses of the lists below, first upwards, then downwards as negative numbers."""
    g_uS: tuple[float, ...] = ()
    """Mean conductance after so many pulses as measured, in uS."""
    model_g_uS: tuple[float, ...] = ()
    """The same of this law."""
    source: str = ""

    @property
    def asymmetry(self) -> float:
        """Difference of the two steps in the middle of the window over their sum, -1..1."""
        middle = (self.g_min_uS + self.g_max_uS) / 2.0
        up, down = float(self.step(middle, 1)), -float(self.step(middle, -1))
        return (up - down) / max(up + down, 1e-12)

    def form(self, sign: int) -> str:
        """The form of the answer upwards (1) or downwards (-1)."""
        return self.model if sign > 0 or not self.down_model else self.down_model

    def step(self, g_uS: ArrayLike, sign: int) -> Reals:
        """Expected change of one pulse, in uS, of the shape of ``g_uS``; ``sign`` is 1 or -1."""
        g = np.asarray(g_uS, dtype=np.float64)
        window = max(self.g_max_uS - self.g_min_uS, 1e-12)
        x = np.clip((g - self.g_min_uS) / window, 0.0, 1.0)
        x = x if sign > 0 else 1.0 - x
        size, curve, part = (
            (self.up_uS, self.up_curve, self.up_part) if sign > 0 else (self.down_uS, self.down_curve, self.down_part)
        )
        model = self.form(sign)
        if model == "abrupt":
            moved = part * window * (1.0 - x)
        else:
            shape = {"linear": np.ones_like(x), "soft": 1.0 - x}.get(model, np.exp(-curve * x))
            moved = np.minimum(size * shape, window * (1.0 - x))
        return sign * moved

    def draw(self, g_uS: ArrayLike, sign: int, cycle: ArrayLike, cell: ArrayLike = 0.0) -> Reals:
        """Conductances after one pulse, in uS.

        ``cycle`` holds a standard normal number for each pulse, ``cell`` one for each cell, the same for its life.
        """
        g = np.asarray(g_uS, dtype=np.float64)
        if self.form(sign) == "abrupt":
            from scipy.special import ndtr

            part = self.up_part if sign > 0 else self.down_part
            end = self.g_max_uS if sign > 0 else self.g_min_uS
            return np.where(ndtr(np.asarray(cycle)) < part, end, g)
        size = (1.0 + self.cycle_spread * np.asarray(cycle)) * np.exp(self.cell_spread * np.asarray(cell))
        return np.clip(g + self.step(g, sign) * size, self.g_min_uS, self.g_max_uS)

    def curve(self, pulses: int, sign: int, start_uS: float | None = None) -> Reals:
        """Expected conductance after 0, 1, .. ``pulses`` pulses, in uS, of shape (pulses + 1,)."""
        g = [(self.g_min_uS if sign > 0 else self.g_max_uS) if start_uS is None else start_uS]
        for _ in range(pulses):
            g.append(g[-1] + float(self.step(g[-1], sign)))
        return np.array(g)

    @property
    def states(self) -> float:
        """Steps across the window: its width over the mean of the two steps in the middle."""
        middle = (self.g_min_uS + self.g_max_uS) / 2.0
        mean = (float(self.step(middle, 1)) - float(self.step(middle, -1))) / 2.0
        return math.inf if mean <= 0.0 else (self.g_max_uS - self.g_min_uS) / mean
