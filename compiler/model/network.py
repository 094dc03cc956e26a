"""A trained network as the compiler sees it: steps, the linear layers among them, and a few operators of the host.

Everything that an ONNX file may say between two non-linearities is folded into one weight matrix and one bias, so that
the rest of the compiler knows few kinds of things only: :class:`~mho.compiler.model.stages.Step` with its
:class:`LinearLayer`, and :class:`HostOp`.
"""

import base64
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import onnx

from mho.compiler.model.evaluated import Evaluated
from mho.compiler.model.layer import LinearLayer
from mho.compiler.model.stages import Combine, Linear, Step
from mho.compiler.types import Array, Float

BATCH_POSITIONS = 32768
BATCH_ELEMENTS = 1 << 27
"""Positions, and elements of all values, of a batch of images that are in flight at once: what bounds the memory."""


@lru_cache(maxsize=16)
def evaluated_at_the_end(model: str) -> Evaluated:
    """The operators that a model in base64 holds."""
    return Evaluated.of(onnx.load_model_from_string(base64.b64decode(model, validate=True)))


Parameters = dict[str, Any]
"""Of an operator of the host: numbers, lists and strings, as JSON has them."""


@dataclass(frozen=True, kw_only=True)
class HostOp:
    """An operator after the last layer, computed in floating point by the host.

    ``kind`` is one of affine, relu, clip, sigmoid, tanh, softmax, log_softmax, normalise, complement, argmax, look_up,
    reshape, cast, constant, onnx (operators of the file, sample by sample); ``parameters`` are plain numbers, strings
    and lists, so that they can be written as JSON. Arrays have shape (batch, ...).
    """

    kind: str
    parameters: Parameters = field(default_factory=dict)

    def compute(self, y: Array) -> Array:
        """The operator's output for a batch ``y`` of shape (batch, ...)."""
        return _HOST_OPS[self.kind](y, self.parameters)


def _softmax(y: Array, p: Parameters) -> Array:
    axes = tuple(p["axes"])
    e = np.exp(y - y.max(axis=axes, keepdims=True))
    return e / e.sum(axis=axes, keepdims=True)


def _log_softmax(y: Array, p: Parameters) -> Array:
    axes = tuple(p["axes"])
    z = y - y.max(axis=axes, keepdims=True)
    return z - np.log(np.exp(z).sum(axis=axes, keepdims=True))


def _argmax(y: Array, p: Parameters) -> Array:
    axis = p["axis"]
    if p["last"]:
        index = y.shape[axis] - 1 - np.argmax(np.flip(y, axis), axis=axis)
    else:
        index = np.argmax(y, axis=axis)
    index = np.asarray(index, dtype=np.int64)
    return np.expand_dims(index, axis) if p["keepdims"] else index


def _normalise(y: Array, p: Parameters) -> Array:
    total = np.abs(y).sum(axis=p["axis"], keepdims=True)
    return y / np.where(total > 0, total, 1.0)


def _affine(y: Array, p: Parameters) -> Array:
    shape = y.shape[1:]
    return y * np.reshape(p["scale"], shape) + np.reshape(p["offset"], shape)


def _onnx(y: Array, p: Parameters) -> Array:
    results = evaluated_at_the_end(p["model"]).samples(y.reshape(len(y), -1))
    return results.astype(np.str_) if results.dtype.kind == "O" else results


_HOST_OPS = {
    "affine": _affine,
    "relu": lambda y, p: np.maximum(y, 0),
    "sigmoid": lambda y, p: 0.5 * (1.0 + np.tanh(0.5 * y)),
    "tanh": lambda y, p: np.tanh(y),
    "clip": lambda y, p: np.clip(y, p["low"], p["high"]),
    "softmax": _softmax,
    "log_softmax": _log_softmax,
    "normalise": _normalise,
    "complement": lambda y, p: np.concatenate([1.0 - y, y], axis=-1),
    "argmax": _argmax,
    "look_up": lambda y, p: np.asarray(p["table"])[y],
    "reshape": lambda y, p: np.moveaxis(y.reshape(len(y), *p["shape"]), 0, p["batch_axis"]),
    "cast": lambda y, p: y.astype(p["dtype"]),
    "constant": lambda y, p: np.tile(np.asarray(p["value"], dtype=np.float64), (len(y), 1)),
    "onnx": _onnx,
}


_CHOICES = ("softmax", "log_softmax", "argmax", "sigmoid")


