"""The program of a network as a whole: its stages, and its interpreter."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.compiler.model.before import Before
from mho.compiler.model.evaluated import Evaluated
from mho.compiler.program.layer import Call, Layer, RunMvm, run_call
from mho.compiler.types import Float, Lanes
from mho.macro_models.integer.vector import LANE_MAX, Encode, Largest, Limit, Product, Select, Table, WeightedSum
from mho.macro_models.types import Integral

AT_ONCE = 1 << 14
"""Numbers of an input that are quantised at once, and stay in the cache of a processor."""


@dataclass(frozen=True, kw_only=True)
class InputStage:
    """The host's quantisation of an input: ``clip(rint((x - offset) / scale), low, high)``.

    ``offset`` and ``scale`` have shape (features,), in the units of the model. With ``before`` it is that of what those
    steps make of the input, (elements,).
    """

    offset: Float
    scale: Float
    low: int
    high: int
    before: Before | None = None

    def compute(self, x: NDArray[np.floating]) -> Lanes:
        """Codes of shape (batch, features) for finite ``x`` of shape (batch, ...)."""
        return self.compute_counted(x)[0]

    def compute_counted(self, x: NDArray[np.floating]) -> tuple[Lanes, int]:
        """The same, and how many numbers of ``x`` are beyond what codes reach."""
        codes, beyond = np.empty((len(x), len(self.scale)), dtype=np.int16), 0
        batch = max(1, AT_ONCE // max(len(self.scale), 1))
        for first in range(0, len(x), batch):
            scaled = self._scaled(x[first : first + batch])
            beyond += int(np.count_nonzero((scaled < self.low - 0.5) | (scaled > self.high + 0.5)))
            np.rint(scaled, out=scaled)
            codes[first : first + batch] = np.clip(scaled, self.low, self.high, out=scaled)
        return codes, beyond

    def clipped(self, x: NDArray[np.floating]) -> int:
        """How many numbers of ``x`` are beyond what codes reach."""
        return self.compute_counted(x)[1]

    def _scaled(self, x: NDArray[np.floating]) -> Float:
        x = np.asarray(x, dtype=np.float64).reshape(len(x), -1)
        return ((x if self.before is None else self.before.compute(x)) - self.offset) / self.scale

    def value(self, codes: Integral) -> Float:
        """The numbers that codes stand for."""
        return codes * self.scale + self.offset


@dataclass(frozen=True, kw_only=True)
class OutputStage:
    """The host's dequantisation of the last value's lanes: ``lanes * scale``, ``scale`` of shape (elements,)."""

    scale: Float

    def compute(self, lanes: Integral) -> Float:
        """Numbers in the units of the model, of shape (batch, elements)."""
        return lanes * self.scale


@dataclass(frozen=True, kw_only=True)
class Host:
    """Work of the host on the way: from lanes to numbers, operators of ONNX on them, back to lanes.

    ``taken`` of shape (elements of all inputs,) and ``unit`` (elements,) are what one unit of each lane stands for. The
    numbers are double precision and each image is done by itself, so that the lanes are those of every backend.
    """

    step: Evaluated
    taken: Float
    unit: Float

    def compute(self, lanes: Integral) -> Lanes:
        """Lanes of shape (batch, elements) from lanes of shape (batch, elements of all inputs)."""
        results = self.step.compute(lanes * self.taken)
        return np.clip(np.rint(results / self.unit), -LANE_MAX, LANE_MAX).astype(np.int16)


Operation = Call | Encode | Select | Largest | WeightedSum | Product | Limit | Table | Host


@dataclass(frozen=True, kw_only=True)
class Stage:
    """An operation and the numbers of the values that it takes: 0 is the network's input, k what stage k - 1 made."""

    operation: Operation
    inputs: tuple[int, ...]

    @property
    def name(self) -> str:
        """What it does: operators of ONNX of the host, else the kind of its operation."""
        op = self.operation
        return " ".join(op.step.operators) if isinstance(op, Host) else type(op).__name__.lower()


POSITIONS = 16384
ELEMENTS = 1 << 27
"""Positions, and elements of all values, of a batch of images that are in flight at once: what bounds the memory of a
run."""


Notice = Callable[[int, int], None]
"""Is told how many of how many were clipped."""

Watch = Callable[[int, int, int], None]
"""Is told (layer, how many of its inputs were clipped, how many there were)."""

RunLayer = Callable[[Call, Lanes, Callable[[int, int], None] | None], Lanes]
"""Carries out a layer: (call, codes of its value (batch, elements), who is told what is clipped) -> its lanes."""


