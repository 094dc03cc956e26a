"""The operators that a network may have: what each does to the values that flow through the graph."""

from collections.abc import Callable

import numpy as np

from mho.compiler.importer.graph import attribute_axes
from mho.compiler.importer.values import spatial
from mho.compiler.importer.values.flow import Flow, Unsupported
from mho.compiler.importer.values.products import gemm, matmul
from mho.compiler.model.operators.run import is_float
from mho.compiler.model.stages import Map
from mho.compiler.model.windows import Attributes
from mho.compiler.types import Array, Float


def leaky(x: Flow, alpha: float | Float) -> Flow:
    """``alpha * x + (1 - alpha) * relu(x)``; ``alpha`` broadcasts as ONNX says."""
    x = x.on_chip().pin()
    rectified = x.map("clip", low=0.0).affine(1.0 - np.asarray(alpha, dtype=np.float64), 0.0)
    return spatial.weighted([x.affine(alpha, 0.0), rectified], [1.0, 1.0])


def _more_than_relu(x: Flow, rest: str, factor: float = 1.0) -> Flow:
    """``relu(x) + factor * rest(x)``."""
    x = x.on_chip().pin()
    return spatial.weighted([x.map("clip", low=0.0), x.map(rest).affine(factor, 0.0)], [1.0, 1.0])


def _gelu(x: Flow, attrs: Attributes) -> Flow:
    if attrs.get("approximate", b"none") not in (b"none", b"tanh"):
        raise Unsupported(f"its approximation {attrs['approximate'].decode()!r} is unknown")
    # The two differ by less than an entry of the table.
    return _more_than_relu(x, "gelu_rest")


def _selu(x: Flow, attrs: Attributes) -> Flow:
    alpha, gamma = attrs.get("alpha", 1.6732631921768188), attrs.get("gamma", 1.0507010221481323)
    return _more_than_relu(x, "elu_rest", float(alpha)).affine(float(gamma), 0.0)


def _hard_sigmoid(x: Flow, attrs: Attributes) -> Flow:
    return x.affine(float(attrs.get("alpha", 0.2)), float(attrs.get("beta", 0.5))).map("clip", low=0.0, high=1.0)


def _swish(x: Flow, attrs: Attributes) -> Flow:
    alpha = float(attrs.get("alpha", 1.0))
    if not alpha > 0:
        raise Unsupported(f"its alpha {alpha:g} is not positive")
    return _more_than_relu(x.affine(alpha, 0.0), "silu_rest").affine(1.0 / alpha, 0.0)


ACTIVATIONS: dict[str, Callable[[Flow, Attributes], Flow]] = {
    "LeakyRelu": lambda x, a: leaky(x, float(a.get("alpha", 0.01))),
    "Elu": lambda x, a: _more_than_relu(x, "elu_rest", float(a.get("alpha", 1.0))),
    "Selu": _selu,
    "Gelu": _gelu,
    "HardSwish": lambda x, a: _more_than_relu(x, "hard_swish_rest"),
    "HardSigmoid": _hard_sigmoid,
    "Swish": _swish,
    "Mish": lambda x, a: _more_than_relu(x, "mish_rest"),
    "Softplus": lambda x, a: _more_than_relu(x, "softplus_rest"),
}
"""By operator: (value, attributes) -> value."""


def gated(a: Flow, b: Flow) -> Flow:
    """The product of a value and its own sigmoid, which is how SiLU is exported.

    Raises Unsupported if that is not what the two are.
    """
    for x, gate in ((a, b), (b, a)):
        op = gate.node.operation
        if isinstance(op, Map) and op.function == "sigmoid" and not gate.pending and x.shape == gate.shape:
            # What is pending of a value of several users is not folded into its node, but a step behind it.
            source = x.made_by(gate.node.inputs[0])
            if source is not None:
                return _more_than_relu(source, "silu_rest")
    raise Unsupported("it multiplies two computed values; one of them must be constant, or the sigmoid of the other")


Value = Array | Flow
Handler = Callable[["list[Value | None]", Attributes], Flow]


def _flow(value: Value | None) -> Flow:
    if not isinstance(value, Flow):
        raise Unsupported("its first input is a constant, where a computed value is needed")
    return value


def _const(value: Value | None, what: str) -> Array:
    if not isinstance(value, np.ndarray):
        raise Unsupported(f"{what} must be constant, not computed")
    return value


