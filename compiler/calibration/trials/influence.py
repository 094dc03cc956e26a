"""What errors of outputs and of weights of each layer do to the outputs of a network: mean squared gradients."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mho.compiler.calibration.trials.calls import at_all_positions
from mho.compiler.calibration.trials.gradients import (
    DRAWS,
    FEWEST_IMAGES,
    IMAGES,
    MOST_NUMBERS,
    Float,
    backward,
    parts_of,
    some_images,
    tops_of,
)
from mho.compiler.model import FloatNetwork
from mho.compiler.model.layer import LinearLayer
from mho.macro_models.integer.vector import take_rows

__all__ = ["Influence", "influences", "weight_noise"]


@dataclass(frozen=True, kw_only=True)
class Influence:
    """What squared errors of a layer's outputs do to the outputs of the network, each of shape (outputs,).

    ``single``: of errors that are independent at all positions; ``common``: of one that is the same at all. Positions
    are those of all calls of the layer.
    """

    single: Float
    common: Float


def influences(network: FloatNetwork, x: Float) -> list[Influence]:
    """The mean squared gradients of the network's outputs by the outputs of each layer, over some of the inputs."""
    x = x[: len(some_images(network, len(x), IMAGES, FEWEST_IMAGES))]
    images = len(x)
    single: list[Float] = [np.zeros(layer.outputs) for layer in network.layers]
    common: list[Float] = [np.zeros(layer.outputs) for layer in network.layers]
    tops = tops_of(network, network.last(x))
    for part in parts_of(network, images):
        values = network.activations(x[part])
        for top in tops:
            slopes = backward(network, values, top[part])
            for layer, steps in enumerate(network.calls):
                slope = at_all_positions([slopes[k + 1] for k in steps], len(single[layer]))
                single[layer] += (slope**2).sum(axis=(0, 2)) / (images * DRAWS)
                common[layer] += (slope.sum(axis=2) ** 2).sum(axis=0) / (images * DRAWS)
    return [Influence(single=s, common=c) for s, c in zip(single, common, strict=True)]


def _rows(values: list[Float], network: FloatNetwork, layer: int) -> Float:
    """Inputs of a layer's rows, (images, positions, rows)."""
    calls = network.calls_of(layer)
    parts = [take_rows(network.steps[k].gather(values), op.patches, op.pad) for k, op in calls]
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)


def _reaches(ends: list[Float], network: FloatNetwork) -> Iterator[tuple[Float, Float]]:
    """Of each layer what its rows are around, and how far from it they are, each (rows,): 0, but for the input's.

    ``ends`` are the least and the largest number of each element of the values, of shape (2, elements).
    """
    for layer in range(len(network.layers)):
        rows = _rows(ends, network, layer)
        low, high = rows[0].min(axis=0), rows[1].max(axis=0)
        alone = all(network.steps[k].inputs == (0,) for k, _ in network.calls_of(layer))
        middle = (low + high) / 2 if alone else np.zeros_like(low)
        yield middle, np.maximum(np.abs(low - middle), np.abs(high - middle))


def weight_noise(network: FloatNetwork, x: Float) -> list[float]:
    """What noise of the cells of each layer does to the network's outputs: their variance, up to a common factor.

    Each weight has an independent error, the same at all positions, in proportion to the largest weight of its output:
    that one takes the whole range of the cells. Weights count with the range of their inputs, which takes that of the
    codes.
    """
    x = x[some_images(network, len(x), IMAGES, FEWEST_IMAGES)]
    total, last, ends = [0.0] * len(network.layers), [], None
    for part in parts_of(network, len(x)):
        values = network.activations(x[part])
        part_ends = [np.stack([v.min(axis=0), v.max(axis=0)]) for v in values]
        ends = part_ends if ends is None else [
            np.stack([np.minimum(a[0], b[0]), np.maximum(a[1], b[1])]) for a, b in zip(ends, part_ends, strict=True)
        ]
        last.append(values[-1])
    assert ends is not None
    reaches, tops = list(_reaches(ends, network)), tops_of(network, np.concatenate(last))
    for part in parts_of(network, len(x)):
        values = network.activations(x[part])
        for top in tops:
            slopes = backward(network, values, top[part])
            for layer, (linear, steps) in enumerate(zip(network.layers, network.calls, strict=True)):
                by_call = [slopes[k + 1] * (values[k + 1] > 0) if linear.relu else slopes[k + 1] for k in steps]
                middle, reach = reaches[layer]
                largest = np.abs(linear.scaled(reach)).max(axis=1, initial=0.0)
                inverse = 1.0 / np.where(reach > 0, reach, 1.0)
                rows = _rows(values, network, layer) - middle
                slope = at_all_positions(by_call, linear.outputs)
                total[layer] += _squares(linear, slope, rows, largest**2, inverse**2)
    return [linear / len(x) for linear in total]


def _squares(layer: LinearLayer, slope: Float, rows: Float, outputs: Float, inputs: Float) -> float:
    """Squares of the gradients by each weight, times a factor of its output and one of its input: sum over images.

    ``slope`` has shape (images, outputs, positions), ``rows`` (images, positions, inputs).
    """
    images, positions = rows.shape[:2]
    slope = (slope * np.sqrt(outputs)[:, None]).reshape(images, layer.groups, -1, positions)
    rows = (rows * np.sqrt(inputs)).reshape(images, positions, layer.groups, -1).swapaxes(1, 2)
    outputs_of_group, inputs_of_group = slope.shape[2], rows.shape[3]
    few, total = positions * (outputs_of_group + inputs_of_group) < outputs_of_group * inputs_of_group, 0.0
    size = max(1, MOST_NUMBERS // (layer.groups * (positions**2 if few else outputs_of_group * inputs_of_group)))
    for part in (slice(first, first + size) for first in range(0, images, size)):
        s, x = slope[part], rows[part]
        if few:
            # sum (s x)**2 = sum (s' s) * (x x'), as many numbers as there are pairs of positions.
            total += float(np.vdot(s.swapaxes(2, 3) @ s, x @ x.swapaxes(2, 3)))
        else:
            by_weight = s @ x
            total += float(np.vdot(by_weight, by_weight))
    return total
