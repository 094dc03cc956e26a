"""All calls of a layer together: the inputs and outputs of which samples and ranges come.

A layer that is computed several times, as that of a recurrent network at each step, is searched once, before its first
call. What that takes is known on chips by then; what the others will take is known in floating point.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from mho.compiler.calibration.assembly.carried import Value
from mho.compiler.calibration.quantisers import Quantiser
from mho.compiler.model import FloatNetwork
from mho.compiler.model.stages import Linear
from mho.compiler.program import Call
from mho.compiler.types import Float, Lanes
from mho.macro_models.types import Flags, Integers

MOST_SAMPLES, FEW_SAMPLES = 512, 256
"""Positions of images on which a candidate is tried, and of a large layer: errors of many outputs tell more."""

RANGE_SAMPLES, RANGE_NUMBERS = 2048, 1 << 21
"""Positions of images from which ranges come: half of them those with the largest outputs; inputs at all of them."""

_Parts = Iterator[tuple[int, Linear, Flags | slice, Integers, Integers]]


def at_all_positions(calls: Sequence[Float], outputs: int) -> Float:
    """What calls make, each (images, outputs * positions), side by side: (images, outputs, positions)."""
    parts = [outputs_of_call.reshape(len(outputs_of_call), outputs, -1) for outputs_of_call in calls]
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=2)


@dataclass(frozen=True, kw_only=True)
class Calls:
    """The calls of layer number ``layer``, whose positions are those of all calls in their order.

    ``exact`` are the values of the network in floating point, ``taken`` is what the first call takes.
    """

    network: FloatNetwork
    layer: int
    exact: Sequence[Float]
    taken: Value

    @property
    def operations(self) -> list[Linear]:
        """The operation of each call."""
        return [op for _, op in self.network.calls_of(self.layer)]

    def of_the_input(self, entries: Collection[int]) -> bool:
        """Whether all take the network's input, and nothing else: a value whose number is in ``entries``."""
        inputs = [self.network.steps[k].inputs for k in self.network.calls[self.layer]]
        return all(len(values) == 1 and values[0] in entries for values in inputs)

    @property
    def positions(self) -> int:
        """Positions of all calls."""
        return self.network.positions[self.layer]

    @property
    def outputs(self) -> Float:
        """Outputs in floating point, of shape (images, outputs, positions)."""
        steps = self.network.calls[self.layer]
        return at_all_positions([self.exact[k + 1] for k in steps], self.network.layers[self.layer].outputs)

    def sample(self, image: Integers, position: Integers, chips: int | None = None) -> Float:
        """Inputs at samples on each chip, or the first ones, where they are known there: (chips, samples, inputs)."""
        parts = list(self._parts(image, position))
        if len(parts) == 1:
            return self.taken.sample(parts[0][1], image, position, chips)
        samples: Float | None = None
        for number, (k, op, here, images, positions) in enumerate(parts):
            mask = number == 0
            values = (
                self.taken.sample(op, images, positions, chips) if mask else self._exact(k, op, images, positions)
            )
            if samples is None:
                samples = np.empty((len(values), len(image), values.shape[-1]))
            samples[:, here] = values
        assert samples is not None
        return samples

    def inputs(self, image: Integers, position: Integers) -> Float:
        """Inputs at samples in floating point: (samples, inputs)."""
        inputs = np.empty((len(image), self.network.layers[self.layer].inputs))
        for k, op, here, images, positions in self._parts(image, position):
            inputs[here] = self._exact(k, op, images, positions)
        return inputs

    def _exact(self, k: int, op: Linear, image: Integers, position: Integers) -> Float:
        rows, values = op.patches[position], [self.exact[v] for v in self.network.steps[k].inputs]
        # What is taken of each value, and not all elements of so many images.
        padded, first = np.where(rows < 0, op.pad, 0.0), 0
        for value in values:
            sample, row = np.nonzero((rows >= first) & (rows < first + value.shape[1]))
            padded[sample, row] = value[image[sample], rows[sample, row] - first]
            first += value.shape[1]
        return padded

    def _parts(self, image: Integers, position: Integers) -> _Parts:
        """For each call its step and operation, which samples are its own, their images, and its positions of them."""
        first = 0
        for k, op in self.network.calls_of(self.layer):
            here = (position >= first) & (position < first + len(op.patches))
            yield k, op, here, image[here], position[here] - first
            first += len(op.patches)


def samples(images: int, positions: int, limit: int = MOST_SAMPLES) -> tuple[Integers, Integers]:
    """Images and positions of the samples, the same for every candidate."""
    if images * positions <= limit:
        image, position = np.divmod(np.arange(images * positions), positions)
        return image, position
    count = max(limit, images)
    rng = np.random.default_rng(0)
    return np.arange(count) * images // count, rng.integers(0, positions, count)


def range_samples(outputs: Float, inputs: int) -> tuple[Integers, Integers]:
    """Images and positions that ranges come from, for a layer's outputs of shape (images, outputs, positions)."""
    images, _, positions = outputs.shape
    half = min(RANGE_SAMPLES, RANGE_NUMBERS // inputs) // 2
    if images * positions <= 2 * half:
        chosen = np.arange(images * positions)
    else:
        size = np.abs(outputs).max(axis=1).reshape(-1)
        largest = np.argpartition(size, -half)[-half:]
        random = np.random.default_rng(1).choice(images * positions, half, replace=False)
        chosen = np.union1d(largest, random)
    image, position = np.divmod(chosen, positions)
    return image, position


def sampled(
    call: Call, codes: Lanes, image: Integers, position: Integers, quantiser: Quantiser, values: Float
) -> Lanes:
    """Codes of a layer's inputs at the samples on each chip; of other calls those of ``values``."""
    here = position < len(call.patches)
    patches = call.patches[position[here]]
    encoded = codes[:, image[here, None], np.maximum(patches, 0)]
    result = np.empty((len(codes), len(image), patches.shape[1]), dtype=np.int16)
    result[:, here] = np.where(patches < 0, call.pad, encoded)
    if not here.all():
        result[:, ~here] = np.stack([quantiser.codes(chip[~here]) for chip in values])
    return result
