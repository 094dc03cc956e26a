"""The operators that a network may have: what each does to the values that flow through the graph."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compiler.importer.activation import Flow, Unsupported
from compiler.importer.onnx_activations import ACTIVATIONS, gated, leaky
from compiler.importer.onnx_constants import BATCH, integers, numpy_type
from compiler.importer.onnx_spatial import (
    add_values,
    average_pool,
    concat,
    convolution,
    global_pool,
    max_pool,
    pad,
    reduce_mean,
)

__all__ = ["HANDLERS", "SUPPORTED", "Attributes", "Value"]

Array = NDArray[Any]
Value = Array | Flow
Attributes = dict[str, Any]

SUPPORTED = (
    "Gemm, MatMul, Conv, Add, Sub, Mul, Div (by constants), Relu, LeakyRelu, PRelu, Elu, Selu, Gelu, HardSwish, "
    "HardSigmoid, Swish, Mish, Softplus, Clip, Sigmoid, Tanh, BatchNormalization, MaxPool, AveragePool, "
    "GlobalAveragePool, GlobalMaxPool, ReduceMean, Concat, Pad, Flatten, Reshape, Squeeze, Unsqueeze, Transpose, "
    "Identity, Dropout, Cast, Neg, Scaler, LinearRegressor, LinearClassifier and, at the end, Softmax, LogSoftmax, "
    "ArgMax, Normalizer, ZipMap, ArrayFeatureExtractor"
)
"""The operators that a network may have, as an error message names them."""

AT_THE_END = frozenset(
    (
        *("Relu", "Clip", "Sigmoid", "Tanh", "Softmax", "LogSoftmax", "ArgMax"),
        *("Normalizer", "ZipMap", "ArrayFeatureExtractor"),
        *("Identity", "Dropout", "Cast", "Neg", "Flatten", "Reshape", "Squeeze", "Unsqueeze"),
    )
)
"""Operators that the host can do after the last step."""


def _flow(value: Value | None) -> Flow:
    if not isinstance(value, Flow):
        raise Unsupported("its first input is a constant, where a computed value is needed")
    return value


def _const(value: Value | None, what: str) -> Array:
    if not isinstance(value, np.ndarray):
        raise Unsupported(f"{what} must be constant, not computed")
    return value


def _weights(value: Value | None, what: str = "its weights") -> NDArray[np.float64]:
    array = _const(value, what)
    if not np.issubdtype(array.dtype, np.floating):
        raise Unsupported(f"{what} are {array.dtype.name}; float32, float64 or float16 is supported")
    if array.size == 0:
        raise Unsupported(f"{what} are empty")
    if not np.isfinite(array).all():
        raise Unsupported(f"{what} are NaN or infinite; finite ones are needed")
    return array.astype(np.float64)


def _number(value: Value | None, what: str) -> float:
    array = _const(value, what)
    if array.size != 1 or np.isnan(array).any():
        raise Unsupported(f"{what} must be one number, not {array.dtype} of shape {list(array.shape)}, or NaN")
    return float(array.reshape(-1)[0])


def _gemm(inputs: list[Value | None], attrs: Attributes) -> Flow:
    a, b = inputs[0], inputs[1]
    alpha, beta = attrs.get("alpha", 1.0), attrs.get("beta", 1.0)
    trans_a, trans_b = bool(attrs.get("transA", 0)), bool(attrs.get("transB", 0))
    if isinstance(a, Flow):
        x = a.transpose(None) if trans_a else a
        weight = _weights(b)
        weight, side = (weight if trans_b else weight.T), 0
    else:
        x = _flow(b).transpose(None) if trans_b else _flow(b)
        weight = _weights(a)
        weight, side = (weight.T if trans_a else weight), 1
    if x.batch_axis != side or len(x.shape) != 1 or weight.ndim != 2:
        raise Unsupported("it multiplies along the batch dimension or along more than two dimensions")
    y = x.linear(alpha * weight, attrs["node"])
    y = replace(y, batch_axis=side)
    return y.affine(1.0, beta * _weights(inputs[2], "its bias values")) if len(inputs) > 2 else y


def _matmul(inputs: list[Value | None], attrs: Attributes) -> Flow:
    a, b = inputs
    x = _flow(a if isinstance(a, Flow) else b)
    weight = _weights(b if isinstance(a, Flow) else a)
    more = [1] * (weight.ndim - len(x.full_shape))
    while weight.ndim > 2 and weight.shape[0] == 1:
        weight = weight[0]
    if weight.ndim not in (1, 2):
        raise Unsupported(f"weights of shape {list(weight.shape)} are not supported; a matrix is")
    full = list(x.full_shape)
    vector = weight.ndim == 1
    if isinstance(a, Flow):
        matrix, axis = weight.reshape(len(weight), -1).T, len(full) - 1
    else:
        matrix, axis = weight.reshape(-1, weight.shape[-1]), max(len(full) - 2, 0)
    if any(d not in (1, BATCH) for i, d in enumerate(full) if i != axis) or full[axis] == BATCH:
        raise Unsupported("it multiplies one dimension of several; flatten the value first")
    y = x.linear(matrix, attrs["node"])
    full[axis : axis + 1] = [] if vector else [len(matrix)]
    return y.relabel([*more, *full])


def _binary(inputs: list[Value | None], attrs: Attributes, apply: Callable[[Flow, Array, bool], Flow]) -> Flow:
    if all(isinstance(i, Flow) for i in inputs):
        raise Unsupported("it combines two computed values; one of them must be constant")
    first = isinstance(inputs[0], Flow)
    flow, constant = (inputs[0], inputs[1]) if first else (inputs[1], inputs[0])
    return apply(_flow(flow), _weights(constant, "its constants"), first)


def _add(inputs: list[Value | None], attrs: Attributes) -> Flow:
    a, b = inputs
    if isinstance(a, Flow) and isinstance(b, Flow):
        return add_values(a, b, 1.0)
    return _binary(inputs, attrs, lambda x, c, first: x.affine(1.0, c))


def _sub(inputs: list[Value | None], attrs: Attributes) -> Flow:
    a, b = inputs
    if isinstance(a, Flow) and isinstance(b, Flow):
        return add_values(a, b, -1.0)
    return _binary(inputs, attrs, lambda x, c, first: x.affine(1.0, -c) if first else x.affine(-1.0, c))


def _mul(inputs: list[Value | None], attrs: Attributes) -> Flow:
    a, b = inputs
    if isinstance(a, Flow) and isinstance(b, Flow):
        return gated(a, b)
    return _binary(inputs, attrs, lambda x, c, first: x.affine(c, 0.0))


def _div(inputs: list[Value | None], attrs: Attributes) -> Flow:
    def divide(x: Flow, c: Array, first: bool) -> Flow:
        if not first:
            raise Unsupported("it divides by a computed value; only a constant divisor is supported")
        if not np.all(c):
            raise Unsupported("it divides by zero")
        return x.affine(1.0 / c, 0.0)

    return _binary(inputs, attrs, divide)


def _batch_normalization(inputs: list[Value | None], attrs: Attributes) -> Flow:
    if attrs.get("training_mode", 0):
        raise Unsupported("training_mode is 1; export the model for inference")
    x = _flow(inputs[0])
    if x.batch_axis != 0 or not x.shape:
        raise Unsupported("it needs a value of shape [batch, channels, ...]")
    scale, bias, mean, var = (_weights(i, "its statistics") for i in inputs[1:5])
    deviation = np.sqrt(var + attrs.get("epsilon", 1e-5))
    if not np.all(deviation > 0):
        raise Unsupported("its variance plus epsilon is not positive")
    shape = (-1, *[1] * (len(x.shape) - 1))
    factor = scale / deviation
    return x.affine(factor.reshape(shape), (bias - mean * factor).reshape(shape))


def _reshape(inputs: list[Value | None], attrs: Attributes) -> Flow:
    shape = _const(inputs[1], "its shape") if len(inputs) > 1 else np.asarray(attrs["shape"])
    return _flow(inputs[0]).reshape(integers(shape, "its shape"), bool(attrs.get("allowzero", 0)))


def _axes(inputs: list[Value | None], attrs: Attributes) -> list[int] | None:
    if len(inputs) > 1:
        return integers(_const(inputs[1], "its axes"), "its axes")
    return [int(a) for a in attrs["axes"]] if "axes" in attrs else None


def _dropout(inputs: list[Value | None], attrs: Attributes) -> Flow:
    if len(inputs) > 2 and np.any(_const(inputs[2], "training_mode")):
        raise Unsupported("training_mode is true; export the model for inference")
    return _flow(inputs[0])


def _softmax(kind: str) -> Callable[[list[Value | None], Attributes], Flow]:
    def apply(inputs: list[Value | None], attrs: Attributes) -> Flow:
        old = attrs["opset"] < 13
        return _flow(inputs[0]).softmax(kind, int(attrs.get("axis", 1 if old else -1)), old)

    return apply


def _argmax(inputs: list[Value | None], attrs: Attributes) -> Flow:
    keep, last = attrs.get("keepdims", 1) == 1, attrs.get("select_last_index", 0) == 1
    return _flow(inputs[0]).argmax(int(attrs.get("axis", 0)), keep, last)


def _conv(inputs: list[Value | None], attrs: Attributes) -> Flow:
    bias = _weights(inputs[2], "its bias values") if len(inputs) > 2 else None
    return convolution(_flow(inputs[0]), _weights(inputs[1]), bias, attrs)


def _clip(inputs: list[Value | None], attrs: Attributes) -> Flow:
    limits = [attrs.get("min", -np.inf), attrs.get("max", np.inf)]
    for k, value in enumerate(inputs[1:3]):
        limits[k] = limits[k] if value is None else _number(value, "its limits")
    return _flow(inputs[0]).clip(float(limits[0]), float(limits[1]), attrs["node"])


def _prelu(inputs: list[Value | None], attrs: Attributes) -> Flow:
    return leaky(_flow(inputs[0]), _weights(inputs[1], "its slopes"))


def _concat(inputs: list[Value | None], attrs: Attributes) -> Flow:
    flows = [_flow(i) for i in inputs]
    if len(flows) == 2 and all(f.host for f in flows):
        return flows[1].complement(flows[0])
    return concat(flows, int(attrs["axis"]))


def _pad(inputs: list[Value | None], attrs: Attributes) -> Flow:
    mode = attrs.get("mode", b"constant").decode()
    pads = _const(inputs[1], "its pads") if len(inputs) > 1 else np.asarray(attrs["pads"])
    fill = attrs.get("value", 0.0 if len(inputs) < 3 or inputs[2] is None else _number(inputs[2], "its value"))
    if not np.isfinite(fill):
        raise Unsupported(f"its value is {fill}; a finite one is needed")
    if len(inputs) > 3:
        raise Unsupported("pads of chosen axes are not supported; pads of all axes are")
    return pad(_flow(inputs[0]), integers(pads, "its pads"), mode, float(fill))


def _reduce_mean(inputs: list[Value | None], attrs: Attributes) -> Flow:
    return reduce_mean(_flow(inputs[0]), _axes(inputs, attrs), attrs.get("keepdims", 1) == 1)


def _shape(inputs: list[Value | None], attrs: Attributes) -> Array:
    return np.asarray(_flow(inputs[0]).full_shape[attrs.get("start", 0) : attrs.get("end")], dtype=np.int64)


HANDLERS: dict[str, Callable[[list[Value | None], Attributes], Value]] = {
    "Gemm": _gemm,
    "MatMul": _matmul,
    "Add": _add,
    "Sub": _sub,
    "Mul": _mul,
    "Div": _div,
    "Neg": lambda i, a: _flow(i[0]).affine(-1.0, 0.0),
    "PRelu": _prelu,
    "Relu": lambda i, a: _flow(i[0]).relu(a["node"]),
    "BatchNormalization": _batch_normalization,
    "Flatten": lambda i, a: _flow(i[0]).flatten(int(a.get("axis", 1))),
    "Reshape": _reshape,
    "Squeeze": lambda i, a: _flow(i[0]).squeeze(_axes(i, a)),
    "Unsqueeze": lambda i, a: _flow(i[0]).unsqueeze(_axes(i, a) or []),
    "Transpose": lambda i, a: _flow(i[0]).transpose(a.get("perm")),
    "Identity": lambda i, a: _flow(i[0]),
    "Dropout": _dropout,
    "Cast": lambda i, a: _flow(i[0]).cast(numpy_type(a["to"])),
    "Sigmoid": lambda i, a: _flow(i[0]).squash("sigmoid", a["inner"]),
    "Tanh": lambda i, a: _flow(i[0]).squash("tanh", a["inner"]),
    "Clip": _clip,
    "Conv": _conv,
    "MaxPool": lambda i, a: max_pool(_flow(i[0]), a),
    "AveragePool": lambda i, a: average_pool(_flow(i[0]), a),
    "GlobalAveragePool": lambda i, a: global_pool(_flow(i[0]), "average"),
    "GlobalMaxPool": lambda i, a: global_pool(_flow(i[0]), "max"),
    "ReduceMean": _reduce_mean,
    "Concat": _concat,
    "Pad": _pad,
    "Softmax": _softmax("softmax"),
    "LogSoftmax": _softmax("log_softmax"),
    "ArgMax": _argmax,
    "Shape": _shape,
} | {name: lambda i, a, f=f: f(_flow(i[0]), a) for name, f in ACTIVATIONS.items()}
"""By operator: (inputs, which are flows or constants; attributes, with the opset and the name of the node) -> value."""
