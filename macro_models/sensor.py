"""Pixels in front of a chip: light to inputs by a law of response, and how pixels differ.

Light l is 0..1 of the full scale. A scene of mean m is first adapted to, l (level / m)**adaptation, as pixels with a
slow gain of their own do; then l**exponent (``power``: superlinear above 1, sublinear below), (l - threshold) / (1 -
threshold) or 0 (``threshold``), or l. Pixel p gives (1 + gain_p) r + dark_p, both normal, the same for a chip's life.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mho.macro_models.types import Reals

LAWS = ("none", "linear", "power", "threshold")
"""Laws of response; none: there is no sensor."""


@dataclass(frozen=True, kw_only=True)
class Sensor:
    """Pixels of one chip; parameters as of the section ``[sensor]`` of a description."""

    response: str = "none"
    full_light: float = 1.0
    exponent: float = 1.0
    threshold: float = 0.0
    adaptation: float = 0.0
    adapted_level: float = 0.25
    gain_spread: float = 0.0
    dark_spread: float = 0.0

    @property
    def spreads(self) -> bool:
        """Whether pixels differ."""
        return self.response != "none" and (self.gain_spread > 0.0 or self.dark_spread > 0.0)

    def responses(self, light: NDArray[np.float32]) -> NDArray[np.float32]:
        """What equal pixels give for scenes of shape (scenes, pixels), both in the units of ``full_light``."""
        if self.response == "none":
            return light
        level = np.clip(light.astype(np.float64) / self.full_light, 0.0, 1.0)
        if self.adaptation:
            mean = np.maximum(level.mean(axis=1, keepdims=True), 1e-6)
            level = np.minimum(level * (self.adapted_level / mean) ** self.adaptation, 1.0)
        if self.response == "power":
            level = level**self.exponent
        elif self.response == "threshold":
            level = np.maximum(level - self.threshold, 0.0) / (1.0 - self.threshold)
        return (self.full_light * level).astype(np.float32)

    def of_chip(self, responses: NDArray[np.float32], seed: int) -> NDArray[np.float32]:
        """What the pixels of chip number ``seed`` give where equal ones give ``responses``, (scenes, pixels)."""
        from mho.macro_models.integer.random import NORMAL_ONE, Purpose, normal_codes  # scipy, which few need here

        def normals(purpose: Purpose) -> Reals:
            return normal_codes(purpose, seed=seed, core=0, items=responses.shape[1]) / NORMAL_ONE

        gain = 1.0 + self.gain_spread * normals(Purpose.PIXEL_GAIN)
        dark = self.dark_spread * normals(Purpose.PIXEL_DARK)
        return (self.full_light * np.clip(responses / self.full_light * gain + dark, 0.0, 1.0)).astype(np.float32)
