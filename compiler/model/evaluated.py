"""Steps that operators of ONNX define, evaluated by ``onnx.reference``: tables of functions, and work of the host.

What the array and the vector unit cannot do, such as the product of two computed values, the host does on the way: from
the numbers that lanes stand for to numbers in double precision, sample by sample, the same wherever a network runs. A
step whose operators are functions of one value alone is done by a table that it fills.
"""

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper

from mho.compiler.model.operators.bounds import budget, external_tensors
from mho.compiler.model.operators.run import MOST_ELEMENTS, MOST_OF_ALL, run_node, runnable, widen
from mho.compiler.types import Array, Float
from mho.macro_models.errors import InputError
from mho.macro_models.types import Flags

MOST_NODES = 4096
ELEMENT = frozenset(("Add", "Clip", "Identity", "Max", "Min", "Mul", "Neg", "Relu", "Sigmoid", "Sub", "Tanh"))
"""Operators that make each element of the same elements of their inputs, the same bits whatever lies beside them."""
APART = ELEMENT | frozenset((
    *("Abs", "And", "ArrayFeatureExtractor", "Cast", "Concat", "Div", "Equal", "Gather", "Greater", "GreaterOrEqual"),
    *("Imputer", "Less", "LessOrEqual", "Not", "Or", "ReduceMax", "ReduceMin", "ReduceProd", "Slice", "Where"),
))
"""Operators of which the same is true of the samples of a batch, where these are the first dimension."""
BLOCK, AT_ONCE = 256, 1 << 20
"""Samples that are done at once where their bits are those of each alone, and elements that they take and make."""
SAMPLE_WORK, FEWEST = 5e8, 10
"""Nanoseconds of work of a step for a sample, and samples whose work a step may take at least."""
EXACT, DIRECTIONS = 96, 8
"""Elements up to which gradients are taken one by one; directions at random that stand for those of more."""
CLASSES = frozenset(("Softmax", "LogSoftmax", "Sigmoid", "ArgMax", "Hardmax", "TopK"))


def host_work(samples: int) -> AbstractContextManager[None]:
    """What operators of the host may do for so many samples."""
    return budget(SAMPLE_WORK * max(FEWEST, samples))


