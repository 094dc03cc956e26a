"""Mixed precision: products on the array, sums of gradients at the host, a blind pulse where a sum reaches a step.

The method is that of S. R. Nandakumar et al., "Mixed-precision deep learning based on computational memory", Frontiers
in Neuroscience 14 (2020) 406.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import softmax

from mho.api.chip import Chip
from mho.api.device import Device
from mho.hw.config import check_device
from mho.macro_models.errors import InputError, argument
from mho.macro_models.integer.operation import Direction
from mho.macro_models.types import Integers, Reals
from mho.runs.backends import BackendOptions, Functional
from mho.sim.programming.write_verify import check_pulses
from mho.train.layer import CellLayer, Counts

ACTIVE = 4.0
"""Activations are clipped to 0 and this."""


@dataclass(frozen=True, kw_only=True)
class Epoch:
    """What a round through the images gave."""

    loss: float
    """Mean cross entropy, in nats."""
    pulses_per_image: float
    """Blind pulses of all cores."""
    cycles_per_image: float
    """Clock cycles of the engines for them."""
    sets: int
    """Operations whose converter step was set anew."""


class Perceptron:
    """A perceptron in the cells of a chip, a core for each layer, which learns there.

    Parameters
    ----------
    chip
        Of cores whose products go both ways and whose engine gives blind pulses (``programming.pulses``).
    sizes
        Inputs, hidden layers and classes. A layer and its bias must fit a core.
    device
        Of the cells: with ``[update]``, or else its ``[pulse]``.
    backend
        What carries out products and pulses: ``mho.Functional()`` or ``mho.Cosim()``, with the same bits.
    bits
        Of all codes, 2..8.
    rate
        Of gradient descent.
    reach
        Largest weight.
    seed
        Of the chip, of the weights at first and of the order of the images.

    Raises
    ------
    InputError
        If the chip cannot, or an argument is out of range.
    """

    def __init__(
        self, chip: Chip, sizes: Sequence[int], device: Device, backend: BackendOptions | None = None, *, bits: int = 8,
        rate: float = 0.1, reach: float = 2.0, seed: int = 0,
    ) -> None:
        description, model = chip.description, device.model
        if not description.operation_type.both_ways():
            raise InputError(f"learning takes cores whose products go both ways, not core.kind {description.core.kind}")
        check_pulses(description)
        check_device(description, model)
        for name, value, low, high in (("bits", bits, 2, 8), ("rate", rate, 1e-6, 100.0), ("reach", reach, 1e-3, 1e3)):
            if not low <= value <= high:
                raise InputError(f"{argument(name)} must be {low:g} to {high:g}, not {value:g}")
        cells = description.macro_config().cell_map
        fits = all(inputs < cells.rows and outputs <= cells.columns for inputs, outputs in pairwise(sizes))
        if not fits or not 2 <= len(sizes) <= description.cores + 1:
            raise InputError(
                f"{chip.name}: layers must be at most {description.cores}, of {cells.rows - 1} inputs and "
                f"{cells.columns} outputs, not {' - '.join(map(str, sizes))}"
            )
        self._backend: Any = (backend or Functional()).open()
        if not hasattr(self._backend, "pulse"):
            raise InputError(f"{argument('backend')} must be functional or cosim to learn, not {self._backend.name}")
        self._chip, self.rate, self._rng = description, rate, np.random.default_rng(seed)
        self.layers = [
            CellLayer(description, model, seed, core, initial_weights(*shape, self._rng), reach=reach, bits=bits)
            for core, shape in enumerate(pairwise(sizes))
        ]
        self._open()

    def _open(self) -> None:
        self._backend.open(self._chip, [layer.model() for layer in self.layers])

    def close(self) -> None:
        """Close the backend."""
        self._backend.close()

    def outputs(self, x: ArrayLike) -> Reals:
        """Logits of inputs 0..1, of shape (images, inputs): (images, classes)."""
        return self._forward(self._checked(x))[1]

    def _checked(self, x: ArrayLike) -> Reals:
        images, inputs = np.asarray(x, dtype=np.float64), self.layers[0].shape[0] - 1
        if images.ndim != 2 or images.shape[1] != inputs or not ((images >= 0.0) & (images <= 1.0)).all():
            raise InputError(f"{argument('x')} must be 0 to 1 of shape (images, {inputs}), not of {images.shape}")
        return images

    def fit(self, x: ArrayLike, y: ArrayLike, *, batch: int = 1) -> Epoch:
        """Learn from all images once, in a new order; cells are pulsed behind every ``batch`` of them.

        ``x`` are inputs 0..1, of shape (images, inputs), ``y`` their classes. Raises InputError if they are not.
        """
        images, classes, most = self._checked(x), np.asarray(y), self.layers[-1].shape[1]
        if classes.shape != (len(images),) or not np.isin(classes, np.arange(most)).all():
            raise InputError(f"{argument('y')} must be classes 0 to {most - 1} of shape ({len(images)},)")
        before = self.counts
        losses = [
            self._learn(images[chosen], classes[chosen])
            for chosen in np.array_split(self._rng.permutation(len(images)), -(-len(images) // batch))
        ]
        after = self.counts
        return Epoch(
            loss=float(np.mean(losses)), pulses_per_image=(after.pulses - before.pulses) / len(images),
            cycles_per_image=(after.cycles - before.cycles) / len(images), sets=after.sets - before.sets,
        )

    @property
    def counts(self) -> Counts:
        """Of all layers since the beginning."""
        parts = [layer.counts for layer in self.layers]
        return Counts(**{name: sum(getattr(part, name) for part in parts) for name in ("pulses", "cycles", "sets")})

    def _forward(self, x: Reals) -> tuple[list[Integers], Reals]:
        """Input codes of each layer, with that of the bias, and logits."""
        taken, values, scale = list[Integers](), x, 1.0
        for number, layer in enumerate(self.layers):
            top = layer.top(Direction.FORWARD)
            if number:
                values, scale = np.clip(values, 0.0, ACTIVE), ACTIVE
            codes = np.rint(np.clip(values, 0.0, scale) * (top / scale)).astype(np.int64)
            # The bias is the weight of an input of 1.
            codes = np.column_stack([codes, np.full(len(codes), round(top / scale))])
            taken.append(codes)
            values = layer.forward(self._backend, codes) * (scale / top)
        return taken, values

    def _learn(self, x: Reals, y: NDArray[Any]) -> float:
        taken, logits = self._forward(x)
        odds = softmax(logits, axis=1)
        rows = np.arange(len(y))
        loss = -np.log(np.maximum(odds[rows, y], 1e-12)).mean()
        error = odds
        error[rows, y] -= 1.0
        changes = list[Reals]()
        for number in range(len(self.layers) - 1, -1, -1):
            layer, codes = self.layers[number], taken[number]
            scale = (ACTIVE if number else 1.0) / layer.top(Direction.FORWARD)
            changes.append((codes.T @ error) * (-self.rate / len(y) * scale))
            if number:
                # Each image takes all of its range.
                top, largest = layer.top(Direction.BACKWARD), np.maximum(np.abs(error).max(axis=1, keepdims=True), 1e-9)
                back = layer.backward(self._backend, np.rint(error * (top / largest)).astype(np.int64))
                hidden = codes[:, :-1]
                moves = (hidden > 0) & (hidden < layer.top(Direction.FORWARD))
                error = np.where(moves, back[:, :-1] * (largest / top), 0.0).astype(np.float64)
        for layer, change in zip(self.layers, reversed(changes), strict=True):
            before = layer.counts.pulses
            layer.learn(self._backend, change)
            if layer.counts.pulses != before:
                self._put(layer)
        return float(loss)

    def _put(self, layer: CellLayer) -> None:
        self._backend.put_core(layer.core, layer.model())


def initial_weights(inputs: int, outputs: int, rng: np.random.Generator) -> Reals:
    """He's, and biases of 0, of shape (inputs + 1, outputs)."""
    return np.vstack([rng.normal(0.0, np.sqrt(2.0 / inputs) / 2.0, (inputs, outputs)), np.zeros((1, outputs))])

