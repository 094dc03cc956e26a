"""LSTM, GRU and RNN written out: the same layers at each step, gates as functions, products of computed values.

The weights of the input are one layer for all gates, at as many positions as there are steps, since all inputs are
known at once. Those of the state are another one, called at each step but the first, whose state is mostly zero.
``docs/design/recurrent.md`` says why they are two.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from onnx import TensorProto

from mho.compiler.importer.graph import Graph, Op
from mho.compiler.types import Array

GATES = {"RNN": 1, "LSTM": 4, "GRU": 3}
FUNCTIONS = {
    b"Relu": "Relu", b"Tanh": "Tanh", b"Sigmoid": "Sigmoid", b"LeakyRelu": "LeakyRelu", b"Elu": "Elu",
    b"HardSigmoid": "HardSigmoid", b"Softsign": "Softsign", b"Softplus": "Softplus",
    b"ThresholdedRelu": "ThresholdedRelu",
}
MOST_STEPS = 1024


class _Writer:
    """Writes the nodes of one direction of a recurrent layer."""

    def __init__(self, op: Op, graph: Graph, direction: int) -> None:
        self.op, self.graph, self.direction = op, graph, direction
        self.at, self.ops, self.count = f"{op.outputs[0] or op.name}/{direction}", [], 0
        self.hidden = int(self.weights(2).shape[-1])
        self.gates = GATES[op.kind]
        names = op.attrs.get("activations", [])
        per = {"RNN": 1, "LSTM": 3, "GRU": 2}[op.kind]
        names_of = [str(FUNCTIONS.get(n) or n.decode()) for n in names[per * direction : per * (direction + 1)]]
        self.functions = names_of or {"RNN": ["Tanh"], "LSTM": ["Sigmoid", "Tanh", "Tanh"], "GRU": ["Sigmoid", "Tanh"]}[
            op.kind
        ]
        self.alpha, self.beta = (list(op.attrs.get(f"activation_{n}", [])) for n in ("alpha", "beta"))

    def input(self, k: int) -> str:
        return self.op.inputs[k] if len(self.op.inputs) > k else ""

    def weights(self, k: int) -> Array:
        name = self.input(k)
        if name not in self.graph.constants:
            raise ValueError("its weights are computed; constants are supported")
        return self.graph.constants[name][self.direction]

    def constant(self, value: Any) -> str:
        name = f"{self.at}/c{self.count}"
        self.count += 1
        self.graph.constants[name] = np.asarray(value)
        return name

    def add(self, kind: str, *inputs: str, name: str = "", **attrs: Any) -> str:
        output = f"{self.at}/{kind}{self.count}"
        self.count += 1
        self.ops.append(Op.make(kind, inputs, [output], name, **attrs))
        return output

    def function(self, k: int, x: str) -> str:
        kind = self.functions[k]
        attrs: dict[str, Any] = {}
        if kind in ("LeakyRelu", "Elu", "ThresholdedRelu", "HardSigmoid") and self.alpha:
            attrs["alpha"] = float(self.alpha[min(k, len(self.alpha) - 1)])
        if kind == "HardSigmoid" and self.beta:
            attrs["beta"] = float(self.beta[min(k, len(self.beta) - 1)])
        if kind not in FUNCTIONS.values():
            raise ValueError(f"its activation {kind} is not supported; {', '.join(FUNCTIONS.values())} are")
        clip = self.op.attrs.get("clip")
        if clip:
            limits = [self.constant(np.float32(-clip)), self.constant(np.float32(clip))]
            new = self.graph.opset >= 11
            x = self.add("Clip", x, *limits) if new else self.add("Clip", x, min=-clip, max=clip)
        return self.add(kind, x, **attrs)

    def columns(self, x: str, first: int, count: int = 1) -> str:
        """The values of a gate, or of several."""
        indices = np.arange(first * self.hidden, (first + count) * self.hidden)
        return self.add("Gather", x, self.constant(indices), axis=1)

    def state_layer(self, weight: Array, bias: Array, h: str, label: str = "state") -> str:
        """``weight @ h + bias`` for a state; ``""`` where that is zero, a constant where the state is one."""
        if h and h not in self.graph.constants:
            w, b = self.constant(np.ascontiguousarray(weight.T)), self.constant(bias)
            return self.add("Gemm", h, w, b, name=f"{self.op.name}.{self.direction}.{label}")
        state = self.graph.constants[h] @ weight.T + bias if h else bias[None]
        return self.constant(state) if state.any() else ""

    def sum(self, x: str, y: str) -> str:
        """The sum of two values, of which the second may be missing."""
        return self.add("Add", x, y) if y else x

    def run(self, x: str, axis: int, order: Sequence[int]) -> tuple[list[str], str, str]:
        """States after each step, in the order of the steps; the last state and cell.

        ``axis`` of ``x`` is the time, ``order`` that of the steps.
        """
        w, r = self.weights(1), self.weights(2)
        name = self.input(3)
        bias = self.graph.constants[name][self.direction] if name else np.zeros(2 * self.gates * self.hidden, w.dtype)
        input_bias, back = (part.copy() for part in np.split(bias, 2))
        if not (self.op.kind == "GRU" and self.op.attrs.get("linear_before_reset", 0)):
            input_bias, back = input_bias + back, np.zeros_like(back)
        else:
            input_bias[: 2 * self.hidden] += back[: 2 * self.hidden]
            back[: 2 * self.hidden] = 0
        label = f"{self.op.name}.{self.direction}.input"
        # In the order of the steps, so that tiles take what is made of the inputs as it comes.
        if list(order) != list(range(len(order))):
            x = self.add("Gather", x, self.constant(np.array(order)), axis=axis)
        inputs = self.add("MatMul", x, self.constant(np.ascontiguousarray(w.T)), name=label)
        inputs = self.add("Add", inputs, self.constant(input_bias))
        state, cell = self.initial(5), self.initial(6) if self.op.kind == "LSTM" else ""
        within = self.within(len(order))
        peephole = self.input(7) if self.op.kind == "LSTM" else ""
        p = np.split(self.graph.constants[peephole][self.direction], 3) if peephole else None
        states = []
        for t in range(len(order)):
            cell_step = getattr(self, self.op.kind.lower())
            step_input = self.add("Gather", inputs, self.constant(np.array(t)), axis=axis)
            before, (state, cell) = (state, cell), cell_step(step_input, state, cell, r, back, p)
            states.append(state)
            if within:
                valid = self.add("Gather", within, self.constant(np.array([order[t]])), axis=1)
                states[-1] = self.chosen(valid, state, "")
                state, cell = (self.chosen(valid, *pair) for pair in zip((state, cell), before, strict=True))
        return states, state, cell

    def within(self, steps: int) -> str:
        """Which steps are inside of each sequence, (batch, steps); ``""`` if all are.

        Lengths are compared with halves: as lanes they are whole numbers but for a rounding.
        """
        name = self.input(4)
        lengths = self.graph.constants.get(name)
        if not name or (lengths is not None and (lengths >= steps).all()):
            return ""
        if lengths is not None and len(lengths) > 1 and (lengths != lengths[0]).any():
            raise ValueError("its sequence_lens differ within a batch of a fixed size; an input, or one, is supported")
        column = self.constant(lengths[:1]) if lengths is not None else name
        column = self.add("Reshape", self.add("Cast", column, to=TensorProto.FLOAT), self.constant([-1, 1]))
        return self.add("Greater", column, self.constant(np.arange(steps, dtype=np.float32)[None] + 0.5))

    def chosen(self, valid: str, new: str, old: str) -> str:
        """A state where a step is inside of its sequence, else the one before: zero where it is missing."""
        return new and self.add("Where", valid, new, old or self.constant(np.zeros((1, self.hidden), np.float32)))

    def initial(self, k: int) -> str:
        name = self.input(k)
        if not name:
            return ""
        axis = int(self.op.attrs.get("layout", 0))
        if name in self.graph.constants:
            value = np.take(self.graph.constants[name], self.direction, axis)
            return "" if not value.any() else self.constant(value)
        return self.add("Gather", name, self.constant(np.array(self.direction)), axis=axis)

    def rnn(self, x: str, h: str, c: str, r: Array, bias: Array, p: Any) -> tuple[str, str]:
        return self.function(0, self.sum(x, self.state_layer(r, bias, h))), ""

    def lstm(self, x: str, h: str, c: str, r: Array, bias: Array, p: Any) -> tuple[str, str]:
        total = self.sum(x, self.state_layer(r, bias, h))
        i, o, f, g = (self.columns(total, n) for n in range(4))
        if p is not None and c:
            i = self.add("Add", i, self.add("Mul", c, self.constant(p[0])))
            f = self.add("Add", f, self.add("Mul", c, self.constant(p[2])))
        i, g = self.function(0, i), self.function(1, g)
        new = self.add("Mul", i, g)
        if c:
            coupled = self.op.attrs.get("input_forget", 0)
            f = self.add("Sub", self.constant(np.float32(1)), i) if coupled else self.function(0, f)
            new = self.add("Add", self.add("Mul", f, c), new)
        if p is not None:
            o = self.add("Add", o, self.add("Mul", new, self.constant(p[1])))
        return self.add("Mul", self.function(0, o), self.function(2, new)), new

    def gru(self, x: str, h: str, c: str, r: Array, bias: Array, p: Any) -> tuple[str, str]:
        n, unity = self.hidden, self.constant(np.float32(1))
        linear = bool(self.op.attrs.get("linear_before_reset", 0))
        outer, inner = self.columns(x, 0, 2), self.columns(x, 2)
        if linear and h and h not in self.graph.constants:
            both = self.state_layer(r, bias, h)
            gates, back = self.columns(both, 0, 2), self.columns(both, 2)
        else:
            gates = self.state_layer(r[: 2 * n], bias[: 2 * n], h, "gates")
            back = self.state_layer(r[2 * n :], bias[2 * n :], h) if linear else ""
        total = self.sum(outer, gates)
        z, reset = (self.function(0, self.columns(total, j)) for j in range(2))
        if not linear and h:
            back = self.state_layer(r[2 * n :], bias[2 * n :], self.add("Mul", reset, h))
        new = self.function(1, self.sum(inner, self.add("Mul", reset, back) if linear and back else back))
        blended = self.add("Mul", self.add("Sub", unity, z), new)
        return (self.add("Add", blended, self.add("Mul", z, h)) if h else blended), ""


def _written(op: Op, graph: Graph) -> list[Op] | None:
    """A recurrent layer of one or two directions, step by step."""
    x, layout = op.inputs[0], int(op.attrs.get("layout", 0))
    if x in graph.constants:
        return None
    shape = graph.shapes[x]
    length = shape[1 if layout else 0]
    if length > MOST_STEPS:
        raise ValueError(f"it has {length} steps; at most {MOST_STEPS} are supported")
    direction = op.attrs.get("direction", b"forward")
    at = f"{op.first}/t"
    ops: list[Op] = []
    runs: list[tuple[list[str], str, str]] = []
    for number in range(2 if direction == b"bidirectional" else 1):
        writer, backward = _Writer(op, graph, number), direction == b"reverse" or number == 1
        order = range(length)[::-1] if backward else range(length)
        states, state, cell = writer.run(x, 1 if layout else 0, order)
        ops += writer.ops
        runs.append((states[::-1] if backward else states, state, cell))
    return ops + _outputs(op, graph, at, runs, layout)


def _outputs(op: Op, graph: Graph, at: str, runs: Sequence[tuple[list[str], str, str]], layout: int) -> list[Op]:
    """Y, and the last states: of shapes (steps, directions, batch, hidden) and (directions, batch, hidden)."""
    ops: list[Op] = []

    def stacked(names: Sequence[str], output: str, axis: int) -> str:
        ops.extend(graph.stacked(names, output, axis))
        return output

    if op.outputs[0]:
        directions = [stacked(run[0], f"{at}/y{d}", 1 if layout else 0) for d, run in enumerate(runs)]
        stacked(directions, op.outputs[0], 2 if layout else 1)
    for k, name in enumerate(op.outputs[1:], 1):
        if name:
            stacked([run[1] if k == 1 else run[2] for run in runs], name, 1 if layout else 0)
    return ops


RECURRENT: dict[str, Callable[[Op, Graph], "list[Op] | None"]] = dict.fromkeys(GATES, _written)
