"""Classifiers of ``ai.onnx.ml`` by the product that they hold: labels with scores."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from mho.compiler.importer.graph import Graph, Op
from mho.compiler.model.operators.run import ML_DOMAIN
from mho.compiler.types import Float


def _numbers(attrs: Mapping[str, Any], name: str, default: Any = ()) -> Float:
    # As the file has them: single precision.
    return np.asarray(attrs.get(name, default), dtype=np.float32).astype(np.float64)


def _product(op: Op, graph: Graph, weight: Float, output: str) -> Op:
    """A product of what the node takes with weights of shape (features, outputs)."""
    weights = graph.constant(op, "w", weight.astype(np.float32))
    return Op.make("MatMul", [op.inputs[0], weights], [output], op.name)


_AFTER = {"LOGISTIC": "Sigmoid", "SOFTMAX": "Softmax"}


def _linear(op: Op, graph: Graph) -> list[Op]:
    """A LinearClassifier: a product with weights, and what is made of its scores."""
    after = op.attrs.get("post_transform", b"NONE").decode()
    if after not in ("NONE", *_AFTER):
        raise ValueError(f"post_transform {after} is not supported; NONE, LOGISTIC and SOFTMAX are")
    offset = graph.constant(op, "b", _numbers(op.attrs, "intercepts", [0.0]).astype(np.float32))
    return _scores(op, graph, offset, after)


def _scores(op: Op, graph: Graph, offset: str, after: str) -> list[Op]:
    """Scores of a product with a row of weights for each class, and the label of the largest."""
    classes = len(op.attrs.get("classlabels_strings") or op.attrs.get("classlabels_ints") or [])
    coefficients = _numbers(op.attrs, "coefficients")
    if not classes or coefficients.size % classes:
        raise ValueError("its labels are not one for each row of its coefficients")
    weight = coefficients.reshape(classes, -1).T
    probabilities, scores, number = (f"{op.first}/{name}" for name in "psn")
    parts = [_product(op, graph, weight, probabilities), Op.make("Add", [probabilities, offset], [scores])]
    if len(op.outputs) > 1 and op.outputs[1]:
        axis: dict[str, Any] = {"axis": 1} if after == "SOFTMAX" else {}
        parts.append(Op.make(_AFTER.get(after, "Identity"), [scores], [op.outputs[1]], op.name, **axis))
    if op.outputs[0] not in {*graph.wanted, *graph.outputs}:
        return parts
    parts.append(Op.make("ArgMax", [scores], [number], op.name, axis=1, keepdims=0))
    labels = op.attrs.get("classlabels_ints")
    if not labels:
        return [*parts, *_labels(op, number)]
    table, flat = graph.constant(op, "labels", np.asarray(labels)), graph.constant(op, "flat", np.array([-1]))
    chosen = Op.make("ArrayFeatureExtractor", [table, number], [f"{op.first}/l"], op.name, domain=ML_DOMAIN)
    return [*parts, chosen, Op.make("Reshape", [*chosen.outputs, flat], op.outputs[:1])]


def _labels(op: Op, number: str) -> list[Op]:
    """Labels by the numbers of the classes."""
    text, labels = op.attrs.get("classlabels_strings") or [], op.attrs.get("classlabels_ints") or []
    values = {"values_strings": text} if text else {"values_int64s": labels}
    keys = list(range(len(text or labels)))
    return [Op.make("LabelEncoder", [number], op.outputs[:1], op.name, domain=ML_DOMAIN, keys_int64s=keys, **values)]


CLASSIFIERS = {"LinearClassifier": _linear}
"""By operator: (node, graph) -> nodes in its place, or None."""
