"""What the host makes of the input before it is quantised, where lanes would not do.

A lane is within a part in ten thousand of its number, and a step function turns on less: an input that lies on the edge
of a bin falls on the wrong side of it, and logarithms of small numbers are worse. The host has the numbers themselves.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mho.compiler.calibration.assembly.assembly import Assembly, join
from mho.compiler.calibration.assembly.carried import ANCHORS, Handed, InLanes, Value, input_in_lanes
from mho.compiler.calibration.quantisers import Quantiser
from mho.compiler.model import FloatNetwork
from mho.compiler.model.before import Before, before_of, steps_before_layers
from mho.compiler.model.stages import Evaluated, Gather, Linear
from mho.compiler.program import InputStage
from mho.compiler.types import Float, Lanes
from mho.macro_models.integer.vector import PAD, Select
from mho.macro_models.types import Integral

FEWEST_IMAGES = 64
"""Inputs on which is seen whether lanes are faithful."""

MOST_UNFAITHFUL = 0.02
"""Error of what lanes of the input give, relative to its deviation, up to which a function is one of lanes."""
STILL = 1e-6
"""Variance of an element relative to the largest below which it does not count."""


def unfaithful(approximation: Float, exact: Float) -> bool:
    """Whether values made of lanes of the input, (images, elements), are far from those of its numbers.

    Each element is compared with its own deviation; those that hardly move with that of the others.
    """
    variance = exact.var(axis=0)
    variance = np.maximum(variance, STILL * variance.max(initial=0.0))
    lost = ((approximation - exact) ** 2).mean(axis=0)[variance > 0] / variance[variance > 0]
    return bool(lost.size) and float(lost.mean()) > MOST_UNFAITHFUL**2


def quantised(before: Before, network: FloatNetwork, x: Float) -> tuple[InputStage, list[slice]]:
    """Lanes of the values that ``before`` makes of inputs (images, features), and where each of them is."""
    parts, places, first = [], [], 0
    for number, value in zip(before.values, before.each(x), strict=True):
        parts.append(input_in_lanes(value, *_users(before, network, number)))
        places.append(slice(first, first + value.shape[1]))
        first += value.shape[1]
    stage = InputStage(
        offset=np.concatenate([p.offset for p in parts]), scale=np.concatenate([p.scale for p in parts]),
        low=parts[0].low, high=parts[0].high, before=before,
    )
    return stage, places


def _users(before: Before, network: FloatNetwork, value: int) -> tuple[Sequence[Linear], bool]:
    """Layers that take a value, and whether nothing else does and they take nothing else."""
    users = [s for k, s in enumerate(network.steps) if value in s.inputs and k not in before.numbers]
    layers = [s.operation for s in users if isinstance(s.operation, Linear) and len(s.inputs) == 1]
    return layers, len(layers) == len(users) > 0


def layers_behind(network: FloatNetwork) -> list[Linear] | None:
    """Layers that take the input, elements of which may be moved before, with patches that name its elements.

    None if anything else takes it.
    """
    origin: dict[int, Integral] = {0: np.arange(network.features)}
    layers: list[Linear] = []
    for k, step in enumerate(network.steps):
        if origin.keys().isdisjoint(step.inputs):
            continue
        op, sizes = step.operation, {v: network.steps[v - 1].operation.size for v in step.inputs if v}
        origins = np.concatenate([origin.get(v, np.full(sizes.get(v, 0), PAD)) for v in step.inputs])
        if isinstance(op, Linear):
            patches = np.where(op.patches == PAD, PAD, origins[op.patches]).astype(np.int32)
            layers.append(replace(op, patches=patches, window=None))
        elif isinstance(op, Gather) and k + 1 < len(network.steps):
            origin[k + 1] = np.where(op.index == PAD, PAD, origins[op.index])
        else:
            return None
    return layers if all((linear.patches != PAD).any() for linear in layers) else None


class Entry:
    """The values with which the program begins: the network's input, or what the host makes of it before.

    ``x`` are the calibration inputs, ``chips`` how many there are; with ``handed`` the first layer chooses the codes.

    Attributes
    ----------
    stage
        The host's quantisation; of codes that a layer chooses, once it has chosen them.
    before, values
        Numbers of the steps that the host does before, and of the values that are quantised.
    """

    stage: InputStage

    def __init__(self, assembly: Assembly, x: Float, chips: int, handed: bool) -> None:
        self.assembly, self.network, self.x, self.chips, self.handed = assembly, assembly.network, x, chips, handed
        self.before: tuple[int, ...] = ()
        self.values: tuple[int, ...] = (0,)

    def made(self) -> dict[int, Value]:
        """The network's input by number 0, or what the host makes of it before it is quantised."""
        net, values = self.network, {0: self._input()}
        numbers = steps_before_layers(net.steps)
        if not any(isinstance(net.steps[k].operation, Evaluated) for k in numbers) or self._faithful(numbers):
            return values
        before = before_of(net.steps, numbers)
        self.before, self.values = before.numbers, before.values
        self.stage, places = quantised(before, net, self.x)
        lanes = self.stage.compute(self.x)
        lanes = np.broadcast_to(lanes, (self.chips, *lanes.shape))
        if len(places) == 1:
            return {before.values[0]: self.assembly.in_lanes(0, lanes, self.stage.scale, self.stage.offset)}
        for number, at in zip(before.values, places, strict=True):
            index = np.arange(at.start, at.stop, dtype=np.int32)
            part = self.assembly.append(Select(index=index, fill=np.zeros(len(index), dtype=np.int16)), [0])
            scale, offset = self.stage.scale[at], self.stage.offset[at]
            values[number] = self.assembly.in_lanes(part, lanes[..., at], scale, offset)
        return values

    def _faithful(self, numbers: Sequence[int]) -> bool:
        """Whether steps before the layers give what they should, on the lanes of some inputs."""
        steps, assembly, entry = self.network.steps, self.assembly, self._input()
        assert isinstance(entry, InLanes)
        carried: dict[int, Value] = {0: replace(entry, lanes=entry.lanes[:1, :FEWEST_IMAGES])}
        right, stage_count = True, len(assembly.stages)
        for k in numbers:
            result = carried[k + 1] = assembly.step(k, join([carried[v] for v in steps[k].inputs]))
            if isinstance(steps[k].operation, Evaluated):
                exact = assembly.wanted[k + 1][:FEWEST_IMAGES]
                right = right and not unfaithful(result.lanes[0] * result.unit + result.zero, exact)
        del assembly.stages[stage_count:]
        return right

    def _input(self) -> Value:
        """The network's input."""
        net, x = self.network, self.x
        on_chips = np.broadcast_to(x, (self.chips, *x.shape))
        if self.handed:

            def close(quantiser: Quantiser) -> tuple[Lanes, float]:
                self.stage = quantiser.stage
                return np.stack([quantiser.codes(chip) for chip in on_chips]), self.stage.clipped(x) / x.size

            return Handed(number=0, values=on_chips, smallest=np.zeros(net.features), anchors=ANCHORS, close=close)
        users = [s.operation for s in net.steps if 0 in s.inputs]
        layers = [op for op in users if isinstance(op, Linear)]
        moved = None if len(layers) == len(users) else layers_behind(net)
        alone = len(layers) == len(users) or moved is not None
        self.stage = input_in_lanes(x, moved or layers, alone, moved is not None)
        lanes = np.broadcast_to(self.stage.compute(x), on_chips.shape)
        return self.assembly.in_lanes(0, lanes, self.stage.scale, self.stage.offset)
