"""The program while it is built: its stages and layers so far, and the steps that the vector unit or the host does.

Steps of recurrent cells that do the same are calibrated together. A recurrent cell is written out: its layers are
called again and again, and between two calls are the steps of a cell. Where those are the same operators in the same
order, each has the units of all: then tiles do the same at every step, and their program is a loop.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from mho.compiler.calibration.assembly.carried import InLanes, Value
from mho.compiler.calibration.assembly.elementwise import Part, lower_elementwise, on_each
from mho.compiler.calibration.assembly.stage_lowering import (
    centre,
    equalise,
    lower_evaluated,
    lower_step,
    lower_uniform,
)
from mho.compiler.model import FloatNetwork
from mho.compiler.model.stages import Combine, Evaluated, Linear, Map, Maximum, Step
from mho.compiler.program import Layer, Operation, Stage
from mho.compiler.types import Float, Lanes

ROWS = 8192
"""Numbers of an element of which ranges come, of all steps together."""


class Alike:
    """The steps of a network that are alike.

    Parameters
    ----------
    wanted
        The values of the network in floating point; those of steps before the first of some alike may be gone.
    """

    def __init__(self, network: FloatNetwork, activations: Sequence[Float]) -> None:
        self._steps, self._wanted = network.steps, activations
        self._of: dict[int, tuple[int, ...]] = {}
        self._seen: dict[int, tuple[list[Float], Float]] = {}
        for calls in network.calls:
            blocks: dict[tuple[object, ...], list[int]] = {}
            for first, end in pairwise(calls):
                blocks.setdefault(tuple(map(_kind, self._steps[first:end])), []).append(first)
            for kinds, firsts in blocks.items():
                for at in range(len(kinds)):
                    self._of |= dict.fromkeys([first + at for first in firsts], tuple(first + at for first in firsts))

    def of(self, k: int) -> tuple[int, ...]:
        """Steps like step ``k``, itself among them."""
        return self._of.get(k, (k,))

    def seen(self, k: int) -> tuple[list[Float], Float]:
        """What steps like step ``k`` take and make, in floating point: of each input and of the result (rows, ..)."""
        steps = self.of(k)
        if len(steps) == 1:
            return [self._wanted[v] for v in self._steps[k].inputs], self._wanted[k + 1]
        if steps[0] not in self._seen:
            inputs = [self._together([self._steps[j].inputs[n] for j in steps])
                      for n in range(len(self._steps[k].inputs))]
            self._seen[steps[0]] = inputs, self._together([j + 1 for j in steps])
        values = self._seen[steps[0]]
        if k == steps[-1]:
            del self._seen[steps[0]]
        return values

    def _together(self, values: Sequence[int]) -> Float:
        every = -(-len(values) * len(self._wanted[values[0]]) // ROWS)
        return np.concatenate([self._wanted[v][::every] for v in values])


def _kind(step: Step) -> tuple[object, ...]:
    """What a step does, but for the values that it takes."""
    op = step.operation
    if isinstance(op, Linear):
        return (Linear, id(op.layer), len(op.patches))
    if isinstance(op, Evaluated):
        return (Evaluated, op.operators, op.dims, op.size, len(step.inputs))
    if isinstance(op, Combine):
        return (Combine, op.index.tobytes(), op.coefficient.tobytes(), op.offset.tobytes())
    if isinstance(op, Map):
        return (Map, op.function, op.size)
    return (type(op), op.size if hasattr(op, "size") else 0)


class Assembly:
    """A program while it is built, of a network whose values in floating point are ``wanted``.

    With ``products`` steps of products and sums of computed values are stages of the vector unit, not of the host, and
    steps of recurrent cells that are alike have the same units: tiles then do the same at each of them.
    """

    def __init__(self, network: FloatNetwork, activations: Sequence[Float], products: bool = False) -> None:
        self.network, self.wanted, self.products = network, activations, products
        self.uniform = products and network.calls_again
        """Whether all elements of a value have one unit, and steps that are alike the same ones."""
        self.alike = Alike(network, activations) if self.uniform else None
        self.stages: list[Stage] = []
        self.layers: list[Layer] = []

    @property
    def conversions(self) -> int:
        """Conversions of all layers so far: the number of the next one."""
        return sum(layer.conversions * layer.positions for layer in self.layers)

    def append(self, operation: Operation, inputs: Sequence[int]) -> int:
        """Another stage; the number of what it makes."""
        self.stages.append(Stage(operation=operation, inputs=tuple(inputs)))
        return len(self.stages)

    def in_lanes(self, number: int, lanes: Lanes, unit: Float, zero: Float | None = None) -> InLanes:
        """The value of that number, whose lanes on each chip are known."""
        zero = np.zeros(len(unit)) if zero is None else zero
        return InLanes(numbers=(number,), lanes=lanes, unit=unit, zero=zero, append=self.append)

    def done(self, operation: Operation, value: InLanes, unit: Float, zero: Float | None = None) -> InLanes:
        """What an operation of the vector unit or the host makes of a value, as another stage."""
        return self.in_lanes(self.append(operation, value.numbers), on_each(operation, value.lanes), unit, zero)

    def step(self, k: int, value: Value) -> InLanes:
        """Step ``k``, which is no layer."""
        op = self.network.steps[k].operation
        assert isinstance(value, InLanes)
        assert not isinstance(op, Linear)
        if isinstance(op, Maximum) and (rescaled := equalise(op, value.unit)) is not None:
            value = self.done(rescaled[0], value, rescaled[1], value.zero)
        if isinstance(op, Evaluated):
            return self._evaluated(k, op, value)
        reached = np.abs(self._seen(k)[1]).max(axis=0)
        if isinstance(op, Combine) and self.uniform:
            stage, unit = lower_uniform(op, value.unit, float(reached.max()))
        else:
            stage, unit = lower_step(op, value.unit, reached)
        return self.done(stage, value, unit)

    def _seen(self, k: int) -> tuple[list[Float], Float]:
        """What a step takes and makes in floating point, those together that are alike."""
        if self.alike is not None:
            return self.alike.seen(k)
        return [self.wanted[v] for v in self.network.steps[k].inputs], self.wanted[k + 1]

    def _evaluated(self, k: int, op: Evaluated, value: InLanes) -> InLanes:
        """A step by a table, or at the host."""
        inputs, result = self._seen(k)
        if self.products and not op.pointwise and (written := self._elementwise(k, op, value, inputs)) is not None:
            return written
        activations, middle = inputs[0] if len(inputs) == 1 else np.concatenate(inputs, axis=1), 0.0
        if op.pointwise and (moved := centre(value.unit, activations)) is not None:
            stage, middle = moved
            value = self.done(stage, value, value.unit)
        lowered, unit = lower_evaluated(op, value.unit, activations, result, middle)
        return self.done(lowered, value, unit)

    def _elementwise(self, k: int, op: Evaluated, value: InLanes, activations: Sequence[Float]) -> InLanes | None:
        """A step of products and the like, written out as stages; None if it has no such form."""
        inputs, dims = self.network.steps[k].inputs, op.dims
        sizes = [self.wanted[v].shape[1] for v in inputs]
        if value.zero.any() or len(value.numbers) != len(inputs) or sizes != [int(np.prod(d, dtype=int)) for d in dims]:
            return None
        ends, parts, stage_count = np.cumsum([0, *sizes]), list[Part](), len(self.stages)
        for n in range(len(inputs)):
            at = slice(ends[n], ends[n + 1])
            same = next((part for part in parts if part.number == value.numbers[n]), None)
            parts.append(same or Part(
                number=value.numbers[n], dims=dims[n], lanes=value.lanes[..., at], unit=value.unit[at],
                seen=activations[n],
            ))
        lowered = lower_elementwise(op, parts, self.append)
        if lowered is None:
            del self.stages[stage_count:]
            return None
        return self.in_lanes(lowered.number, lowered.lanes, lowered.unit)


def join(parts: Sequence[Value]) -> Value:
    """Values side by side."""
    return parts[0] if len(parts) == 1 else beside([part for part in parts if isinstance(part, InLanes)])


def beside(lanes: Sequence[InLanes]) -> InLanes:
    """Values in lanes side by side."""
    joined = {
        name: np.concatenate([getattr(part, name) for part in lanes], axis=-1) for name in ("lanes", "unit", "zero")
    }
    return replace(lanes[0], numbers=tuple(n for part in lanes for n in part.numbers), **joined)
