"""What errors inside a network do to its outputs, by backward passes through the float network."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compiler.graph import FloatNetwork
from compiler.steps import Linear, Step, take_rows

__all__ = ["Influence", "influences", "outputs_from", "weight_noise"]

Float = NDArray[np.float64]

IMAGES, DRAWS = 32, 4
"""Inputs, and random combinations of the outputs of each, whose gradients are averaged."""


def _steps(network: FloatNetwork) -> tuple[Step, ...]:
    """The steps of a network, of a chain of layers, too."""
    if network.steps:
        return network.steps
    operations = [
        Linear(layer=layer, patches=np.arange(layer.inputs, dtype=np.int32)[None], pad=np.zeros(layer.inputs))
        for layer in network.layers
    ]
    return tuple(Step(operation=op, inputs=(k,)) for k, op in enumerate(operations))


def _backward(network: FloatNetwork, values: Sequence[Float]) -> Iterator[list[Float]]:
    """Gradients of random combinations of the outputs by each value, of shape (images, elements).

    The mean of their squares is that over the outputs. Of classes only the differences count.
    """
    steps, rng, outputs = _steps(network), np.random.default_rng(0), values[-1].shape[1]
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
        for k, step in enumerate(_steps(network)):
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


def _rows(values: list[Float], step: Step) -> Float:
    """Inputs of a layer's rows as their codes see them, (images, positions, rows): those of the network around 0."""
    assert isinstance(step.operation, Linear)
    rows = take_rows(step.gather(values), step.operation.patches, step.operation.pad)
    if step.inputs != (0,):
        return rows
    return rows - (rows.max(axis=(0, 1)) + rows.min(axis=(0, 1))) / 2


def weight_noise(network: FloatNetwork, x: Float) -> list[float]:
    """What noise of the cells of each layer does to the network's outputs: their variance, up to a common factor.

    Each weight has an independent error, the same at all positions, in proportion to the largest weight of its output:
    that one takes the whole range of the cells. Weights count with the range of their inputs, which takes that of the
    codes.
    """
    values = network.activations(x[np.arange(min(len(x), IMAGES)) * len(x) // min(len(x), IMAGES)])
    steps = [(k, s) for k, s in enumerate(_steps(network)) if isinstance(s.operation, Linear)]
    total = [0.0] * len(steps)
    rows = [_rows(values, step) for _, step in steps]
    for slopes in _backward(network, values):
        for layer, (k, step) in enumerate(steps):
            op = step.operation
            assert isinstance(op, Linear)
            slope = slopes[k + 1] * (values[k + 1] > 0) if op.layer.relu else slopes[k + 1]
            slope = slope.reshape(len(slope), op.layer.outputs, -1)
            reach = np.abs(rows[layer]).max(axis=(0, 1))
            largest = np.abs(op.layer.weight * reach).max(axis=1, initial=0.0)
            by_weight = (slope @ rows[layer]) / np.where(reach > 0, reach, 1.0)
            total[layer] += float((by_weight**2).mean(axis=0).sum(axis=1) @ largest**2)
    return total
