"""Abbreviations of ONNX and the operators that they stand for: quantised layers, training-mode nodes.

Each rule takes a node and the graph as far as it is known, and returns nodes instead, or None where the node stays.
Constants that they need are put into the graph.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto

from mho.compiler.importer.graph import Graph, Op
from mho.compiler.importer.reading.classifiers import CLASSIFIERS
from mho.compiler.importer.reading.recurrent import RECURRENT
from mho.compiler.importer.reading.runtime import RUNTIME
from mho.compiler.importer.reading.sequences import RANDOM, SEQUENCES
from mho.compiler.types import Array

Rewrite = Callable[[Op, Graph], "list[Op] | None"]


# What was meant for training ------------------------------------------------------------------------------------------


def _dropout(op: Op, graph: Graph) -> list[Op] | None:
    training = graph.constants.get(op.inputs[2]) if len(op.inputs) > 2 and op.inputs[2] else None
    if training is not None and training.any():
        graph.warnings.append(f"node {op.name!r} (Dropout) was exported for training; it passes its input on")
    if len(op.outputs) > 1 and op.outputs[1] in graph.wanted:
        return None
    return [Op.make("Identity", op.inputs[:1], op.outputs[:1], op.name)]


def _batch_normalization(op: Op, graph: Graph) -> list[Op] | None:
    if op.attrs.get("training_mode", 0):
        raise ValueError("training_mode is 1: its statistics are of the whole batch; export the model after eval()")
    if len([o for o in op.outputs if o]) == 1:
        return None
    keep = {k: v for k, v in op.attrs.items() if k == "epsilon"}
    return [Op.make("BatchNormalization", op.inputs, op.outputs[:1], op.name, **keep)]


def _cast_like(op: Op, graph: Graph) -> list[Op] | None:
    """A Cast to the type of what is known of the other value."""
    dtype = graph.types.get(op.inputs[1])
    if op.inputs[1] in graph.constants:
        dtype = graph.constants[op.inputs[1]].dtype
    if dtype is None:
        return None
    return [Op.make("Cast", op.inputs[:1], op.outputs, op.name, to=onnx.helper.np_dtype_to_tensor_dtype(dtype))]


def _zip_map(op: Op, graph: Graph) -> list[Op]:
    """The scores as they are, in the order of its labels, instead of a dictionary of each row."""
    return [Op.make("Identity", op.inputs, op.outputs, op.name)]


# Quantised layers -----------------------------------------------------------------------------------------------------


def _in_floats(kind: str, values: int = 0, *, bias: int | None = None, axis: int = 1) -> Rewrite:
    """An operator on quantised values, in floating point between DQ and Q.

    Inputs are so many ``values``, each with its scale and zero point, then maybe those of the result; with none the
    latter come first. Which input is a ``bias`` of whole numbers, and along which dimension scales of other values than
    the first are, differs by operator.
    """

    def rewrite(op: Op, graph: Graph) -> list[Op]:
        if op.attrs.get("channels_last", 0):
            raise ValueError("its channels are last; channels first are supported")
        inputs = list(op.inputs)
        added = inputs.pop(bias) if bias is not None and bias < len(inputs) else ""
        ends, inputs = (inputs[3 * values :], inputs[: 3 * values]) if values else (inputs[:2], inputs[2:])
        at, names, parts = op.outputs[0], [], []
        for k, taken in enumerate(zip(inputs[::3], inputs[1::3], inputs[2::3], strict=True)):
            names.append(f"{at}/{k}")
            along = (1 - int(op.attrs.get("transB", 0)) if kind == "Gemm" else axis) if k else 1
            parts.append(Op.make("DequantizeLinear", [name for name in taken if name], names[-1:], axis=along))
        if added:
            factor = graph.constants[inputs[1]].astype(np.float64) * graph.constants[inputs[4]].astype(np.float64)
            value = graph.constants[added].astype(np.float64) * factor.reshape(-1)
            names.append(graph.constant(op, "b", value.astype(np.float32)))
        passed = {name: value for name, value in op.attrs.items() if name not in ("channels_last", "opset")}
        made = [f"{at}/y"] if any(ends) else op.outputs
        parts.append(Op.make(kind, names, made, op.name, **passed))
        return [*parts, Op.make("QuantizeLinear", [*made, *ends], op.outputs)] if any(ends) else parts

    return rewrite


def _integer(kind: str) -> Rewrite:
    """A product of integers less their zero points."""

    def rewrite(op: Op, graph: Graph) -> list[Op]:
        at, parts, names = op.outputs[0], [], []
        for k, name in enumerate(op.inputs[:2]):
            parts.append(Op.make("Cast", [name], [f"{at}/{k}f"], to=TensorProto.FLOAT))
            zero = op.inputs[2 + k] if len(op.inputs) > 2 + k else ""
            value = graph.constants.get(zero)
            if not zero or (value is not None and not value.any()):
                names.append(f"{at}/{k}f")
                continue
            if value is not None:
                shape = (-1,) + (1,) * (len(graph.shapes.get(name, graph.constants.get(name, value).shape)) - 1)
                per = value.astype(np.float32)
                per = per.reshape(shape) if per.ndim == 1 and per.size > 1 and kind == "Conv" else per
                if per.ndim == 1 and per.size > 1 and kind == "MatMul" and k == 0:
                    per = per[:, None]
                zero = graph.constant(op, f"{k}z", per.reshape(()) if per.size == 1 else per)
            else:
                parts.append(Op.make("Cast", [zero], [f"{at}/{k}zf"], to=TensorProto.FLOAT))
                zero = f"{at}/{k}zf"
            parts.append(Op.make("Sub", [f"{at}/{k}f", zero], [f"{at}/{k}"]))
            names.append(f"{at}/{k}")
        return [*parts, Op.make(kind, names, op.outputs, op.name, **op.attrs)]

    return rewrite


def dequantised_again(op: Op, users: Mapping[str, Sequence[Op]], graph: Graph) -> bool:
    """Whether each user of a node's integers takes their zero point off and multiplies by their scale."""
    value, scale, zero = op.outputs
    scales = {scale} | {
        user.outputs[0] for user in users.get(scale, ())
        if user.kind == "Mul" and any(i in graph.constants for i in user.inputs)
    }

    def scaled(user: Op) -> bool:
        if user.kind == "DequantizeLinear":
            return tuple(user.inputs) == (value, scale, zero)
        if user.kind not in ("MatMulInteger", "ConvInteger") or user.inputs[0] != value or user.inputs[2:3] != (zero,):
            return False
        behind = [after for cast in users.get(user.outputs[0], ()) for after in users.get(cast.outputs[0], ())]
        casts = all(cast.kind == "Cast" for cast in users.get(user.outputs[0], ()))
        return casts and bool(behind) and all(a.kind == "Mul" and scales & set(a.inputs) for a in behind)

    return not {value, scale, zero}.intersection(graph.outputs) and all(scaled(user) for user in users.get(value, ()))