@dataclass(frozen=True, kw_only=True)
class Output:
    """One of the outputs of a model.

    ``host`` is what follows the last step: it takes ``size`` elements of that, None for all that there are, from
    ``first`` on. Its last entries bring the values to the shape and type of onnxruntime.
    """

    name: str
    host: tuple[HostOp, ...]
    first: int = 0
    size: int | None = None

    @property
    def elements(self) -> slice:
        """Which elements of the last step it is made of."""
        return slice(self.first, None if self.size is None else self.first + self.size)

    @property
    def classes(self) -> bool:
        """Whether it is a choice among classes."""
        return any(op.kind in _CHOICES or op.parameters.get("classes", False) for op in self.host)

    def finish(self, y: Float) -> Array:
        """The output in the model's shape and type from the last step's ``y`` of shape (batch, elements)."""
        result: Array = y[:, self.elements]
        with np.errstate(over="ignore", invalid="ignore"):  # what is too large is infinite, as in every runtime
            for op in self.host:
                result = op.compute(result)
        return result


@dataclass(frozen=True, kw_only=True)
class FloatNetwork:
    """A network in double precision: the reference that quantisation is measured against."""

    name: str
    """What the graph or the file is called."""
    input_name: str
    input_shape: tuple[int, ...]
    """The one input, and its shape without the batch dimension; of several, which lie side by side, their names and the
    number of all elements."""
    steps: tuple[Step, ...]
    """In the order of computation: what makes values from values, the first of which is the network's input. The last
    one makes the output."""
    outputs: tuple[Output, ...]
    """What is computed, in the order of the model."""
    parts: tuple[tuple[str, tuple[int, ...]], ...] = ()
    """Names and shapes of several inputs, in their order; empty where there is one."""
    warnings: tuple[str, ...] = ()
    """What a user should know of how the model was understood."""

    @cached_property
    def calls(self) -> tuple[tuple[int, ...], ...]:
        """For each layer the numbers of the steps that are this layer, several where it is shared.

        Layers are numbered in the order of their first step. Steps with one :class:`LinearLayer` object are one layer.
        """
        by_layer: dict[int, list[int]] = {}
        for k, step in enumerate(self.steps):
            if isinstance(step.operation, Linear):
                by_layer.setdefault(id(step.operation.layer), []).append(k)
        return tuple(tuple(steps) for steps in by_layer.values())

    @cached_property
    def linear(self) -> tuple[Linear, ...]:
        """The steps that are layers, in order."""
        return tuple(s.operation for s in self.steps if isinstance(s.operation, Linear))

    def calls_of(self, layer: int) -> list[tuple[int, Linear]]:
        """The calls of a layer by its number: step and operation of each."""
        steps = self.calls[layer]
        return [(k, op) for k in steps if isinstance(op := self.steps[k].operation, Linear)]

    @cached_property
    def layers(self) -> tuple[LinearLayer, ...]:
        """The layers by their number."""
        return tuple(self.calls_of(number)[0][1].layer for number in range(len(self.calls)))

    @property
    def calls_again(self) -> bool:
        """Whether a layer is called more than once, as that of a recurrent cell is."""
        return any(len(steps) > 1 for steps in self.calls)

    @cached_property
    def is_chain(self) -> bool:
        """Whether each step is a layer that takes the value before it as it is: a perceptron.

        A layer may then choose the codes that the one before it gives, and what follows it is computed at once. None is
        shared: its codes would have to be those that itself takes.
        """
        size = self.features
        if self.calls_again:
            return False
        for k, step in enumerate(self.steps):
            if step.inputs != (k,) or not isinstance(step.operation, Linear) or not step.operation.takes_all(size):
                return False
            size = step.operation.size
        return True

    @property
    def features(self) -> int:
        """Numbers in one input."""
        return int(np.prod(self.input_shape, dtype=np.int64))

    @property
    def inputs(self) -> tuple[tuple[str, tuple[int, ...]], ...]:
        """Names and shapes of all inputs."""
        return self.parts or ((self.input_name, self.input_shape),)

    @property
    def is_classifier(self) -> bool:
        """Whether the output is a choice among classes, so that agreement matters more than the error of a number.

        Of several outputs all must be made of the same scores, as labels and probabilities are. A Sigmoid of as many
        values as the input has is that of an autoencoder.
        """
        if self._reconstructs:
            return False
        outputs = [output for output in self.outputs if output.size != 0]
        alike = len({(output.first, output.size) for output in outputs}) == 1
        return alike and any(output.classes for output in outputs)

    @cached_property
    def gives_numbers(self) -> bool:
        """Whether an output is of numbers rather than scores of classes, as far as the model says.

        A single one is, and an image, and what is as large as the input, as of an autoencoder, and what is beside the
        choice of another output; else a vector may be scores.
        """
        outputs = [output for output in self.outputs if output.size != 0]
        # Sigmoids alone may be those of an autoencoder.
        decided = {(output.first, output.size) for output in outputs if output.classes and len(outputs) > 1}
        undecided = [output.name for output in outputs if (output.first, output.size) not in decided]
        if self.is_classifier or not undecided:
            return False
        values = self.compute_all(np.zeros((1, self.features)))
        shapes = [values[name].shape for name in undecided]
        return bool(decided) or any(len(shape) != 2 or shape[1] in (1, self.features) for shape in shapes)

    @cached_property
    def _reconstructs(self) -> bool:
        """Whether the one output is a Sigmoid as large as the input."""
        (output, *more), size = self.outputs, self.steps[-1].operation.size
        kinds = {op.kind for op in output.host} - {"reshape", "cast"}
        return not more and output.size is None and size == self.features > 1 and kinds == {"sigmoid"}

    def compared(self, y: Float) -> Float:
        """What errors of the last step's ``y`` are seen in: what the Sigmoid of an autoencoder gives, else ``y``."""
        return 0.5 * (1.0 + np.tanh(0.5 * y)) if self._reconstructs else y

    def compared_slope(self, y: Float) -> Float | float:
        """Derivative of :meth:`compared`."""
        s = self.compared(y)
        return s * (1.0 - s) if self._reconstructs else 1.0

    def finish(self, y: Float) -> Array:
        """The first output in the model's shape and type from the last step's ``y`` of shape (batch, elements)."""
        return self.outputs[0].finish(y)

    def finish_all(self, y: Float) -> dict[str, Array]:
        """:meth:`finish` of all outputs, by name."""
        return {output.name: output.finish(y) for output in self.outputs}

    @property
    def positions(self) -> tuple[int, ...]:
        """At how many positions of an image each layer is computed, those of all calls."""
        return tuple(sum(len(op.patches) for _, op in self.calls_of(k)) for k in range(len(self.calls)))

    @cached_property
    def multiplications(self) -> int:
        """Multiplications of weights for an input."""
        return sum(op.layer.weight.size * len(op.patches) for op in self.linear)

    @cached_property
    def last_use(self) -> dict[int, int]:
        """The last step that takes a value, by the number of the value."""
        return {value: k for k, step in enumerate(self.steps) for value in step.inputs}

    @property
    def most_positions(self) -> int:
        """Most positions at which a layer is computed at once."""
        return max(len(op.patches) for op in self.linear)

    @cached_property
    def single(self) -> "FloatNetwork":
        """The same network in single precision, as a model runs elsewhere, too: in half of the time."""
        steps = [
            replace(step, operation=step.operation.single) if isinstance(step.operation, Linear | Combine) else step
            for step in self.steps
        ]
        return replace(self, steps=tuple(steps))

    @cached_property
    def elements(self) -> int:
        """Elements of all values of an input."""
        return self.features + sum(step.operation.size for step in self.steps)

    @property
    def _dtype(self) -> "np.dtype[Any]":
        return np.result_type(*(layer.weight for layer in self.layers)) if self.layers else np.dtype(np.float64)

    def activations(self, x: Array) -> list[Float]:
        """The input and the result of every step for ``x`` of shape (batch, features)."""
        return self.proceed([np.asarray(x, dtype=self._dtype).reshape(len(x), -1)])

    def proceed(self, values: Sequence[Float], end: int | None = None) -> list[Float]:
        """The input and the result of every step, or of those before step ``end``, from those of the first steps."""
        values = list(values)
        for step in self.steps[len(values) - 1 : end]:
            values.append(step.operation.compute(step.gather(values)).astype(values[0].dtype, copy=False))
        return values

    def compute(self, x: Array) -> Array:
        """The model's first output in floating point for ``x`` of shape (batch, ...)."""
        return self.finish(self.last(x))

    def compute_all(self, x: Array) -> dict[str, Array]:
        """:meth:`compute` of all outputs, by name."""
        return self.finish_all(self.last(x))

    def last(self, x: Array, threads: int = 1) -> Float:
        """The result of the last step, (batch, elements), which the outputs are made of, by so many threads."""
        batch = max(1, min(BATCH_POSITIONS // self.most_positions, BATCH_ELEMENTS // self.elements))
        parts = [x[k : k + batch] for k in range(0, max(len(x), 1), batch)]
        if threads == 1 or len(parts) == 1:
            return np.concatenate([self._last(part) for part in parts])
        with ThreadPoolExecutor(threads) as pool:
            return np.concatenate(list(pool.map(self._last, parts)))

    def _last(self, x: Array) -> Float:
        return self.activations(x)[-1].astype(np.float64, copy=False)
