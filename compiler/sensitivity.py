"""What errors inside a network with steps do to its outputs, by passes through the float network."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compiler.graph import FloatNetwork
from compiler.steps import Linear

__all__ = ["Influence", "influences", "outputs_from"]

Float = NDArray[np.float64]

IMAGES, DRAWS = 32, 4
"""Inputs, and random combinations of the outputs of each, whose gradients are averaged."""


def _backward(network: FloatNetwork, values: Sequence[Float]) -> Iterator[list[Float]]:
    """Gradients of random combinations of the outputs by each value, of shape (images, elements).

    The mean of their squares is that over the outputs. Of classes only the differences count.
    """
    steps, rng, outputs = network.steps, np.random.default_rng(0), values[-1].shape[1]
    for _ in range(DRAWS):
        sign = rng.choice([-1.0, 1.0], values[-1].shape)
        if network.is_classifier and outputs > 1:
            sign -= sign.mean(axis=1, keepdims=True)
        slopes = [np.zeros_like(v) for v in values]
        slopes[-1] = sign / np.sqrt(outputs)
        for k in range(len(steps) - 1, -1, -1):
            back = steps[k].operation.backward(slopes[k + 1], steps[k].gather(list(values)), values[k + 1])
            first = 0
            for v in steps[k].inputs:
                size = values[v].shape[1]
                slopes[v] += back[:, first : first + size]
                first += size
        yield slopes


@dataclass(frozen=True, kw_only=True)
class Influence:
    """What squared errors of a layer's outputs do to the outputs of the network, each of shape (outputs,).

    ``single``: of errors that are independent at all positions; ``common``: of one that is the same at all.
    """

    single: Float
    common: Float


def influences(network: FloatNetwork, values: Sequence[Float]) -> dict[int, Influence]:
    """The mean squared gradients of the network's outputs by the outputs of each layer, by the number of its step.

    ``values`` are the activations of the network, of which some images are used.
    """
    values = [v[:IMAGES] for v in values]
    single: dict[int, Float] = {}
    common: dict[int, Float] = {}
    for slopes in _backward(network, values):
        for k, step in enumerate(network.steps):
            if isinstance(step.operation, Linear):
                slope = slopes[k + 1].reshape(len(values[0]), step.operation.layer.outputs, -1)
                single[k] = single.get(k, 0.0) + (slope**2).sum(axis=2).mean(axis=0) / DRAWS
                common[k] = common.get(k, 0.0) + (slope.sum(axis=2) ** 2).mean(axis=0) / DRAWS
    return {k: Influence(single=single[k], common=common[k]) for k in single}


def outputs_from(network: FloatNetwork, values: Sequence[Float]) -> Float:
    """Outputs of a network with steps, from its input and the results of its first steps."""
    values = list(values)
    for step in network.steps[len(values) - 1 :]:
        values.append(step.operation.compute(step.gather(values)))
    return values[-1]
