"""What errors of outputs and of weights of each layer do to the outputs of a network: mean squared gradients.

Backward passes through a float network, from combinations of its outputs to the values inside.

Those values are made when they are asked for, and let go when done with: together they are most of what a large
network would hold: 1.2 GB of MobileNetV2 for 64 images of 96 x 96 pixels.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np

from mho.compiler.calibration.trials.calls import at_all_positions
from mho.compiler.model import FloatNetwork
from mho.compiler.model.layer import LinearLayer
from mho.compiler.types import Float
from mho.macro_models.integer.vector import take_rows
from mho.macro_models.types import Integers


class Activations(Sequence[Float]):
    """The input and the results of all steps for ``x`` of shape (images, features), in their order.

    What is asked for is made from the values before it, which are held until they are done with.
    """

    def __init__(self, network: FloatNetwork, x: Float) -> None:
        self._steps, self._last_use, self._made = network.steps, network.last_use, 1
        self._held: dict[int, Float] = {0: np.asarray(x, dtype=np.float64).reshape(len(x), -1)}

    def __len__(self) -> int:
        return len(self._steps) + 1

    @overload
    def __getitem__(self, number: int) -> Float: ...
    @overload
    def __getitem__(self, number: slice) -> list[Float]: ...
    def __getitem__(self, number: int | slice) -> Float | list[Float]:
        if isinstance(number, slice):
            return [self[k] for k in range(*number.indices(len(self)))]
        if not -len(self) <= number < len(self):
            raise IndexError(number)
        number %= len(self)
        while self._made <= number:
            step = self._steps[self._made - 1]
            self._held[self._made] = step.operation.compute(step.gather(self._held))
            self._made += 1
        return self._held[number]

    def done(self, k: int) -> None:
        """Lets go of what no step after step ``k`` takes; it cannot be asked for any more."""
        self[k + 1]  # a later step may take it, though nobody has asked for it yet
        for v in self._steps[k].inputs:
            if self._last_use[v] == k:
                self._held.pop(v, None)


MOST_NUMBERS = 1 << 25
"""Numbers that are held at a time: gradients by weights, or what layers take of some images."""
MOST_VALUES = 1 << 27
"""Elements of all values of images that are there at a time: 1 GB in double precision, some of which is there twice."""
ROUNDED_IMAGES, IMAGES, FEWEST_IMAGES, FEWEST_ROUNDED = 48, 32, 12, 6
"""Images on which the rounding of a layer's inputs is followed to the outputs, those whose gradients are averaged, and
how many of a large network the latter and the former are at least."""
PRODUCTS = 1 << 30
"""Multiplications of weights that they take, as far as there are more of them than the fewest."""
DRAWS = 4
"""Random combinations of the outputs of each image."""


def output_weights(network: FloatNetwork, last: Float) -> Float | None:
    """What each element of the last value counts, so that several outputs count alike, whatever their units and sizes.

    None where there is one output alone. ``last`` has shape (samples, elements).
    """
    slices = {(output.first, output.size): output.elements for output in network.outputs if output.size != 0}
    if len(slices) < 2:
        return None
    weight = np.zeros(last.shape[1])
    for elements in slices.values():
        share = np.sqrt(last.shape[1] / (len(slices) * max(last[:, elements].shape[1], 1)))
        weight[elements] = share / max(float(last[:, elements].std(axis=0).max(initial=0.0)), 1e-30)
    return weight


def tops_of(network: FloatNetwork, last: Float) -> list[Float]:
    """Random combinations of the outputs ``last``, (images, elements), as their gradients by these elements.

    The mean of the squares of what follows from them is that over the outputs. Of classes only the differences count.
    """
    rng, outputs, weight, tops = np.random.default_rng(0), last.shape[1], output_weights(network, last), []
    for _ in range(DRAWS):
        sign = rng.choice([-1.0, 1.0], last.shape)
        if network.is_classifier and outputs > 1:
            sign -= sign.mean(axis=1, keepdims=True)
        tops.append(sign / np.sqrt(outputs) * (1.0 if weight is None else weight) * network.compared_slope(last))
    return tops


def backward(network: FloatNetwork, values: Sequence[Float], top: Float) -> list[Float]:
    """Gradients by each value, of shape (images, elements), from those by the last one."""
    slopes = [np.zeros_like(v) for v in values[:-1]] + [top]
    for k in range(len(network.steps) - 1, -1, -1):
        step = network.steps[k]
        back, first = step.operation.backward(slopes[k + 1], step.gather(values), values[k + 1]), 0
        for v in step.inputs:
            size = values[v].shape[1]
            slopes[v] += back[:, first : first + size]
            first += size
    return slopes


def some_images(network: FloatNetwork, images: int, limit: int, fewest: int) -> Integers:
    """Numbers of some images, evenly taken: fewer of a network that multiplies more."""
    count = min(int(np.clip(PRODUCTS // max(network.multiplications, 1), fewest, limit)), images)
    count = min(count, max(1, MOST_VALUES // network.elements))
    return np.arange(count) * images // count


def parts_of(network: FloatNetwork, images: int) -> Iterator[slice]:
    """Images whose values, and what layers take of them at all positions, are held at a time."""
    numbers = sum(op.patches.size for op in network.linear) + sum(step.operation.size for step in network.steps)
    size = max(1, MOST_NUMBERS // numbers)
    return (slice(first, first + size) for first in range(0, images, size))


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
