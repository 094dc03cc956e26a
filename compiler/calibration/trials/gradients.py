"""Backward passes through a float network, from combinations of its outputs to the values inside.

Those values are made when they are asked for, and let go when done with: together they are most of what a large
network would hold: 1.2 GB of MobileNetV2 for 64 images of 96 x 96 pixels.
"""

from collections.abc import Iterator, Sequence
from typing import overload

import numpy as np
from numpy.typing import NDArray

from mho.compiler.model import FloatNetwork
from mho.compiler.types import Float

__all__ = [
    "DRAWS",
    "FEWEST_IMAGES",
    "FEWEST_ROUNDED",
    "IMAGES",
    "MOST_NUMBERS",
    "PRODUCTS",
    "ROUNDED_IMAGES",
    "Activations",
    "Float",
    "backward",
    "output_weights",
    "parts_of",
    "some_images",
    "tops_of",
]


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


def some_images(network: FloatNetwork, images: int, limit: int, fewest: int) -> NDArray[np.int64]:
    """Numbers of some images, evenly taken: fewer of a network that multiplies more."""
    count = min(int(np.clip(PRODUCTS // max(network.multiplications, 1), fewest, limit)), images)
    count = min(count, max(1, MOST_VALUES // network.elements))
    return np.arange(count) * images // count


def parts_of(network: FloatNetwork, images: int) -> Iterator[slice]:
    """Images whose values, and what layers take of them at all positions, are held at a time."""
    numbers = sum(op.patches.size for op in network.linear) + sum(step.operation.size for step in network.steps)
    size = max(1, MOST_NUMBERS // numbers)
    return (slice(first, first + size) for first in range(0, images, size))
