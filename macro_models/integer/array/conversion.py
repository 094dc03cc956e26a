"""What each conversion of a core takes whose columns share converters, and what it gives."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.macro_models.integer.array.operation import Steps


def driven(steps: Steps, x: NDArray[Any], step: int) -> NDArray[np.int16]:
    """What rows drive in a step of inputs ``x``, of shape (..., rows), whole numbers in any type, up to 255."""
    codes = x.astype(np.int16)
    digit = np.abs(codes) >> steps.digit_bits * (step // steps.row_groups) & (1 << steps.digit_bits) - 1
    if steps.row_groups > 1:
        digit *= np.arange(x.shape[-1]) * steps.row_groups // x.shape[-1] == step % steps.row_groups
    return np.where(codes < 0, -digit, digit)


def converted(charge: NDArray[np.int64], step: int, bits: int) -> NDArray[np.int64]:
    """Codes of an ideal converter, in steps: to the nearest, halves up; of one bit -1 below 0, else 0."""
    top = 1 << bits - 1
    return np.clip(charge // step if bits == 1 else (2 * charge + step) // (2 * step), -top, top - 1)
