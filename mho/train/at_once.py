"""Perceptrons whose cells are pulsed all at once, in numpy: which rule learns with which device."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import softmax

from mho.api.device import Device
from mho.macro_models.errors import InputError, argument
from mho.macro_models.types import Reals
from mho.train.crosspoint import CrosspointArray
from mho.train.mixed import ACTIVE, initial_weights
from mho.train.rules import RULES, Arrays


class PulsedPerceptron:
    """A perceptron in arrays that a rule of :data:`mho.train.rules.RULES` moves; products are exact.

    Raises InputError if there is no such rule, or the device has no ``[update]``.

    Parameters
    ----------
    sizes
        Inputs, hidden layers and classes.
    device
        With a section ``[update]``.
    rule
        Of :data:`mho.train.rules.RULES`.
    rate, reach
        Of gradient descent; largest weight.
    reference_error
        Standard deviation of the references, in largest weights.
    seed
        Of cells, weights at first and order of images.
    arrays
        What they are in: numpy, or the cores of a chip (:class:`mho.train.chip_arrays.ChipArrays`).
    """

    def __init__(
        self, sizes: Sequence[int], device: Device, rule: str, *, rate: float = 0.1, reach: float = 2.0,
        reference_error: float = 0.0, seed: int = 0, arrays: Arrays = CrosspointArray,
    ) -> None:
        if rule not in RULES:
            raise InputError(f"{argument('rule')} must be {', '.join(RULES)}, not {rule!r}")
        self._rng, self.rate, self._reach = np.random.default_rng(seed), rate, reach
        first = [initial_weights(inputs, outputs, self._rng) for inputs, outputs in pairwise(sizes)]
        self.layers = [RULES[rule](device.model.update, w.shape, self._rng, reference_error, arrays) for w in first]
        for layer, weights in zip(self.layers, first, strict=True):
            layer.begin(weights / reach)

    def outputs(self, x: ArrayLike) -> Reals:
        """Logits of inputs 0..1, of shape (images, inputs): (images, classes)."""
        values = np.asarray(x, dtype=np.float64)
        for number, layer in enumerate(self.layers):
            values = np.clip(values, 0.0, ACTIVE) if number else values
            values = self._reach * (with_bias(values) @ layer.weights)
        return values

    def fit(self, x: ArrayLike, y: ArrayLike) -> float:
        """Learn from all images once, in a new order; returns the pulses of an image."""
        images, classes = np.asarray(x, dtype=np.float64), np.asarray(y)
        before = sum(layer.pulses for layer in self.layers)
        for k in self._rng.permutation(len(images)):
            self._learn(images[k], int(classes[k]))
        return (sum(layer.pulses for layer in self.layers) - before) / len(images)

    def _learn(self, x: Reals, y: int) -> None:
        taken, values = list[Reals](), x
        for number, layer in enumerate(self.layers):
            values = np.append(np.clip(values, 0.0, ACTIVE) if number else values, 1.0)
            taken.append(values)
            values = self._reach * (values @ layer.weights)
        error = softmax(values)
        error[y] -= 1.0
        errors = [error]
        for layer, values in zip(self.layers[:0:-1], taken[:0:-1], strict=True):
            back = self._reach * (layer.weights @ errors[-1])
            errors.append(np.where((values > 0.0) & (values < ACTIVE), back, 0.0)[:-1])
        for layer, values, slope in zip(self.layers, taken, reversed(errors), strict=True):
            layer.learn(values, slope, self.rate / self._reach)


def with_bias(values: Reals) -> Reals:
    """With an input of 1 more, whose weight is the bias, of shape (images, inputs + 1)."""
    return np.column_stack([values, np.ones(len(values))])
