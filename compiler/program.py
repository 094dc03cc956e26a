"""The program of a compiled network: what is done for each image, in which order, in integers.

A program is data. A value is a vector of 16-bit lanes for each image; what one unit of a lane stands for only the
compiler knows. The first value is the network's input, as the host quantises it; each stage makes one more, by a layer
at every position of an image (:class:`Call`) or by the vector unit (:mod:`macro_models.exact.vector`).
:meth:`Program.run` is the one interpreter: it knows no chip, and what carries out the matrix-vector products is passed
in, so that calibration, every backend and the references share it.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compiler.model.before import Before
from compiler.model.evaluated import Evaluated
from macro_models.bound import constant_input
from macro_models.exact.operation import MvmOperation
from macro_models.exact.vector import (
    LANE_MAX,
    Encode,
    Largest,
    Limit,
    Product,
    Root,
    Select,
    Table,
    WeightedSum,
    check_headroom,
    largest_code,
    scale_leaf,
    sum_leaves,
    take_rows,
)
from macro_models.exact.window import Window

__all__ = [
    "DITHER",
    "OP_ID_IMAGE_SHIFT",
    "Call",
    "Host",
    "InputStage",
    "Layer",
    "Mvm",
    "Operation",
    "OutputStage",
    "Program",
    "RunLayer",
    "RunMvm",
    "Stage",
    "Watch",
    "batch_size",
    "row_codes",
    "run_call",
]

DITHER = -1
"""Marks a row that takes a constant: 1 in each segment of an operation."""

OP_ID_IMAGE_SHIFT = 32
"""``op_id = image << 32 | operation``."""

POSITIONS = 16384
"""Positions of a batch of images that are in flight at once: what bounds the memory of a run."""

AT_ONCE = 1 << 14
"""Numbers of an input that are quantised at once, and stay in the cache of a processor."""

Lanes = NDArray[np.int16]


@dataclass(frozen=True, kw_only=True)
class InputStage:
    """The host's quantisation of an input: ``clip(rint((x - offset) / scale), low, high)``.

    ``offset`` and ``scale`` have shape (features,), in the units of the model. With ``before`` it is that of what those
    steps make of the input, (elements,).
    """

    offset: NDArray[np.float64]
    scale: NDArray[np.float64]
    low: int
    high: int
    before: Before | None = None

    def compute(self, x: NDArray[np.floating]) -> Lanes:
        """Codes of shape (batch, features) for finite ``x`` of shape (batch, ...)."""
        return self.compute_counted(x)[0]

    def compute_counted(self, x: NDArray[np.floating]) -> tuple[Lanes, int]:
        """The same, and how many numbers of ``x`` are beyond what codes reach."""
        codes, beyond = np.empty((len(x), len(self.scale)), dtype=np.int16), 0
        each = max(1, AT_ONCE // max(len(self.scale), 1))
        for first in range(0, len(x), each):
            scaled = self._scaled(x[first : first + each])
            beyond += int(np.count_nonzero((scaled < self.low - 0.5) | (scaled > self.high + 0.5)))
            np.rint(scaled, out=scaled)
            codes[first : first + each] = np.clip(scaled, self.low, self.high, out=scaled)
        return codes, beyond

    def clipped(self, x: NDArray[np.floating]) -> int:
        """How many numbers of ``x`` are beyond what codes reach."""
        return self.compute_counted(x)[1]

    def _scaled(self, x: NDArray[np.floating]) -> NDArray[np.float64]:
        x = np.asarray(x, dtype=np.float64).reshape(len(x), -1)
        return ((x if self.before is None else self.before.compute(x)) - self.offset) / self.scale

    def value(self, codes: NDArray[np.integer]) -> NDArray[np.float64]:
        """The numbers that codes stand for."""
        return codes * self.scale + self.offset


@dataclass(frozen=True, kw_only=True)
class OutputStage:
    """The host's dequantisation of the last value's lanes: ``lanes * scale``, ``scale`` of shape (elements,)."""

    scale: NDArray[np.float64]

    def compute(self, lanes: NDArray[np.integer]) -> NDArray[np.float64]:
        """Numbers in the units of the model, of shape (batch, elements)."""
        return lanes * self.scale


@dataclass(frozen=True, kw_only=True)
class Mvm:
    """One matrix-vector product of one core, and the leaf that takes its codes.

    Parameters
    ----------
    core
        Core of the program, from 0.
    operation
        Number of the (first) conversion in the static program, at position 0: the lower half of ``op_id``.
    op
        What the core is told.
    first
        First row of the layer that this product takes; it takes ``len(rows)`` in order.
    rows
        Physical row pairs.
    columns
        Physical source lines that are converted.
    outputs
        Output of the layer to which each column adds.
    multiplier
        Leaf multiplier of each column, 0..32767.
    """

    core: int
    operation: int
    op: MvmOperation
    first: int
    rows: NDArray[np.int32]
    columns: NDArray[np.int32]
    outputs: NDArray[np.int32]
    multiplier: NDArray[np.int32]

    def taken(self, spread: NDArray[np.int32]) -> NDArray[np.int32]:
        """Which input of the layer each of its rows takes, of those of all rows of the layer."""
        return spread[self.first : self.first + len(self.rows)]

    def vector(self, codes: NDArray[np.integer], inputs: int) -> Lanes:
        """Input codes of a core with ``inputs`` row pairs, of shape (batch, inputs), for those of the layer's rows."""
        x = np.zeros((len(codes), inputs), dtype=np.int16)
        x[:, self.rows] = codes[:, self.first : self.first + len(self.rows)]
        return x


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One linear layer: its products, the shift that their leaves share, and the root.

    ``spread`` says which input each row of the layer takes, of shape (rows,): an input may drive several rows, and a
    row with :data:`DITHER` takes a constant. The layer is computed at ``positions`` of an image, those of all of its
    calls; the conversions of position p follow those of position p - 1.
    """

    name: str
    inputs: int
    outputs: int
    spread: NDArray[np.int32]
    mvms: tuple[Mvm, ...]
    shift: int
    root: Root
    positions: int = 1

    @property
    def conversions(self) -> int:
        """Conversions at one position."""
        return sum(m.op.segments for m in self.mvms)

    def check(self) -> None:
        """Raises ValueError unless the widths of the vector unit suffice for all codes."""
        leaves = [(largest_code(m.op), m.multiplier, m.outputs) for m in self.mvms]
        check_headroom(leaves, self.shift, self.root.bias)


def row_codes(codes: NDArray[np.integer], spread: NDArray[np.int32], op: MvmOperation) -> Lanes:
    """Codes of a layer's rows, of shape (batch, rows); see :class:`Layer`."""
    return np.where(spread == DITHER, constant_input(op), codes[:, spread]).astype(np.int16)


