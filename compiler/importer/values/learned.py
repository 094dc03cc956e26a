"""Operators of the domain ``ai.onnx.ml`` that pipelines of scikit-learn are exported with."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mho.compiler.importer.values.flow import Flow, Unsupported
from mho.compiler.importer.values.products import gemm
from mho.compiler.types import Array, Float

__all__ = ["ML_DOMAIN", "ML_HANDLERS"]

ML_DOMAIN = "ai.onnx.ml"

Handler = Callable[[Sequence[Flow | Array | None], dict[str, Any]], Flow | tuple[Flow, Flow]]


def _scaler(x: Flow, attrs: dict[str, Any]) -> Flow:
    """``(x - offset) * scale``."""
    scale, offset = (np.asarray(attrs.get(name, default), dtype=np.float64)
                     for name, default in (("scale", [1.0]), ("offset", [0.0])))
    return x.affine(scale, -offset * scale)


def _linear(x: Flow, weight: Float, name: str) -> Flow:
    """A product with weights (outputs, features) of a row of features."""
    x = x.with_shape((1, x.size)) if len(x.shape) < 2 else x
    return gemm(x, weight.T, left=True, turned=False, name=name)


def _linear_regressor(x: Flow, attrs: dict[str, Any]) -> Flow:
    if attrs.get("post_transform", b"NONE") != b"NONE":
        raise Unsupported(f"post_transform {attrs['post_transform'].decode()} is not supported; NONE is")
    weight = np.asarray(attrs["coefficients"], dtype=np.float64).reshape(int(attrs.get("targets", 1)), -1)
    return _linear(x, weight, attrs["node"]).affine(1.0, np.asarray(attrs.get("intercepts", [0.0]), dtype=np.float64))


def _linear_classifier(x: Flow, attrs: dict[str, Any]) -> tuple[Flow, Flow]:
    """Labels and scores."""
    labels = np.asarray(attrs.get("classlabels_ints", []), dtype=np.int64)
    weight = np.asarray(attrs["coefficients"], dtype=np.float64)
    if not len(labels) or weight.size % len(labels) or weight.size // len(labels) != x.size:
        raise Unsupported("its labels are no numbers, or not one for each row of its coefficients")
    intercepts = np.asarray(attrs.get("intercepts", np.zeros(len(labels))), dtype=np.float64)
    # Label and scores are made of one value, as it is computed once.
    scores = _linear(x, weight.reshape(len(labels), -1), attrs["node"]).affine(1.0, intercepts).end_layers()
    after = attrs.get("post_transform", b"NONE").decode()
    if after not in ("NONE", "LOGISTIC", "SOFTMAX"):
        raise Unsupported(f"post_transform {after} is not supported; NONE, LOGISTIC and SOFTMAX are")
    chosen = scores.argmax(1, False, False).look_up(labels)
    if after == "SOFTMAX":
        return chosen, scores.softmax("softmax", 1, False)
    return chosen, scores if after == "NONE" else scores.squash("sigmoid", inner=False)


def _normalizer(x: Flow, attrs: dict[str, Any]) -> Flow:
    if attrs.get("norm", b"MAX") != b"L1":
        raise Unsupported(f"norm {attrs.get('norm', b'MAX').decode()} is not supported; L1 is")
    return x.normalise()


def _extract(inputs: Sequence[Flow | Array | None], attrs: dict[str, Any]) -> Flow:
    """ArrayFeatureExtractor: labels by the number of their class."""
    table, index = inputs
    if not isinstance(table, np.ndarray) or not isinstance(index, Flow):
        raise Unsupported("it takes elements of a computed value; labels by the index of their class are supported")
    if table.dtype.kind not in "fiu":
        raise Unsupported("its labels are no numbers; choose the output of probabilities")
    return index.look_up(np.ravel(table)).with_shape((1, index.size))


def _one(apply: Callable[[Flow, dict[str, Any]], Flow | tuple[Flow, Flow]]) -> Handler:
    def handler(inputs: Sequence[Flow | Array | None], attrs: dict[str, Any]) -> Flow | tuple[Flow, Flow]:
        if not isinstance(inputs[0], Flow):
            raise Unsupported("its input is a constant, where a computed value is needed")
        return apply(inputs[0], attrs)

    return handler


ML_HANDLERS: dict[str, Handler] = {
    "Scaler": _one(_scaler),
    "LinearRegressor": _one(_linear_regressor),
    "LinearClassifier": _one(_linear_classifier),
    "Normalizer": _one(_normalizer),
    "ArrayFeatureExtractor": _extract,
}
"""By operator: (inputs, attributes with the name of the node) -> value or values."""
