"""What errors inside a network do to its outputs.

Two judges tell, with the same methods. Behind a layer of a chain the rest of the network is computed
(:class:`Following`). Elsewhere, where a layer has many positions, an error of one of its outputs counts by the mean
squared gradient, from backward passes through the float network (:class:`Gradients`).
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from compiler.calibration.quantisers import Quantiser
from compiler.calibration.trials.calls import at_all_positions
from compiler.model import FloatNetwork
from compiler.model.layer import LinearLayer
from macro_models.exact.vector import PAD, take_rows

__all__ = ["Following", "Gradients", "Judge", "make_judge", "weight_noise"]

MOST_NUMBERS = 1 << 25
"""Numbers that are held at a time: gradients by weights, or what layers take of some images."""

Float = NDArray[np.float64]
Which = NDArray[np.integer] | slice

ROUNDED_IMAGES, IMAGES, FEWEST_IMAGES, FEWEST_ROUNDED = 48, 32, 12, 6
"""Images on which the rounding of a layer's inputs is followed to the outputs, those whose gradients are averaged, and
how many of a large network the latter and the former are at least."""
PRODUCTS = 1 << 30
"""Multiplications of weights that they take, as far as there are more of them than the fewest."""
DRAWS = 4
"""Random combinations of the outputs of each image."""


class Judge(ABC):
    """Judge of a network, for inputs ``x`` of shape (images, features).

    Attributes
    ----------
    reference
        Outputs of the network; of classes, their differences only.
    """

    def __init__(self, network: FloatNetwork, x: Float) -> None:
        self.network, last = network, network.last(x)
        self._weight = output_weights(network, last)
        self.reference = self._outputs(last)

    def _outputs(self, y: Float) -> Float:
        return self._weighed(self.network.compared(y))

    def _weighed(self, y: Float) -> Float:
        y = y if self._weight is None else y * self._weight
        return y - y.mean(axis=-1, keepdims=True) if self.network.is_classifier and y.shape[-1] > 1 else y

    @property
    def deviation(self) -> float:
        """Largest standard deviation of an output."""
        return float(self.reference.std(axis=0).max(initial=0.0))

    def changed(self, error: float) -> float:
        """Share of decisions that errors of this size change, by the margins: 0 where there is nothing to decide."""
        if not self.network.is_classifier:
            return 0.0
        scores = self.reference
        if scores.shape[-1] > 1:
            best = np.sort(scores, axis=-1)
            margin = best[..., -1] - best[..., -2]
            error *= np.sqrt(2.0)
        else:
            margin = np.abs(scores[..., 0])
        return float(ndtr(-margin / max(error, 1e-300)).mean())

    @abstractmethod
    def squared(self, layer: int, outputs: Float, wanted: Float, which: Which = slice(None)) -> Float:
        """Squared error of the network's outputs on each chip if all but one layer were exact, of shape (chips,).

        ``outputs`` of that layer are of shape (chips, samples, outputs), and ``wanted`` what is right, of shape
        (samples, outputs). Where they are some of the outputs, ``which`` are those.
        """

    @abstractmethod
    def lost(self, layer: int, flat: Float, quantiser: Quantiser) -> float:
        """Error of the network's outputs, root mean square, for rounded inputs ``flat`` of a layer, (samples, rows)."""


class Following(Judge):
    """Of a chain: what follows a layer is computed on the same samples."""

    def outputs_after(self, layer: int, h: Float) -> Float:
        """Outputs of the float network for inputs ``h`` of a layer, of shape (..., inputs)."""
        for one in self.network.layers[layer:]:
            h = one.compute(h)
        return self._outputs(h)

    def squared(self, layer: int, outputs: Float, wanted: Float, which: Which = slice(None)) -> Float:
        lost = self.outputs_after(layer + 1, outputs) - self.reference
        return (lost**2).mean(axis=(1, 2))

    def lost(self, layer: int, flat: Float, quantiser: Quantiser) -> float:
        rounded = quantiser.rounded(flat)
        lost = self.outputs_after(layer, rounded) - self.outputs_after(layer, flat)
        return float(np.sqrt((lost**2).mean()))


class Gradients(Judge):
    """Of any network: by the mean squared gradients of its outputs, and by the images themselves for rounding."""

    def __init__(self, network: FloatNetwork, x: Float) -> None:
        super().__init__(network, x)
        self.influence = influences(network, x)
        self.followed = network.activations(x[_some(network, len(x), ROUNDED_IMAGES, FEWEST_ROUNDED)])

    def squared(self, layer: int, outputs: Float, wanted: Float, which: Which = slice(None)) -> Float:
        """Squared errors of different outputs add up.

        The mean of an output's errors is the same at all positions, where the rest are taken to be independent.
        """
        lost, influence = outputs - wanted, self.influence[layer]
        mean = (lost.mean(axis=1) ** 2) @ influence.common[which]
        return lost.var(axis=1) @ influence.single[which] + mean

    def lost(self, layer: int, flat: Float, quantiser: Quantiser) -> float:
        """With the inputs of the layer rounded at all positions of some images, in each of its calls."""
        network, wanted = self.network, self.followed
        values: list[Float] = []
        for k, op in network.calls_of(layer):
            values = network.proceed(values or wanted[: k + 1], k)
            taken = _rounded(network.steps[k].gather(values), op.patches, quantiser)
            rows = take_rows(taken, op.patches, quantiser.rounded(op.pad[None])[0])
            values.append(op.layer.compute(rows).transpose(0, 2, 1).reshape(len(rows), -1))
        made = network.compared(network.proceed(values)[-1])
        lost = self._weighed(made - network.compared(wanted[-1]))
        return float(np.sqrt((lost**2).mean()))