@dataclass(frozen=True, kw_only=True)
class Call:
    """Layer number ``layer`` at every position of ``patches``; its lanes are in the order (outputs, positions).

    ``patches`` of shape (positions, inputs) says which element each input of the layer takes,
    :data:`~macro_models.exact.vector.PAD` for its code ``pad``. ``window`` is their geometry, None if they have none.
    A layer may be called several times, as that of a recurrent network is at each step: its positions are then those of
    all calls in their order, and ``first`` is the number of the first one of this call, so that each conversion of an
    image has a number of its own.

    A call with ``turns`` is that of a copy which is dealt images: of those with the number ``turn`` modulo ``turns`` it
    makes what the layer makes, and 0 of others.
    """

    layer: int
    patches: NDArray[np.int32]
    pad: NDArray[np.int16]
    window: Window | None = None
    first: int = 0
    turn: int = 0
    turns: int = 1

    @property
    def positions(self) -> slice:
        """Which of the layer's positions are those of this call."""
        return slice(self.first, self.first + len(self.patches))

    def own(self, images: NDArray[np.integer]) -> NDArray[np.intp]:
        """Places of the images that it computes, of those with such numbers."""
        return np.flatnonzero(images.astype(np.uint64) % np.uint64(self.turns) == self.turn)

    def of_own(
        self, run: Callable[[Lanes, NDArray[np.integer]], Lanes], codes: Lanes, images: NDArray[np.integer],
        outputs: int,
    ) -> Lanes:
        """What ``run`` makes of codes and numbers of images, (batch, outputs * positions); 0 of other copies' ones."""
        if self.turns == 1:
            return run(codes, images)
        own, made = self.own(images), np.zeros((len(codes), outputs * len(self.patches)), np.int16)
        if own.size:
            made[own] = run(codes[own], images[own])
        return made


@dataclass(frozen=True, kw_only=True)
class Host:
    """Work of the host on the way: from lanes to numbers, operators of ONNX on them, back to lanes.

    ``taken`` of shape (elements of all inputs,) and ``unit`` (elements,) are what one unit of each lane stands for. The
    numbers are double precision and each image is done by itself, so that the lanes are those of every backend.
    """

    step: Evaluated
    taken: NDArray[np.float64]
    unit: NDArray[np.float64]

    def compute(self, lanes: NDArray[np.integer]) -> Lanes:
        """Lanes of shape (batch, elements) from lanes of shape (batch, elements of all inputs)."""
        made = self.step.compute(lanes * self.taken)
        return np.clip(np.rint(made / self.unit), -LANE_MAX, LANE_MAX).astype(np.int16)


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


Notice = Callable[[int, int], None]
"""Is told how many of how many were clipped."""