def _dynamic_quantisation(op: Op, graph: Graph) -> list[Op]:
    """The value itself, of scale 1: cores have input codes of their own."""
    value, scale, zero = op.outputs
    graph.constants[scale], graph.constants[zero] = np.ones((), np.float32), np.zeros((), np.float32)
    for name in (scale, zero):
        graph.shapes[name], graph.types[name] = (), np.dtype(np.float32)
    return [Op.make("Identity", op.inputs, [value], op.name)]


def _quant(op: Op, graph: Graph) -> list[Op]:
    """Quant of QONNX and Brevitas: of weights rounding on their own scale, of values their limits."""
    if op.kind == "BipolarQuant":
        at = op.outputs[0]
        zero, unity = graph.constant(op, "zero", np.float32(0)), graph.constant(op, "one", np.float32(1))
        minus = graph.constant(op, "minus", np.float32(-1))
        return [
            Op.make("GreaterOrEqual", [op.inputs[0], zero], [f"{at}/sign"]),
            Op.make("Where", [f"{at}/sign", unity, minus], [f"{at}/unit"]),
            Op.make("Mul", [f"{at}/unit", op.inputs[1]], [at], op.name),
        ]
    numbers = []
    for name in op.inputs[1:4]:
        if name not in graph.constants:
            raise ValueError("its scale, zero point or bits are computed; constants are supported")
        numbers.append(graph.constants[name].astype(np.float64))
    scale, zero, bits = numbers
    signed, narrow = bool(op.attrs.get("signed", 1)), bool(op.attrs.get("narrow", 0))
    top = 2.0 ** (bits - signed) - 1.0 - (narrow and not signed)
    low = -(2.0 ** (bits - 1)) + narrow if signed else np.zeros_like(bits)
    x = graph.constants.get(op.inputs[0])
    if x is not None:
        code = np.clip(np.rint(x.astype(np.float64) / scale + zero), low, top)
        graph.constants[op.outputs[0]] = ((code - zero) * scale).astype(np.float32)
        return []
    return _limits(op, graph, (low - zero) * scale, (top - zero) * scale)


def _limits(op: Op, graph: Graph, low: Array, high: Array) -> list[Op]:
    """A value within limits, which may differ by element."""
    low, high = np.asarray(low), np.asarray(high)
    names = [graph.constant(op, n, np.float32(v.reshape(-1)[0]) if v.size == 1 else v.astype(np.float32))
             for n, v in (("low", low), ("high", high))]
    if low.size == high.size == 1:
        return [Op.make("Clip", [op.inputs[0], *names], op.outputs[:1], op.name)]
    at = op.outputs[0]
    return [Op.make("Max", [op.inputs[0], names[0]], [f"{at}/m"]), Op.make("Min", [f"{at}/m", names[1]], [at], op.name)]