def weights(value: Value | None, what: str = "its weights") -> Float:
    array = _const(value, what)
    if not is_float(array) and array.dtype.kind not in "iub":
        raise Unsupported(f"{what} are {array.dtype.name}; numbers are supported")
    if array.size == 0:
        raise Unsupported(f"{what} are empty")
    array = array.astype(np.float64)
    if not np.isfinite(array).all():
        raise Unsupported(f"{what} are NaN or infinite; finite ones are needed")
    return array


def _number(value: Value | None, what: str) -> float:
    array = _const(value, what)
    if array.size != 1 or np.isnan(array).any():
        raise Unsupported(f"{what} must be one number, not {array.dtype} of shape {list(array.shape)}, or NaN")
    return float(array.reshape(-1)[0])


def _gemm(inputs: list[Value | None], attrs: Attributes) -> Flow:
    a, b = inputs[0], inputs[1]
    alpha, beta = attrs.get("alpha", 1.0), attrs.get("beta", 1.0)
    turned = [bool(attrs.get(name, 0)) for name in ("transA", "transB")]
    left = isinstance(a, Flow)
    weight = weights(b if left else a)
    weight = alpha * (weight.T if turned[left] else weight)
    y = gemm(_flow(a if left else b), weight, left=left, turned=turned[not left], name=attrs["node"])
    if len(inputs) < 3 or inputs[2] is None:
        return y
    if isinstance(inputs[2], Flow):
        return spatial.weighted([y, inputs[2]], [1.0, beta])
    return y.affine(1.0, beta * weights(inputs[2], "its bias values"))


def _matmul(inputs: list[Value | None], attrs: Attributes) -> Flow:
    a, b = inputs
    if isinstance(a, Flow):
        return matmul(a, weights(b), left=True, name=attrs["node"])
    return matmul(_flow(b), weights(a), left=False, name=attrs["node"])


def _binary(inputs: list[Value | None], apply: Callable[[Flow, Array, bool], Flow]) -> Flow:
    if all(isinstance(i, Flow) for i in inputs):
        raise Unsupported("it combines two computed values; one of them must be constant")
    first = isinstance(inputs[0], Flow)
    flow, constant = (inputs[0], inputs[1]) if first else (inputs[1], inputs[0])
    return apply(_flow(flow), weights(constant, "its constants"), first)


def _add(inputs: list[Value | None], attrs: Attributes) -> Flow:
    a, b = inputs
    if isinstance(a, Flow) and isinstance(b, Flow):
        return spatial.weighted([a, b], [1.0, 1.0])
    return _binary(inputs, lambda x, c, first: x.affine(1.0, c))


def _sub(inputs: list[Value | None], attrs: Attributes) -> Flow:
    a, b = inputs
    if isinstance(a, Flow) and isinstance(b, Flow):
        return spatial.weighted([a, b], [1.0, -1.0])
    return _binary(inputs, lambda x, c, first: x.affine(1.0, -c) if first else x.affine(-1.0, c))


def _sum(mean: bool) -> Handler:
    """Sum or Mean of values, constants among them."""

    def apply(inputs: list[Value | None], attrs: Attributes) -> Flow:
        factor = 1.0 / len(inputs) if mean else 1.0
        flows = [x for x in inputs if isinstance(x, Flow)]
        total = spatial.weighted(flows, [factor] * len(flows)) if len(flows) > 1 else flows[0].affine(factor, 0.0)
        for x in inputs:
            if not isinstance(x, Flow):
                total = total.affine(1.0, factor * weights(x, "its constants"))
        return total

    return apply


def _max(smallest: bool) -> Handler:
    """Max or Min of computed values, or of one and constant numbers."""

    def apply(inputs: list[Value | None], attrs: Attributes) -> Flow:
        flows = [x for x in inputs if isinstance(x, Flow)]
        if len(flows) == len(inputs):
            return spatial.largest_of(flows, smallest=smallest) if len(flows) > 1 else flows[0]
        limits = [_number(x, "its constants") for x in inputs if not isinstance(x, Flow)]
        if smallest:
            return flows[0].clip(-np.inf, min(limits), attrs["node"])
        return flows[0].clip(max(limits), np.inf, attrs["node"])

    return apply


def _mul(inputs: list[Value | None], attrs: Attributes) -> Flow:
    a, b = inputs
    if isinstance(a, Flow) and isinstance(b, Flow):
        return gated(a, b)
    return _binary(inputs, lambda x, c, first: x.affine(c, 0.0))


def _div(inputs: list[Value | None], attrs: Attributes) -> Flow:
    def divide(x: Flow, c: Array, first: bool) -> Flow:
        if not first:
            raise Unsupported("it divides by a computed value; only a constant divisor is supported")
        if not np.all(c):
            raise Unsupported("it divides by zero")
        return x.affine(1.0 / c, 0.0)

    return _binary(inputs, divide)


