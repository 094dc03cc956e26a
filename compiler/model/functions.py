"""Functions of one number that tables hold: bounded by 1 in magnitude, and constant, or nearly so, outside of a range.

Activations that grow without bound are a ReLU and one of these: what is left of them after subtracting it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from mho.compiler.types import Array

Float = Array


@dataclass(frozen=True, kw_only=True)
class Tabulated:
    """A function, and entries of its table for one unit of its argument: with 64, a table goes from -8 to 8."""

    compute: Callable[[Float], Float]
    resolution: float = 64.0

    def slope(self, x: Float) -> Float:
        """The derivative, by differences over one entry."""
        step = 0.5 / self.resolution
        return (self.compute(x + step) - self.compute(x - step)) / (2 * step)


def _sigmoid(x: Float) -> Float:
    return 0.5 * (1.0 + np.tanh(0.5 * x))


def _less_relu(gate: Callable[[Float], Float]) -> Callable[[Float], Float]:
    """``x gate(x) - relu(x)``."""
    return lambda x: x * gate(x) - np.maximum(x, 0.0)


def _softplus_rest(x: Float) -> Float:
    return np.log1p(np.exp(-np.abs(x)))


TABLES: dict[str, Tabulated] = {
    "sigmoid": Tabulated(compute=_sigmoid),
    "tanh": Tabulated(compute=np.tanh, resolution=128.0),
    "elu_rest": Tabulated(compute=lambda x: np.expm1(np.minimum(x, 0.0))),
    "gelu_rest": Tabulated(compute=_less_relu(ndtr)),
    "silu_rest": Tabulated(compute=_less_relu(_sigmoid)),
    "hard_swish_rest": Tabulated(compute=_less_relu(lambda x: np.clip(x / 6.0 + 0.5, 0.0, 1.0))),
    "mish_rest": Tabulated(compute=_less_relu(lambda x: np.tanh(np.maximum(x, 0.0) + _softplus_rest(x)))),
    "softplus_rest": Tabulated(compute=_softplus_rest),
}
"""By name; with ``_rest``: what the activation is more than a ReLU."""