def _made(op: Any, lanes: Lanes, notice: Notice | None) -> Lanes:
    """What an operation makes of lanes; ``notice`` is told what is clipped where it makes codes."""
    if notice is None or not isinstance(op, Encode):
        return op.compute(lanes)
    codes, clipped = op.compute_counted(lanes)
    notice(clipped, lanes.size)
    return codes


RunMvm = Callable[[Call, Mvm, Lanes, NDArray[np.uint64]], NDArray[np.integer]]
"""Carries out a product: (call of the layer, product, codes of all rows of the layer (batch, rows), op_id (batch,))
-> output codes of the product's columns (batch, columns)."""

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

    def run(self, lanes: Lanes, images: NDArray[np.integer], mvm: RunMvm, watch: Watch | None = None) -> Lanes:
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
            taken = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)
            op, taker = stage.operation, takers.get(k + 1)
            notice = None if watch is None or taker is None else partial(watch, taker)
            if isinstance(op, Call):
                values.append(run(op, taken, notice))
            else:
                values.append(_made(op, taken, notice))
            for value in stage.inputs:
                if last_use[value] == k:
                    values[value] = None
        result = values[-1]
        assert result is not None
        return result

    @property
    def takers(self) -> dict[int, int]:
        """Layers by the number of the value that they take, or that is dealt to their copies."""
        found = {s.inputs[0]: s.operation.layer for s in self.stages if isinstance(s.operation, Call)}
        dealt = {s.inputs[0] for s in self.stages if isinstance(s.operation, Call) and s.operation.turns > 1}
        return found | {self.stages[v - 1].inputs[0]: found[v] for v in dealt if v}

    @property
    def calls(self) -> tuple[Call, ...]:
        """The calls of all layers, in order."""
        return tuple(s.operation for s in self.stages if isinstance(s.operation, Call))

    @property
    def most_positions(self) -> int:
        """Most positions at which a layer is computed at once."""
        return max((len(call.patches) for call in self.calls), default=1)

    def check(self) -> None:
        """Raises ValueError unless the widths of the vector unit suffice and windows are those of their patches.

        Each position of a layer must be that of one call.
        """
        for layer in self.layers:
            layer.check()
        taken = [0] * len(self.layers)
        for call in self.calls:
            if call.first != taken[call.layer]:
                raise ValueError(f"a call of layer {call.layer} begins at {call.first}, not {taken[call.layer]}")
            taken[call.layer] += len(call.patches)
        for number, layer in enumerate(self.layers):
            if taken[number] != layer.positions:
                raise ValueError(f"layer {number} has {layer.positions} positions, its calls {taken[number]}")
        for stage in self.stages:
            op = stage.operation
            if isinstance(op, WeightedSum):
                op.check()
            if isinstance(op, Call) and op.window is not None and not op.window.gives(op.patches):
                raise ValueError(f"the window of layer {op.layer} is not that of its patches")


def batch_size(program: Program, most: int) -> int:
    """Images that may be in flight at once, at most ``most``."""
    return max(1, min(most, POSITIONS // program.most_positions))


def run_call(
    call: Call, layer: Layer, codes: Lanes, images: NDArray[np.integer], run: RunMvm,
    notice: Callable[[int, int], None] | None = None,
) -> Lanes:
    """A layer at the positions of a call: shape (batch, outputs * positions) from codes of shape (batch, elements).

    Where the layer makes codes, ``notice`` is told how many of how many were larger than what they reach.
    """
    return call.of_own(
        lambda some, numbers: _run_all(call, layer, some, numbers, run, notice), codes, images, layer.outputs)


def _run_all(
    call: Call, layer: Layer, codes: Lanes, images: NDArray[np.integer], run: RunMvm,
    notice: Callable[[int, int], None] | None,
) -> Lanes:
    """The same of all images."""
    batch, positions = len(codes), len(call.patches)
    rows = take_rows(codes, call.patches, call.pad).reshape(batch * positions, -1)
    rows = row_codes(rows, layer.spread, layer.mvms[0].op)
    start = np.repeat(images.astype(np.uint64) << np.uint64(OP_ID_IMAGE_SHIFT), positions)
    numbers = np.arange(call.first, call.first + positions, dtype=np.uint64)
    start += np.tile(numbers * np.uint64(layer.conversions), batch)
    leaves = []
    for mvm in layer.mvms:
        raw = run(call, mvm, rows, start + np.uint64(mvm.operation))
        leaves.append((scale_leaf(raw, mvm.multiplier, layer.shift), mvm.outputs))
    total = sum_leaves(leaves, layer.outputs)
    result, clipped = layer.root.compute_counted(total)
    if notice is not None and layer.root.requantise is not None:
        notice(clipped, total.size)
    return result.reshape(batch, positions, -1).transpose(0, 2, 1).reshape(batch, -1)
