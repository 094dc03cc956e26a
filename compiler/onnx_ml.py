"""Operators of the domain ``ai.onnx.ml`` that pipelines of scikit-learn are exported with."""

from collections.abc import Callable
from typing import Any

import numpy as np

from compiler.flow import Flow, Unsupported

__all__ = ["ML_DOMAIN", "ML_HANDLERS"]

ML_DOMAIN = "ai.onnx.ml"


def _scaler(x: Flow, attrs: dict[str, Any]) -> Flow:
    """``(x - offset) * scale``."""
    scale, offset = (np.asarray(attrs.get(name, default), dtype=np.float64)
                     for name, default in (("scale", [1.0]), ("offset", [0.0])))  # fmt: skip
    return x.affine(scale, -offset * scale)


def _linear_regressor(x: Flow, attrs: dict[str, Any]) -> Flow:
    if attrs.get("post_transform", b"NONE") != b"NONE":
        raise Unsupported(f"post_transform {attrs['post_transform'].decode()} is not supported; NONE is")
    weight = np.asarray(attrs["coefficients"], dtype=np.float64).reshape(int(attrs.get("targets", 1)), -1)
    return x.linear(weight, attrs["node"]).affine(1.0, np.asarray(attrs.get("intercepts", [0.0]), dtype=np.float64))


ML_HANDLERS: dict[str, Callable[[Flow, dict[str, Any]], Flow]] = {
    "Scaler": _scaler,
    "LinearRegressor": _linear_regressor,
}
"""By operator: (input, attributes with the name of the node) -> value."""
