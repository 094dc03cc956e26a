"""What the host makes of the input before it is quantised, where lanes would not do.

A lane is within a part in ten thousand of its number, and a step function turns on less: an input that lies on the edge
of a bin falls on the wrong side of it, and logarithms of small numbers are worse. The host has the numbers themselves.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from compiler.calibration.carried import input_in_lanes
from compiler.model import FloatNetwork
from compiler.model.before import Before
from compiler.model.stages import Linear
from compiler.program import InputStage

__all__ = ["MOST_UNFAITHFUL", "quantised", "unfaithful"]

Float = NDArray[np.float64]

MOST_UNFAITHFUL = 0.02
"""Error of what lanes of the input give, relative to its deviation, up to which a function is one of lanes."""
STILL = 1e-6
"""Variance of an element relative to the largest below which it does not count."""


def unfaithful(made: Float, wanted: Float) -> bool:
    """Whether values made of lanes of the input, (images, elements), are far from those of its numbers.

    Each element is compared with its own deviation; those that hardly move with that of the others.
    """
    variance = wanted.var(axis=0)
    variance = np.maximum(variance, STILL * variance.max(initial=0.0))
    lost = ((made - wanted) ** 2).mean(axis=0)[variance > 0] / variance[variance > 0]
    return bool(lost.size) and float(lost.mean()) > MOST_UNFAITHFUL**2


def quantised(before: Before, network: FloatNetwork, x: Float) -> tuple[InputStage, list[slice]]:
    """Lanes of the values that ``before`` makes of inputs (images, features), and where each of them is."""
    parts, places, first = [], [], 0
    for number, value in zip(before.values, before.each(x), strict=True):
        parts.append(input_in_lanes(value, *_users(before, network, number)))
        places.append(slice(first, first + value.shape[1]))
        first += value.shape[1]
    stage = InputStage(
        offset=np.concatenate([p.offset for p in parts]), scale=np.concatenate([p.scale for p in parts]),
        low=parts[0].low, high=parts[0].high, before=before,
    )
    return stage, places


def _users(before: Before, network: FloatNetwork, value: int) -> tuple[Sequence[Linear], bool]:
    """Layers that take a value, and whether nothing else does and they take nothing else."""
    users = [s for k, s in enumerate(network.steps) if value in s.inputs and k not in before.numbers]
    layers = [s.operation for s in users if isinstance(s.operation, Linear) and len(s.inputs) == 1]
    return layers, len(layers) == len(users) > 0