def _rounded(values: Float, patches: NDArray[np.int32], quantiser: Quantiser) -> Float:
    """Values of shape (images, elements) as codes give them: all rows that take an element have one code of it."""
    taken = patches != PAD
    row = np.zeros(values.shape[1], dtype=np.intp)
    row[patches[taken]] = np.broadcast_to(np.arange(patches.shape[1]), patches.shape)[taken]
    return quantiser.of(row).rounded(values)


def output_weights(network: FloatNetwork, last: Float) -> Float | None:
    """What each element of the last value counts, so that several outputs count alike, whatever their units and sizes.

    None where there is one output alone. ``last`` has shape (samples, elements).
    """
    slices = {(one.first, one.size): one.elements for one in network.outputs if one.size != 0}
    if len(slices) < 2:
        return None
    weight = np.zeros(last.shape[1])
    for elements in slices.values():
        share = np.sqrt(last.shape[1] / (len(slices) * max(last[:, elements].shape[1], 1)))
        weight[elements] = share / max(float(last[:, elements].std(axis=0).max(initial=0.0)), 1e-30)
    return weight


def make_judge(network: FloatNetwork, x: Float) -> Judge:
    """The judge of a network, for inputs of shape (images, features)."""
    return (Following if network.is_chain else Gradients)(network, x)


def _tops(network: FloatNetwork, last: Float) -> list[Float]:
    """Random combinations of the outputs ``last``, (images, elements), as their gradients by these elements.

    The mean of the squares of what follows from them is that over the outputs. Of classes only the differences count.
    """
    rng, outputs, weight, found = np.random.default_rng(0), last.shape[1], output_weights(network, last), []
    for _ in range(DRAWS):
        sign = rng.choice([-1.0, 1.0], last.shape)
        if network.is_classifier and outputs > 1:
            sign -= sign.mean(axis=1, keepdims=True)
        found.append(sign / np.sqrt(outputs) * (1.0 if weight is None else weight) * network.compared_slope(last))
    return found


def _backward(network: FloatNetwork, values: Sequence[Float], top: Float) -> list[Float]:
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


def _some(network: FloatNetwork, images: int, most: int, fewest: int) -> NDArray[np.int64]:
    """Numbers of some images, evenly taken: fewer of a network that multiplies more."""
    count = min(int(np.clip(PRODUCTS // max(network.multiplications, 1), fewest, most)), images)
    return np.arange(count) * images // count


def _parts(network: FloatNetwork, images: int) -> Iterator[slice]:
    """Images whose values, and what layers take of them at all positions, are held at a time."""
    each = sum(op.patches.size for op in network.linear) + sum(step.operation.size for step in network.steps)
    size = max(1, MOST_NUMBERS // each)
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
    x = x[: len(_some(network, len(x), IMAGES, FEWEST_IMAGES))]
    images = len(x)
    single: list[Float] = [np.zeros(layer.outputs) for layer in network.layers]
    common: list[Float] = [np.zeros(layer.outputs) for layer in network.layers]
    tops = _tops(network, network.last(x))
    for part in _parts(network, images):
        values = network.activations(x[part])
        for top in tops:
            slopes = _backward(network, values, top[part])
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
    x = x[_some(network, len(x), IMAGES, FEWEST_IMAGES)]
    total, last, ends = [0.0] * len(network.layers), [], None
    for part in _parts(network, len(x)):
        values = network.activations(x[part])
        found = [np.stack([v.min(axis=0), v.max(axis=0)]) for v in values]
        ends = found if ends is None else [
            np.stack([np.minimum(a[0], b[0]), np.maximum(a[1], b[1])]) for a, b in zip(ends, found, strict=True)
        ]
        last.append(values[-1])
    assert ends is not None
    reaches, tops = list(_reaches(ends, network)), _tops(network, np.concatenate(last))
    for part in _parts(network, len(x)):
        values = network.activations(x[part])
        for top in tops:
            slopes = _backward(network, values, top[part])
            for layer, (one, steps) in enumerate(zip(network.layers, network.calls, strict=True)):
                each = [slopes[k + 1] * (values[k + 1] > 0) if one.relu else slopes[k + 1] for k in steps]
                middle, reach = reaches[layer]
                largest = np.abs(one.scaled(reach)).max(axis=1, initial=0.0)
                inverse = 1.0 / np.where(reach > 0, reach, 1.0)
                rows = _rows(values, network, layer) - middle
                total[layer] += _squares(one, at_all_positions(each, one.outputs), rows, largest**2, inverse**2)
    return [one / len(x) for one in total]


def _squares(layer: LinearLayer, slope: Float, rows: Float, outputs: Float, inputs: Float) -> float:
    """Squares of the gradients by each weight, times a factor of its output and one of its input: sum over images.

    ``slope`` has shape (images, outputs, positions), ``rows`` (images, positions, inputs).
    """
    images, positions = rows.shape[:2]
    slope = (slope * np.sqrt(outputs)[:, None]).reshape(images, layer.groups, -1, positions)
    rows = (rows * np.sqrt(inputs)).reshape(images, positions, layer.groups, -1).swapaxes(1, 2)
    made, taken = slope.shape[2], rows.shape[3]
    few, total = positions * (made + taken) < made * taken, 0.0
    size = max(1, MOST_NUMBERS // (layer.groups * (positions**2 if few else made * taken)))
    for part in (slice(first, first + size) for first in range(0, images, size)):
        s, x = slope[part], rows[part]
        if few:
            # sum (s x)**2 = sum (s' s) * (x x'), as many numbers as there are pairs of positions.
            total += float(np.vdot(s.swapaxes(2, 3) @ s, x @ x.swapaxes(2, 3)))
        else:
            by_weight = s @ x
            total += float(np.vdot(by_weight, by_weight))
    return total