REWRITES: dict[str, Rewrite] = {
    "Dropout": _dropout, "BatchNormalization": _batch_normalization, "ZipMap": _zip_map,
    "CastLike": _cast_like, **CLASSIFIERS,
    **{
        f"QLinear{kind}": _in_floats(kind, values) for kind, values in (
            ("Add", 2), ("Mul", 2), ("Concat", 0), ("AveragePool", 1), ("GlobalAveragePool", 1), ("Sigmoid", 1),
            ("LeakyRelu", 1), ("Softmax", 1),
        )
    },
    "QGemm": _in_floats("Gemm", 2, bias=6), "QLinearConv": _in_floats("Conv", 2, bias=8, axis=0),
    "QLinearMatMul": _in_floats("MatMul", 2, axis=-1),
    "MatMulInteger": _integer("MatMul"), "ConvInteger": _integer("Conv"),
    "DynamicQuantizeLinear": _dynamic_quantisation, "Quant": _quant, "IntQuant": _quant, "BipolarQuant": _quant,
    "Trunc": lambda op, graph: [Op.make("Identity", op.inputs[:1], op.outputs, op.name)],
    **RECURRENT, **RUNTIME, **SEQUENCES, **RANDOM,
}
"""By operator: (node, graph) -> nodes in its place, or None."""


# Rounding of values on the way ----------------------------------------------------------------------------------------


def without_quantisation(graph: Graph, deep: set[str]) -> bool:
    """Replaces Q and DQ of computed values by their limits and scales: cores round by themselves.

    ``deep`` are values of which more is made than the host can do at the end: what is quantised last stays so. Returns
    whether there were any.
    """
    users, ops, rewritten = graph.users(), [], False
    done: set[Op] = set()
    for op in graph.ops:
        if op in done:
            continue
        quantise = op.kind == "QuantizeLinear" and op.outputs[0] in deep
        if not (quantise or op.kind == "DequantizeLinear") or len(graph.computed(op)) != 1 or (
            op.inputs[0] in graph.constants
        ):
            ops.append(op)
            continue
        rewritten = True
        scale = graph.constants[op.inputs[1]].astype(np.float64)
        zero_name = op.inputs[2] if len(op.inputs) > 2 else ""
        zero = graph.constants[zero_name].astype(np.float64) if zero_name else np.zeros(())
        shape = graph.shapes[op.inputs[0]]
        scale, zero = (_along(v, shape, int(op.attrs.get("axis", 1))) for v in (scale, zero))
        at = op.outputs[0]
        if not quantise:
            parts = [
                Op.make("Cast", [op.inputs[0]], [f"{at}/f"], to=TensorProto.FLOAT),
                Op.make("Sub", [f"{at}/f", graph.constant(op, "z", zero.astype(np.float32))], [f"{at}/d"]),
                Op.make("Mul", [f"{at}/d", graph.constant(op, "s", scale.astype(np.float32))], [at], op.name),
            ]
            ops.extend(parts)
            continue
        low, high = _limits_of(graph.types[at])
        backs = users.get(at, [])
        if all(b.kind == "DequantizeLinear" and _alike(b, op, graph) for b in backs) and at not in graph.outputs:
            limited = _limits(op, graph, (low - zero) * scale, (high - zero) * scale)
            ops.extend(limited)
            ops.extend(Op.make("Identity", [at], b.outputs) for b in backs)
            done.update(backs)
            continue
        s, z = (graph.constant(op, n, v.astype(np.float32)) for n, v in (("s", scale), ("z", zero)))
        ends = [graph.constant(op, n, np.float32(v)) for n, v in (("low", low), ("high", high))]
        ops += [Op.make("Div", [op.inputs[0], s], [f"{at}/d"]), Op.make("Add", [f"{at}/d", z], [f"{at}/a"]),
                Op.make("Clip", [f"{at}/a", *ends], [at], op.name)]
    graph.replace_ops(ops)
    return rewritten


_LARGEST = {
    "float8_e4m3fn": 448.0, "float8_e4m3fnuz": 240.0, "float8_e5m2": 57344.0, "float8_e5m2fnuz": 57344.0,
    "float4_e2m1fn": 6.0,
}
"""The largest number of each type with a point to which QuantizeLinear quantises (ONNX, "Float stored in 8 bits")."""


def _limits_of(dtype: np.dtype[Any]) -> tuple[float, float]:
    """The least and the largest number of a type, those of four bits and of eight bits with a point among them."""
    match = re.fullmatch(r"(u?)int(\d+)", dtype.name)
    if match is None:
        largest = _LARGEST[dtype.name]
        return -largest, largest
    bits = int(match[2])
    return (0.0, 2.0**bits - 1) if match[1] else (-(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1)


def _along(value: Array, shape: Sequence[int], axis: int) -> Array:
    if value.size == 1:
        return value.reshape(())
    if value.ndim != 1:
        raise ValueError("its scales are of blocks; scales of a value or of a channel are supported")
    return value.reshape([-1 if k == axis % len(shape) else 1 for k in range(len(shape))])


def _alike(back: Op, op: Op, graph: Graph) -> bool:
    """Whether a DQ has the scale and zero point of a Q."""
    for k in (1, 2):
        a, b = (graph.constants.get(o.inputs[k]) if len(o.inputs) > k else None for o in (back, op))
        a, b = (np.zeros(()) if v is None else v for v in (a, b))
        if a.size != b.size or not np.array_equal(a.astype(np.float64).reshape(-1), b.astype(np.float64).reshape(-1)):
            return False
    return True
