"""The graph of an ONNX file while it is prepared for import: nodes that may be replaced, constants, shapes.

Every value is that of one sample: the batch dimension is 1. Shapes and types of all values are known from running the
graph on one (:mod:`mho.compiler.importer.reading.probe`), so that shape arithmetic is constant, and nothing has to know
a batch.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import onnx
from onnx import helper

from mho.compiler.model.windows import Attributes
from mho.compiler.types import Array


def attributes(node: onnx.NodeProto) -> dict[str, Any]:
    """Attributes of a node by name; raises ValueError at numbers that are none, and at infinite ones but for limits."""
    values = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    for name, value in values.items():
        if isinstance(value, float) or (isinstance(value, list) and value and isinstance(value[0], float)):
            limits = node.op_type in ("Clip", "Constant")
            if np.isnan(value).any() or not (limits or np.isfinite(value).all()):
                raise ValueError(f"its {name} is NaN or infinite; finite numbers are needed")
    return values


def integers(array: Array, what: str) -> list[int]:
    """Numbers of a constant that must be a vector of whole numbers, or one such number.

    Raises ValueError if it is something else.
    """
    if array.ndim > 1 or array.dtype.kind not in "iu":
        raise ValueError(f"{what} must be whole numbers in one dimension, not {array.dtype} of {list(array.shape)}")
    return [int(v) for v in np.ravel(array)]


def attribute_axes(inputs: Sequence[Any], attrs: Attributes) -> list[int] | None:
    """Axes, which were attributes before they became an input; None where none are given."""
    if len(inputs) > 1 and inputs[1] is not None:
        if not isinstance(inputs[1], np.ndarray):
            raise ValueError("its axes must be constant, not computed")
        return integers(inputs[1], "its axes")
    return [int(a) for a in attrs["axes"]] if "axes" in attrs else None


@dataclass(frozen=True, eq=False)
class Op:
    """A node. ``parts`` are the nodes that it stands for where it is a region: a table, or a step of the host."""

    proto: onnx.NodeProto
    parts: tuple["Op", ...] = ()

    @cached_property
    def kind(self) -> str:
        """The operator."""
        return self.proto.op_type

    @cached_property
    def inputs(self) -> Sequence[str]:
        """Names, empty for what is left out."""
        return tuple(self.proto.input)

    @cached_property
    def outputs(self) -> Sequence[str]:
        return tuple(self.proto.output)

    @cached_property
    def attrs(self) -> dict[str, Any]:
        """Attributes by name."""
        return {a.name: helper.get_attribute_value(a) for a in self.proto.attribute}

    @property
    def domain(self) -> str:
        return "" if self.proto.domain == "ai.onnx" else self.proto.domain

    @property
    def name(self) -> str:
        """What a sentence calls it."""
        return self.proto.name or next((o for o in self.outputs if o), "")

    @property
    def first(self) -> str:
        """The first of its outputs that is there, before whose name those of what replaces it begin."""
        return next(o for o in self.outputs if o)

    @classmethod
    def make(
        cls, kind: str, inputs: Sequence[str], outputs: Sequence[str], name: str = "", domain: str | None = None,
        **attrs: Any,
    ) -> "Op":
        """A node with its attributes."""
        return cls(helper.make_node(kind, list(inputs), list(outputs), name=name, domain=domain, **attrs))

    def renamed(self, names: Mapping[str, str]) -> "Op":
        """With other names of its inputs."""
        if not any(i in names for i in self.inputs):
            return self
        proto = onnx.NodeProto()
        proto.CopyFrom(self.proto)
        proto.input[:] = [names.get(i, i) for i in self.inputs]
        return replace(self, proto=proto)


def _taken(node: onnx.NodeProto) -> set[str]:
    """Names that the graphs inside of a node take, their own among them."""
    names: set[str] = set()
    for inside in (attribute.g for attribute in node.attribute if attribute.HasField("g")):
        names.update(output.name for output in inside.output)
        for child in inside.node:
            names.update(child.input, _taken(child))
    return names


@dataclass(frozen=True)
class Input:
    """An input of the graph, of the whole shape with the batch as the file has it; None for what is not fixed."""

    name: str
    shape: tuple[int | None, ...]
    dtype: np.dtype[Any]


@dataclass
class Graph:
    """Nodes in topological order, constants by name, inputs, the outputs that are computed.

    ``wanted`` are the names of all values that the file makes something of. ``shapes`` and ``types`` of all values of
    one sample are filled by the probe. ``batched`` says whether the first dimension of the input is that of the batch.
    ``warnings`` are sentences for the user, ``sequences`` the values that each sequence holds.
    """

    name: str
    opset: int
    ops: list[Op]
    constants: dict[str, Array]
    inputs: list[Input]
    outputs: tuple[str, ...]
    batched: bool = True
    wanted: frozenset[str] = frozenset()
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    types: dict[str, np.dtype[Any]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    sequences: dict[str, list[str]] = field(default_factory=dict)

    def users(self) -> dict[str, list[Op]]:
        """Nodes by the values that they take."""
        result: dict[str, list[Op]] = {}
        for op in self.ops:
            for name in dict.fromkeys(op.inputs):
                if name:
                    result.setdefault(name, []).append(op)
        return result

    def makers(self) -> dict[str, Op]:
        """Nodes by the values that they make."""
        return {name: op for op in self.ops for name in op.outputs if name}

    def constant(self, op: Op, name: str, value: object) -> str:
        """A new constant for what replaces a node: what it is called."""
        full = f"{op.first}/{name}"
        self.constants[full] = np.asarray(value)
        return full

    def stacked(self, names: Sequence[str], output: str, axis: int) -> list[Op]:
        """Nodes that make of values one with a new dimension, which is an attribute before opset 13."""
        axes = f"{output}/axes"
        self.constants[axes] = np.array([axis])
        wide = [f"{output}/{k}" for k in range(len(names))]
        new = self.opset >= 13
        attributes: dict[str, Any] = {} if new else {"axes": [axis]}
        ops = [Op.make("Unsqueeze", [name, axes] if new else [name], [wider], **attributes)
               for name, wider in zip(names, wide, strict=True)]
        return [*ops, Op.make("Concat", wide, [output], axis=axis)]

    def computed(self, op: Op) -> list[str]:
        """Inputs that are no constants, in order."""
        return [i for i in op.inputs if i and i not in self.constants]

    def prune(self) -> set[str]:
        """Leaves the nodes that the outputs depend on; names of what they take, and of the outputs."""
        needed, ops = set(self.outputs), []
        for op in reversed(self.ops):
            if needed.intersection(op.outputs):
                ops.append(op)
                needed.update(op.inputs)
                needed.update(_taken(op.proto))
        self.ops = ops[::-1]
        return needed

    def replace_ops(self, ops: Iterable[Op]) -> None:
        self.ops = list(ops)