@dataclass(frozen=True, kw_only=True)
class Program:
    """A program: the host's quantisation, the stages and their layers, the host's dequantisation."""

    input: InputStage
    stages: tuple[Stage, ...]
    layers: tuple[Layer, ...]
    output: OutputStage

    @property
    def conversions(self) -> int:
        """Conversions of all cores for one image, of which one of several that are dealt images computes each."""
        return sum(self.layers[call.layer].conversions * len(call.patches) for call in self.calls if not call.turn)

    @property
    def period(self) -> int:
        """Images after which each layer that is dealt images has the next one in its turn."""
        return math.lcm(*(call.turns for call in self.calls))

    def run(self, lanes: Lanes, images: Integral, mvm: RunMvm, watch: Watch | None = None) -> Lanes:
        """Lanes of the last value, (batch, elements), for those of the input.

        ``images`` are the numbers of the images, of shape (batch,); ``mvm`` carries out the products; ``watch`` is told
        how many inputs of a layer were beyond what its codes reach: not of a layer that takes the network's input.
        """
        return self.run_layers(lanes, lambda call, codes, notice: run_call(
            call, self.layers[call.layer], codes, images, mvm, notice), watch)

    def run_layers(self, lanes: Lanes, run: RunLayer, watch: Watch | None = None) -> Lanes:
        """:meth:`run`, with what carries out a layer at all of its positions."""
        values: list[Lanes | None] = [lanes]
        last_use, takers = {value: k for k, stage in enumerate(self.stages) for value in stage.inputs}, self.takers
        for k, stage in enumerate(self.stages):
            parts = [part for value in stage.inputs if (part := values[value]) is not None]
            operand = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)
            op, taker = stage.operation, takers.get(k + 1)
            notice = None if watch is None or taker is None else partial(watch, taker)
            if isinstance(op, Call):
                values.append(run(op, operand, notice))
            else:
                values.append(_made(op, operand, notice))
            for value in stage.inputs:
                if last_use[value] == k:
                    values[value] = None
        result = values[-1]
        assert result is not None
        return result

    @property
    def takers(self) -> dict[int, int]:
        """Layers by the number of the value that they take, or that is dealt to their copies."""
        takers = {s.inputs[0]: s.operation.layer for s in self.stages if isinstance(s.operation, Call)}
        dealt = {s.inputs[0] for s in self.stages if isinstance(s.operation, Call) and s.operation.turns > 1}
        return takers | {self.stages[v - 1].inputs[0]: takers[v] for v in dealt if v}

    @property
    def calls(self) -> tuple[Call, ...]:
        """The calls of all layers, in order."""
        return tuple(s.operation for s in self.stages if isinstance(s.operation, Call))

    @property
    def most_positions(self) -> int:
        """Most positions at which a layer is computed at once."""
        return max((len(call.patches) for call in self.calls), default=1)

    @cached_property
    def elements(self) -> int:
        """Elements of all values together."""
        sizes = [len(self.input.scale)]
        for stage in self.stages:
            op = stage.operation
            if isinstance(op, Call):
                sizes.append(self.layers[op.layer].outputs * len(op.patches))
            elif isinstance(op, Host):
                sizes.append(op.step.size)
            elif isinstance(op, (Select, Largest, WeightedSum)):
                sizes.append(len(op.index))
            else:
                sizes.append(len(op.left) if isinstance(op, Product) else sum(sizes[v] for v in stage.inputs))
        return sum(sizes)

    def check(self) -> None:
        """Raises ValueError unless the widths of the vector unit suffice and windows are those of their patches.

        Each position of a layer must be that of one call.
        """
        for layer in self.layers:
            layer.check()
        positions = [0] * len(self.layers)
        for call in self.calls:
            if call.first != positions[call.layer]:
                raise ValueError(f"a call of layer {call.layer} begins at {call.first}, not {positions[call.layer]}")
            positions[call.layer] += len(call.patches)
        for number, layer in enumerate(self.layers):
            if positions[number] != layer.positions:
                raise ValueError(f"layer {number} has {layer.positions} positions, its calls {positions[number]}")
        for stage in self.stages:
            op = stage.operation
            if isinstance(op, WeightedSum):
                op.check()
            if isinstance(op, Call) and op.window is not None and not op.window.gives(op.patches):
                raise ValueError(f"the window of layer {op.layer} is not that of its patches")


def batch_size(program: Program, limit: int) -> int:
    """Images that may be in flight at once, at most ``limit``."""
    return max(1, min(limit, POSITIONS // program.most_positions, ELEMENTS // program.elements))


def _made(op: Any, lanes: Lanes, notice: Notice | None) -> Lanes:
    """What an operation makes of lanes; ``notice`` is told what is clipped where it makes codes."""
    if notice is None or not isinstance(op, Encode):
        return op.compute(lanes)
    codes, clipped = op.compute_counted(lanes)
    notice(clipped, lanes.size)
    return codes
