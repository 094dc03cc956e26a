"""Operators of the ONNX runtime's own domain, as its optimiser and its quantisation write them, by standard ones.

What each takes and does is its schema's (onnxruntime, ``docs/ContribOperators.md``).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mho.compiler.importer.graph import Graph, Op
from mho.compiler.types import Array

_ARGUMENTS = {"LeakyRelu": ("alpha",), "HardSigmoid": ("alpha", "beta"), "Clip": ("min", "max")}
"""What numbers an activation takes in order."""
_ACTIVATIONS = ("Relu", "Sigmoid", "Tanh", *_ARGUMENTS)


def _activated(op: Op, graph: Graph, value: str, numbers: Sequence[float]) -> list[Op]:
    """The activation of a product that is fused with it."""
    kind = op.attrs.get("activation", b"").decode() or "Identity"
    if kind not in (*_ACTIVATIONS, "Identity"):
        raise ValueError(f"its activation {kind} is not supported; {', '.join(_ACTIVATIONS)} are")
    attrs: dict[str, Any] = dict(zip(_ARGUMENTS.get(kind, ()), numbers, strict=False))
    if kind == "Clip" and graph.opset >= 11:
        limits = [graph.constant(op, name, np.float32(number)) for name, number in attrs.items()]
        return [Op.make(kind, [value, *limits], op.outputs, op.name)]
    return [Op.make(kind, [value], op.outputs, f"{op.name}/{kind}", **attrs)]


def _attrs(op: Op) -> dict[str, Any]:
    """Attributes but for those of the activation."""
    return {name: value for name, value in op.attrs.items() if not name.startswith("activation")}


def _fused_conv(op: Op, graph: Graph) -> list[Op]:
    at, added = op.first, op.inputs[3:4]
    parts = [Op.make("Conv", [name for name in op.inputs[:3] if name], [f"{at}/c"], op.name, **_attrs(op))]
    if any(added):
        parts.append(Op.make("Add", [f"{at}/c", *added], [f"{at}/s"]))
    return parts + _activated(op, graph, parts[-1].first, op.attrs.get("activation_params", []))


def _fused_gemm(op: Op, graph: Graph) -> list[Op]:
    numbers = [op.attrs[name] for name in ("activation_alpha", "activation_beta") if name in op.attrs]
    product = Op.make("Gemm", [name for name in op.inputs if name], [f"{op.first}/g"], op.name, **_attrs(op))
    return [product, *_activated(op, graph, product.first, numbers)]


def _gelu(op: Op, graph: Graph) -> list[Op] | None:
    """Gelu of a value and maybe a bias, by the error function."""
    if not op.domain:
        return None
    at, x, parts = op.first, op.inputs[0], list[Op]()
    if any(op.inputs[1:]):
        parts, x = [Op.make("Add", op.inputs, [f"{at}/x"])], f"{at}/x"
    half, unity, root = (graph.constant(op, f"{n:.3f}", np.float32(n)) for n in (0.5, 1.0, 0.5**0.5))
    return [
        *parts, Op.make("Mul", [x, root], [f"{at}/r"]), Op.make("Erf", [f"{at}/r"], [f"{at}/e"]),
        Op.make("Add", [f"{at}/e", unity], [f"{at}/s"]), Op.make("Mul", [f"{at}/s", half], [f"{at}/gate"]),
        Op.make("Mul", [x, f"{at}/gate"], op.outputs, op.name),
    ]


def _weights(op: Op, graph: Graph, *places: int) -> list[Array]:
    names = [op.inputs[k] for k in places]
    if any(name not in graph.constants for name in names):
        raise ValueError("its weights, scales or zero points are computed; constants are supported")
    return [graph.constants[name] for name in names]


def _unpacked(packed: Array, bits: int, count: int) -> Array:
    """So many numbers of ``bits`` along the last dimension, of bytes in which the first is lowest."""
    ones = np.unpackbits(packed, axis=-1, bitorder="little")[..., : bits * count]
    return ones.reshape(*packed.shape[:-1], count, bits) @ (1 << np.arange(bits))


def _blocks(op: Op, graph: Graph) -> list[Op]:
    """MatMulNBits: weights of a few bits with a scale for each block along the inputs of an output."""
    inputs, outputs, size = (int(op.attrs[name]) for name in ("K", "N", "block_size"))
    bits, count = int(op.attrs.get("bits", 4)), -(-inputs // size)
    if any(op.inputs[4:5]):
        raise ValueError("its blocks are chosen by g_idx; those in order are supported")
    codes, scales = _weights(op, graph, 1, 2)
    codes = _unpacked(codes.reshape(outputs, count, -1), bits, size).astype(np.float64)
    zero: Array = np.full((outputs, count), 2.0 ** (bits - 1))
    if any(op.inputs[3:4]):
        (points,) = _weights(op, graph, 3)
        zero = _unpacked(points.reshape(outputs, -1), bits, count) if points.dtype == np.uint8 else points
    weight = (codes - zero.reshape(outputs, count, 1)) * scales.reshape(outputs, count, 1).astype(np.float64)
    weight = weight.reshape(outputs, -1)[:, :inputs].T.astype(np.float32)
    has_bias = any(op.inputs[5:6])
    names, made = [op.inputs[0], graph.constant(op, "w", weight)], [f"{op.first}/p"] if has_bias else op.outputs
    bias = [Op.make("Add", [*made, op.inputs[5]], op.outputs)] if has_bias else []
    return [Op.make("MatMul", names, made, op.name), *bias]


def _quantised_lstm(op: Op, graph: Graph) -> list[Op]:
    """DynamicQuantizeLSTM: an LSTM whose weights are quantised, and the other way round."""
    names = []
    for place, scale in ((1, 8), (2, 10)):
        codes, scales, zero = _weights(op, graph, place, scale, scale + 1)
        scales, zero = (v.astype(np.float64).reshape(len(codes), 1, -1) for v in (scales, zero))
        weight = ((codes - zero) * scales).swapaxes(1, 2).astype(np.float32)
        names.append(graph.constant(op, f"w{place}", weight))
    return [Op.make("LSTM", [op.inputs[0], *names, *op.inputs[3:8]], op.outputs, op.name, **op.attrs)]


RUNTIME = {
    "FusedConv": _fused_conv, "FusedGemm": _fused_gemm, "BiasGelu": _gelu, "Gelu": _gelu,
    "MatMulNBits": _blocks, "DynamicQuantizeLSTM": _quantised_lstm,
}
"""By operator: (node, graph) -> nodes in its place."""
