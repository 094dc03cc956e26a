"""Operators on computed values as stages of the vector unit: products of two, sums of two, functions of one by tables.

The host does such a step in double precision, on the numbers that lanes stand for. Tiles have no host between two
layers, so for them the step is written out: gates of recurrent cells, squeeze and excitation.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from mho.compiler.calibration.assembly.stage_lowering import HOST_ROOM, centre, lower_evaluated, lower_step, weighted
from mho.compiler.model.evaluated import Evaluated
from mho.compiler.model.functions import TABLES
from mho.compiler.model.stages import Map
from mho.compiler.program import Host, Operation
from mho.compiler.types import Array, Float, Lanes
from mho.macro_models.integer.vector import LANE_MAX, SHIFT_MAX, Product

Append = Callable[[Operation, Sequence[int]], int]

UNARY = frozenset(("Abs", "Ceil", "Clip", "Elu", "Erf", "Exp", "Floor", "Gelu", "HardSigmoid", "HardSwish", "LeakyRelu",
                   "Mish", "Neg", "Relu", "Sigmoid", "Softplus", "Softsign", "Swish", "Tanh"))
BINARY = frozenset(("Add", "Mul", "Sub"))


@dataclass(frozen=True, kw_only=True)
class Part:
    """A value: its number, shape of a sample, lanes (chips, images, elements), units, numbers during calibration."""

    number: int
    dims: tuple[int, ...]
    lanes: Lanes
    unit: Float
    seen: Float


def lower_elementwise(op: Evaluated, inputs: Sequence[Part], append: Append) -> Part | None:
    """The stages of a step, appended, and the value that they make; None if the step has other operators.

    ``inputs`` are the inputs of its graph; their lanes stand for the numbers themselves, without an offset.
    """
    graph, constants = op.proto.graph, _constants(op)
    values = {value.name: part for value, part in zip(graph.input, inputs, strict=True)}
    if not is_elementwise(op):
        return None
    opset = next(o.version for o in op.proto.opset_import if o.domain == "")
    for node in graph.node:
        names = [name for name in node.input if name and name not in constants]
        if node.op_type == "Identity":
            output = values[names[0]]
        elif len(names) == 2:
            output = _of_two(node.op_type, values[names[0]], values[names[1]], append)
        else:
            fixed = {name: constants[name] for name in node.input if name in constants}
            output = _of_one(node, fixed, values[names[0]], opset, append)
        if output is None:
            return None
        values[node.output[0]] = output
    return values[graph.output[0].name]


def is_elementwise(op: Evaluated) -> bool:
    """Whether a step has operators alone that have such a form."""
    graph, constants = op.proto.graph, _constants(op)
    return all(v.type.tensor_type.elem_type == TensorProto.DOUBLE for v in graph.input) and all(
        _can(node, constants) for node in graph.node)


def _constants(op: Evaluated) -> dict[str, Array]:
    return {initializer.name: numpy_helper.to_array(initializer) for initializer in op.proto.graph.initializer}


def _can(node: onnx.NodeProto, constants: dict[str, Array]) -> bool:
    fixed = [constants[name] for name in node.input if name in constants]
    values = [name for name in node.input if name and name not in constants]
    if node.domain or len(node.output) != 1 or any(x.size != 1 for x in fixed):
        return False
    return node.op_type in BINARY if len(values) == 2 else len(values) == 1 and (
        node.op_type in UNARY | BINARY | {"Identity"})


def _of_two(kind: str, a: Part, b: Part, append: Append) -> Part | None:
    """An element of two, either of which may serve several elements."""
    try:
        dims = np.broadcast_shapes(a.dims, b.dims)
    except ValueError:
        return None
    left, right = (np.broadcast_to(np.arange(part.unit.size).reshape(part.dims), dims).ravel().astype(np.int32)
                   for part in (a, b))
    x, y = a.seen[:, left], b.seen[:, right]
    if kind == "Mul":
        observed, unit = x * y, a.unit[left] * b.unit[right]
        largest = np.abs(observed).max(axis=0, initial=0.0)
        reach = HOST_ROOM * float((largest / np.maximum(unit, 1e-300)).max(initial=0.0))
        shift = int(np.clip(np.ceil(np.log2(max(reach, 1.0) / LANE_MAX)), 0, SHIFT_MAX))
        unit *= 2.0**shift
        stage = Product(left=left, right=right + (a.unit.size if a is not b else 0), shift=shift)
    else:
        sign = -1.0 if kind == "Sub" else 1.0
        observed = x + sign * y
        common = HOST_ROOM * float(np.abs(observed).max(initial=0.0)) / LANE_MAX or float(a.unit.max())
        index = np.stack([left, right + (a.unit.size if a is not b else 0)], axis=1)
        value = np.stack([a.unit[left], sign * b.unit[right]], axis=1)
        stage, unit = weighted(index, value, np.zeros(len(index)), np.full(len(index), common))
    lanes = a.lanes if a is b else np.concatenate([a.lanes, b.lanes], axis=-1)
    number = append(stage, [a.number] if a is b else [a.number, b.number])
    return Part(number=number, dims=tuple(dims), lanes=on_each(stage, lanes), unit=unit, seen=observed)


def _of_one(node: onnx.NodeProto, fixed: dict[str, Array], part: Part, opset: int, append: Append) -> Part | None:
    """A function of each element: by the table that all layers share, if there is one."""
    if node.op_type.lower() in TABLES and not fixed:
        table, unit = lower_step(Map(function=node.op_type.lower(), size=part.unit.size), part.unit, part.seen)
        return Part(number=append(table, [part.number]), dims=part.dims, lanes=on_each(table, part.lanes), unit=unit,
                    seen=TABLES[node.op_type.lower()].compute(part.seen))
    single = onnx.NodeProto()
    single.CopyFrom(node)
    single.input[:] = [name if name in fixed or not name else "x" for name in node.input]
    single.output[:] = ["y"]
    ends = [helper.make_tensor_value_info(name, TensorProto.DOUBLE, [part.unit.size]) for name in "xy"]
    constants = [numpy_helper.from_array(np.asarray(value, np.float64).reshape(()), name)
                 for name, value in fixed.items()]
    model = helper.make_model(helper.make_graph([single], "one", ends[:1], ends[1:], constants),
                              opset_imports=[helper.make_opsetid("", opset)])
    op, middle, number, lanes = Evaluated.of(model, pointwise=True), 0.0, part.number, part.lanes
    if (moved := centre(part.unit, part.seen)) is not None:
        stage, middle = moved
        number, lanes = append(stage, [number]), on_each(stage, lanes)
    observed = op.compute(part.seen)
    table, unit = lower_evaluated(op, part.unit, part.seen, observed, middle)
    if isinstance(table, Host):
        return None
    return Part(number=append(table, [number]), dims=part.dims, lanes=on_each(table, lanes), unit=unit, seen=observed)


def on_each(op: Any, lanes: Lanes) -> Lanes:
    """What an operation of the vector unit makes on each chip."""
    return np.stack([op.compute(chip) for chip in lanes])
