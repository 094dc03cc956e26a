"""Activation functions: what each does to a value, as clips, tables and sums."""

from collections.abc import Callable

import numpy as np

from mho.compiler.importer.values.flow import Flow, Unsupported
from mho.compiler.importer.values.spatial import weighted
from mho.compiler.model.stages import Map
from mho.compiler.model.windows import Attributes
from mho.compiler.types import Float


def leaky(x: Flow, alpha: float | Float) -> Flow:
    """``alpha * x + (1 - alpha) * relu(x)``; ``alpha`` broadcasts as ONNX says."""
    x = x.on_chip().pin()
    rectified = x.map("clip", low=0.0).affine(1.0 - np.asarray(alpha, dtype=np.float64), 0.0)
    return weighted([x.affine(alpha, 0.0), rectified], [1.0, 1.0])


def _more_than_relu(x: Flow, rest: str, factor: float = 1.0) -> Flow:
    """``relu(x) + factor * rest(x)``."""
    x = x.on_chip().pin()
    return weighted([x.map("clip", low=0.0), x.map(rest).affine(factor, 0.0)], [1.0, 1.0])


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