@dataclass(frozen=True, kw_only=True)
class Evaluated:
    """Operators of ONNX on one or several values.

    ``model`` holds the bytes of an ONNX model with one output, whose inputs and output have the shapes of one sample;
    inputs are side by side in what is taken. Nothing of it is carried out before it is run, and nothing in it can do
    more than :func:`~mho.compiler.model.operators.run.run_node`.
    ``pointwise`` says that it is a function of each element of its one input, whatever the shape.
    """

    model: NDArray[np.uint8]
    size: int
    pointwise: bool = False

    @classmethod
    def of(cls, proto: onnx.ModelProto, *, pointwise: bool = False) -> "Evaluated":
        """The step of a model."""
        size = math.prod(_dims(proto.graph.output[0]))
        return cls(model=np.frombuffer(proto.SerializeToString(deterministic=True), np.uint8), size=size,
                   pointwise=pointwise)

    @cached_property
    def proto(self) -> onnx.ModelProto:
        """The model, once it has been checked.

        Raises ValueError if it is none, or has what does not run.
        """
        try:
            proto = onnx.load_model_from_string(self.model.tobytes())
            if any(external_tensors(proto)):
                raise ValueError("its weights are in other files")
            onnx.checker.check_model(proto)
        except Exception as error:
            raise ValueError(f"it is no ONNX model: {' '.join(str(error).split())[:100]}") from None
        graph = proto.graph
        for node in graph.node:
            if not runnable(node):
                raise ValueError(f"its operator {node.op_type!r} is none that the host does")
        if len(graph.output) != 1 or not graph.input or len(graph.node) > MOST_NODES or proto.functions:
            raise ValueError(f"it needs inputs, one output and at most {MOST_NODES} nodes")
        if any(math.prod(_dims(v)) > MOST_ELEMENTS for v in (*graph.input, *graph.output)):
            raise ValueError(f"it has more than {MOST_ELEMENTS} elements")
        return proto

    @property
    def operators(self) -> tuple[str, ...]:
        """The operators, in order."""
        return tuple(node.op_type for node in self.proto.graph.node)

    @property
    def classes(self) -> bool:
        """Whether it makes a choice among classes, or their probabilities."""
        return not CLASSES.isdisjoint(self.operators)

    @cached_property
    def each(self) -> bool:
        """Whether each element of the output is made of the same element of every input, such as a product of gates.

        Then the samples of a batch are done at once: the operators round each element by itself.
        """
        graph = self.proto.graph
        dims = _dims(graph.output[0])
        return (
            all(node.op_type in ELEMENT for node in graph.node)
            and all(_dims(v) == dims and v.type.tensor_type.elem_type == TensorProto.DOUBLE for v in graph.input)
            and all(x.size == 1 or x.shape == dims for x in self._constants.values())
        )

    @cached_property
    def stacks(self) -> bool:
        """Whether samples behind each other along the first dimension give the numbers of each alone, up to rounding.

        It is tried on two samples.
        """
        return self._tried(2, lambda together, alone: np.allclose(together, alone, rtol=1e-9, atol=1e-12))

    @cached_property
    def apart(self) -> bool:
        """Whether they give the same bits: all operators do one row after the other. It is tried on a few samples."""
        return all(node.op_type in APART for node in self.proto.graph.node) and self._tried(9, np.array_equal)

    def _tried(self, samples: int, same: Callable[[Float, Float], bool]) -> bool:
        graph = self.proto.graph
        if any(_dims(v)[:1] != (1,) for v in (*graph.input, *graph.output)):
            return False
        inputs = np.random.default_rng(0).uniform(0.5, 1.5, (samples, self.taken))
        try:
            return same(self._stacked(inputs), _rows(self._one_by_one(inputs), samples))
        except ValueError:
            return False

    @property
    def dims(self) -> tuple[tuple[int, ...], ...]:
        """Shapes of its inputs."""
        return tuple(_dims(value) for value in self.proto.graph.input)

    @cached_property
    def taken(self) -> int:
        """Elements of all inputs."""
        return sum(math.prod(_dims(v)) for v in self.proto.graph.input)

    @property
    def blank(self) -> Array:
        """Zeros, or empty text, of the type and shape of its output for a sample."""
        (value,) = self.proto.graph.output
        kind = value.type.tensor_type.elem_type
        text = kind == TensorProto.STRING
        return np.zeros(_dims(value), np.str_ if text else onnx.helper.tensor_dtype_to_np_dtype(kind))

    @cached_property
    def whole(self) -> Flags:
        """Which of the elements that are taken are whole numbers, of shape (taken,)."""
        inputs = self.proto.graph.input
        kinds = [v.type.tensor_type.elem_type != TensorProto.DOUBLE for v in inputs]
        return np.repeat(kinds, [math.prod(_dims(v)) for v in inputs])

    @property
    def makes_whole(self) -> bool:
        """Whether it makes whole numbers."""
        return self.proto.graph.output[0].type.tensor_type.elem_type != TensorProto.DOUBLE

    @cached_property
    def _constants(self) -> dict[str, Array]:
        return {t.name: widen(numpy_helper.to_array(t)) for t in self.proto.graph.initializer}

    def run(self, inputs: Sequence[Array]) -> Array:
        """The output for one sample, of the shape that the model gives it."""
        graph = self.proto.graph
        opset = next(o.version for o in self.proto.opset_import if o.domain == "")
        values = dict(self._constants) | {v.name: x for v, x in zip(graph.input, inputs, strict=True)}
        room = MOST_OF_ALL - sum(x.size for x in values.values())
        with host_work(sum(x.size for x in inputs) // max(1, self.taken)):
            for node in graph.node:
                try:
                    outputs = run_node(node, [values[name] if name else None for name in node.input], opset, room=room)
                except ValueError as error:
                    where = node.name[:60] or node.op_type
                    raise InputError(f"work of the host, node {where!r} ({node.op_type}): {error}") from None
                room -= sum(x.size for x in outputs if x is not None)
                values.update({name: x for name, x in zip(node.output, outputs, strict=True) if name and x is not None})
        return values[graph.output[0].name]

    def samples(self, x: Array) -> Array:
        """Outputs of shape (batch, ...) for values of shape (batch, taken), each sample by itself."""
        if len(x) > (rows := self._rows_at_once(x)):
            return np.concatenate([self.samples(x[k : k + rows]) for k in range(0, len(x), rows)])
        if self.pointwise:
            return self.run([np.asarray(x, dtype=np.float64)])
        if self.each:
            dims = (len(x), *_dims(self.proto.graph.output[0]))
            count = len(self.proto.graph.input)
            parts = np.split(np.ascontiguousarray(x, dtype=np.float64), count, axis=1)
            return self.run([np.ascontiguousarray(part).reshape(dims) for part in parts])
        if self.apart:
            blocks = [self._stacked(np.asarray(x[k : k + BLOCK], dtype=np.float64)) for k in range(0, len(x), BLOCK)]
            return np.concatenate(blocks).reshape(len(x), *_dims(self.proto.graph.output[0]))
        return self._one_by_one(x)

    def _rows_at_once(self, x: Array) -> int:
        return max(1, AT_ONCE // max(1, x.size // max(1, len(x)) + self.size))

    def _one_by_one(self, x: Array) -> Array:
        return np.stack([self.run(self._split(sample[None])) for sample in np.asarray(x, dtype=np.float64)])

    def _split(self, x: Float) -> list[Array]:
        """Inputs of samples, (samples, taken), behind each other along the first dimension of each."""
        parts, first = [], 0
        for value in self.proto.graph.input:
            dims, kind = _dims(value), value.type.tensor_type.elem_type
            size = math.prod(dims)
            part = x[:, first : first + size].reshape(dims if len(x) == 1 else (len(x), *dims[1:]))
            first += size
            if kind != TensorProto.DOUBLE:
                part = np.rint(part).astype(onnx.helper.tensor_dtype_to_np_dtype(kind))
            parts.append(part)
        return parts

    def compute(self, x: Float) -> Float:
        """Numbers of shape (batch, size) for those of shape (batch, taken); what is not finite is 0 or very large."""
        results = self.samples(x) if len(x) else np.zeros((0, self.size))
        return _rows(results, len(x))

    def _stacked(self, x: Float) -> Float:
        """:meth:`compute` of all samples at once, where they stack; the last bits may be others."""
        if len(x) > (rows := self._rows_at_once(x)):
            return np.concatenate([self._stacked(x[k : k + rows]) for k in range(0, len(x), rows)])
        return _rows(self.run(self._split(x)), len(x))

    def _near(self, x: Float) -> Float:
        """What differences are made of, of shape (batch, size): as of :meth:`compute`, but for the last bits."""
        return self._stacked(x) if len(x) and self.stacks else self.compute(x)

    def backward(self, gradient: Float, x: Float, y: Float) -> Float:
        """Gradients by differences: of many elements their size alone is right, in the mean over all."""
        step = 1e-4 * max(float(np.abs(x).max(initial=0.0)), 1e-6)
        if self.pointwise:
            return gradient * (self.compute(x + step) - self.compute(x - step)) / (2 * step)
        result, size = np.zeros_like(x), x.shape[1]
        if self.each:
            for first in range(0, size, self.size):
                shift = np.zeros(size)
                shift[first : first + self.size] = step
                slope = (self.compute(x + shift) - self.compute(x - shift)) / (2 * step)
                result[:, first : first + self.size] = gradient * slope
            return result
        if size <= EXACT:
            for k in range(size):
                shift = np.zeros(size)
                shift[k] = step
                result[:, k] = ((self._near(x + shift) - self._near(x - shift)) * gradient).sum(axis=1) / (2 * step)
            return result
        rng = np.random.default_rng(0)
        for _ in range(DIRECTIONS):
            sign = rng.choice([-1.0, 1.0], x.shape)
            slope = ((self._near(x + step * sign) - self._near(x - step * sign)) * gradient).sum(axis=1)
            result += slope[:, None] / (2 * step) * sign
        return result / DIRECTIONS / np.sqrt(max(1.0, size / DIRECTIONS))


def _rows(results: Array, count: int) -> Float:
    """A row of numbers a sample; what is not finite is 0 or very large."""
    return np.nan_to_num(np.asarray(results, dtype=np.float64).reshape(count, -1), posinf=1e30, neginf=-1e30)


def _dims(value: onnx.ValueInfoProto) -> tuple[int, ...]:
    return tuple(d.dim_value for d in value.type.tensor_type.shape.dim)
