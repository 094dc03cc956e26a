"""The oscillators of a core as they are made: each with errors of its own, drawn once a chip."""

import numpy as np
from numpy.typing import NDArray

from mho.macro_models.integer.pwm.converter import COUNT_BITS, GAIN_ONE, Oscillators
from mho.macro_models.integer.random import NORMAL_ONE, Purpose, normal_codes
from mho.macro_models.pwm.config import PwmConfig

__all__ = ["made_oscillators"]

Reals = NDArray[np.float64]

_RAW_GAINS = 0.52, 4.0
"""Cut where the trim register ends: what it could not bring back is no converter."""
_GAINS = 0.1, 4.0


def made_oscillators(config: PwmConfig, seed: int, core: int) -> Oscillators:
    """Those of one core of a chip."""
    n = config.lines

    def normals(purpose: Purpose, sigma: float, items: int = 2 * n) -> Reals:
        if sigma == 0.0:
            return np.zeros((items // n, n))
        z = normal_codes(purpose, seed=seed, core=core, items=items)
        return sigma / NORMAL_ONE * z.reshape(-1, n).astype(np.float64)

    seen_by_calibration = np.sqrt(config.sigma_gain**2 - config.sigma_residual**2)
    reference = np.clip(1.0 + normals(Purpose.CONVERTER_GAIN, seen_by_calibration), *_RAW_GAINS)
    array = np.clip(reference * (1.0 + normals(Purpose.CONVERTER_RESIDUAL, config.sigma_residual, n)), *_GAINS)
    curvature = config.curvature + normals(Purpose.CONVERTER_CURVE, config.sigma_curvature)
    offset = normals(Purpose.CONVERTER_OFFSET, config.sigma_offset)

    def fixed(values: Reals, unit: int) -> NDArray[np.int64]:
        return np.rint(values * unit).astype(np.int64)

    return Oscillators(
        gain=fixed(array, GAIN_ONE), reference_gain=fixed(reference, GAIN_ONE), curvature=fixed(curvature, GAIN_ONE),
        offset=fixed(offset, 1 << COUNT_BITS), top=config.top_counts,
    )
