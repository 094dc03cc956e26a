"""What errors inside a network do to its outputs.

Two judges tell, with the same methods. Behind a layer of a chain the rest of the network is computed
(:class:`Following`). Elsewhere, where a layer has many positions, an error of one of its outputs counts by the mean
squared gradient, from backward passes through the float network (:class:`Gradients`).
"""

from abc import ABC, abstractmethod

import numpy as np
from scipy.special import ndtr

from mho.compiler.calibration.quantisers import Quantiser
from mho.compiler.calibration.trials.influence import (
    FEWEST_ROUNDED,
    ROUNDED_IMAGES,
    influences,
    output_weights,
    some_images,
)
from mho.compiler.model import FloatNetwork
from mho.compiler.types import Float
from mho.macro_models.integer.vector import PAD, take_rows
from mho.macro_models.types import Indices, Integral

Which = Integral | slice


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
    def squared(self, layer: int, outputs: Float, exact: Float, which: Which = slice(None)) -> Float:
        """Squared error of the network's outputs on each chip if all but one layer were exact, of shape (chips,).

        ``outputs`` of that layer are of shape (chips, samples, outputs), and ``exact`` what is right, of shape
        (samples, outputs). Where they are some of the outputs, ``which`` are those.
        """

    @abstractmethod
    def lost(self, layer: int, flat: Float, quantiser: Quantiser) -> float:
        """Error of the network's outputs, root mean square, for rounded inputs ``flat`` of a layer, (samples, rows)."""


class Following(Judge):
    """Of a chain: what follows a layer is computed on the same samples."""

    def outputs_after(self, layer: int, h: Float) -> Float:
        """Outputs of the float network for inputs ``h`` of a layer, of shape (..., inputs)."""
        for linear in self.network.layers[layer:]:
            h = linear.compute(h)
        return self._outputs(h)

    def squared(self, layer: int, outputs: Float, exact: Float, which: Which = slice(None)) -> Float:
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
        self.followed = network.activations(x[some_images(network, len(x), ROUNDED_IMAGES, FEWEST_ROUNDED)])

    def squared(self, layer: int, outputs: Float, exact: Float, which: Which = slice(None)) -> Float:
        """Squared errors of different outputs add up.

        The mean of an output's errors is the same at all positions, where the rest are taken to be independent.
        """
        lost, influence = outputs - exact, self.influence[layer]
        mean = (lost.mean(axis=1) ** 2) @ influence.common[which]
        return lost.var(axis=1) @ influence.single[which] + mean

    def lost(self, layer: int, flat: Float, quantiser: Quantiser) -> float:
        """With the inputs of the layer rounded at all positions of some images, in each of its calls."""
        network, exact = self.network, self.followed
        values: list[Float] = []
        for k, op in network.calls_of(layer):
            values = network.proceed(values or exact[: k + 1], k)
            codes = _rounded(network.steps[k].gather(values), op.patches, quantiser)
            rows = take_rows(codes, op.patches, quantiser.rounded(op.pad[None])[0])
            values.append(op.layer.compute(rows).transpose(0, 2, 1).reshape(len(rows), -1))
        compared = network.compared(network.proceed(values)[-1])
        lost = self._weighed(compared - network.compared(exact[-1]))
        return float(np.sqrt((lost**2).mean()))


def _rounded(values: Float, patches: Indices, quantiser: Quantiser) -> Float:
    """Values of shape (images, elements) as codes give them: all rows that take an element have one code of it."""
    used = patches != PAD
    row = np.zeros(values.shape[1], dtype=np.intp)
    row[patches[used]] = np.broadcast_to(np.arange(patches.shape[1]), patches.shape)[used]
    return quantiser.of(row).rounded(values)


def make_judge(network: FloatNetwork, x: Float) -> Judge:
    """The judge of a network, for inputs of shape (images, features)."""
    return (Following if network.is_chain else Gradients)(network, x)