def _batch_normalization(inputs: list[Value | None], attrs: Attributes) -> Flow:
    if attrs.get("training_mode", 0):
        raise Unsupported("training_mode is 1; export the model for inference")
    x = _flow(inputs[0])
    if len(x.shape) < 2:
        raise Unsupported("it needs a value of shape [batch, channels, ...]")
    scale, bias, mean, var = (weights(i, "its statistics") for i in inputs[1:5])
    deviation = np.sqrt(var + attrs.get("epsilon", 1e-5))
    if not np.all(deviation > 0):
        raise Unsupported("its variance plus epsilon is not positive")
    shape = (-1, *[1] * (len(x.shape) - 2))
    factor = scale / deviation
    return x.affine(factor.reshape(shape), (bias - mean * factor).reshape(shape))


def _softmax(kind: str) -> Handler:
    def apply(inputs: list[Value | None], attrs: Attributes) -> Flow:
        old = attrs["opset"] < 13
        return _flow(inputs[0]).softmax(kind, int(attrs.get("axis", 1 if old else -1)), old)

    return apply


def _argmax(inputs: list[Value | None], attrs: Attributes) -> Flow:
    keep, last = attrs.get("keepdims", 1) == 1, attrs.get("select_last_index", 0) == 1
    return _flow(inputs[0]).argmax(int(attrs.get("axis", 0)), keep, last)


def _conv(apply: Callable[[Flow, Float, Float | None, Attributes], Flow]) -> Handler:
    def handler(inputs: list[Value | None], attrs: Attributes) -> Flow:
        bias = weights(inputs[2], "its bias values") if len(inputs) > 2 else None
        return apply(_flow(inputs[0]), weights(inputs[1]), bias, attrs)

    return handler


def _clip(inputs: list[Value | None], attrs: Attributes) -> Flow:
    limits = [attrs.get("min", -np.inf), attrs.get("max", np.inf)]
    for k, value in enumerate(inputs[1:3]):
        limits[k] = limits[k] if value is None else _number(value, "its limits")
    return _flow(inputs[0]).clip(float(limits[0]), float(limits[1]), attrs["node"])


def _prelu(inputs: list[Value | None], attrs: Attributes) -> Flow:
    return leaky(_flow(inputs[0]), weights(inputs[1], "its slopes"))


def _reduce(apply: Callable[..., Flow], **how: bool) -> Handler:
    """A function of axes, None for all, and of whether dimensions are kept."""

    def handler(inputs: list[Value | None], attrs: Attributes) -> Flow:
        x, axes = _flow(inputs[0]), attribute_axes(inputs, attrs)
        if not axes and attrs.get("noop_with_empty_axes", 0):
            return x
        return apply(x, axes or None, attrs.get("keepdims", 1) == 1, **how)

    return handler


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
    "Cast": lambda i, a: _flow(i[0]).cast(a["type"]),
    "Sigmoid": lambda i, a: _flow(i[0]).squash("sigmoid", a["inner"]),
    "Tanh": lambda i, a: _flow(i[0]).squash("tanh", a["inner"]),
    "Clip": _clip,
    "Conv": _conv(spatial.convolution),
    "ConvTranspose": _conv(spatial.transposed_convolution),
    "MaxPool": lambda i, a: spatial.max_pool(_flow(i[0]), a),
    "AveragePool": lambda i, a: spatial.average_pool(_flow(i[0]), a),
    "GlobalAveragePool": lambda i, a: spatial.global_pool(_flow(i[0]), "average"),
    "GlobalMaxPool": lambda i, a: spatial.global_pool(_flow(i[0]), "max"),
    "ReduceMean": _reduce(spatial.reduce_sum, mean=True),
    "ReduceSum": _reduce(spatial.reduce_sum, mean=False),
    "ReduceMax": _reduce(spatial.largest, smallest=False),
    "ReduceMin": _reduce(spatial.largest, smallest=True),
    "Sum": _sum(False),
    "Mean": _sum(True),
    "Max": _max(False),
    "Min": _max(True),
    "Softmax": _softmax("softmax"),
    "LogSoftmax": _softmax("log_softmax"),
    "ArgMax": _argmax,
} | {name: lambda i, a, f=f: f(_flow(i[0]), a) for name, f in ACTIVATIONS.items()}
"""By operator: (inputs, which are flows or constants; attributes, with the opset and the name of the node) -> value."""
