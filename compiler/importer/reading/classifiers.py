"""Classifiers and regressors of ``ai.onnx.ml`` by the products that they hold: support vectors, labels with scores."""

from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np

from mho.compiler.importer.graph import Graph, Op
from mho.compiler.model.operators.run import ML_DOMAIN
from mho.compiler.types import Float


def _numbers(attrs: Mapping[str, Any], name: str, default: Any = ()) -> Float:
    # As the file has them: single precision.
    return np.asarray(attrs.get(name, default), dtype=np.float32).astype(np.float64)


def _product(op: Op, graph: Graph, weight: Float, output: str, data: str = "") -> Op:
    """A product of what the node takes, or of ``data``, with weights of shape (features, outputs)."""
    weights = graph.constant(op, f"w{data[-2:]}", weight.astype(np.float32))
    return Op.make("MatMul", [data or op.inputs[0], weights], [output], op.name)


# Support vector machines ----------------------------------------------------------------------------------------------


def _kernel(op: Op, graph: Graph, vectors: Float) -> tuple[list[Op], str, Float]:
    """What machines with a linear kernel take in place of the features, and the vectors that they then have.

    Kernels but the linear one are functions of products with the ``vectors``, of shape (vectors, features): a value for
    each of them, whose own vector has 1 there. That of a distance is of its parts, ``2 x s - s s - x x``, from the
    mean of the vectors, so that they are small.
    """
    kind = op.attrs.get("kernel_type", b"LINEAR")
    if kind == b"LINEAR":
        return [], op.inputs[0], vectors
    gamma, offset, degree = _numbers(op.attrs, "kernel_params")
    names = iter(f"{op.first}/k{n}" for n in range(8))
    ops: list[Op] = []

    def add(operator: str, *inputs: str, **attrs: Any) -> str:
        ops.append(Op.make(operator, inputs, [next(names)], **attrs))
        return ops[-1].outputs[0]

    def number(name: str, value: Any) -> str:
        return graph.constant(op, name, np.asarray(value, dtype=np.float32))

    distance, middle = kind == b"RBF", vectors.mean(axis=0)
    weight = 2.0 * gamma * (vectors - middle) if distance else gamma * vectors
    ops.append(_product(op, graph, weight.T, next(names)))
    norms = gamma * (middle**2 - vectors**2).sum(axis=1) if distance else np.full(len(vectors), offset)
    total = add("Add", ops[-1].outputs[0], number("own", norms))
    if distance:
        beside = add("Sub", op.inputs[0], number("middle", middle))
        square = add("Mul", beside, beside)
        axes = [graph.constant(op, "axes", np.array([1]))] if graph.opset >= 13 else []
        size = add("ReduceSum", square, *axes, keepdims=1, **({} if axes else {"axes": [1]}))
        kernel = add("Exp", add("Sub", total, add("Mul", size, number("gamma", gamma))))
    else:
        kernel = add("Tanh", total) if kind == b"SIGMOID" else add("Pow", total, number("degree", degree))
    return ops, kernel, np.eye(len(vectors))


def _regressor(op: Op, graph: Graph) -> list[Op] | None:
    """A product with one row of weights, of features or of the values of a kernel."""
    count, after = int(op.attrs.get("n_supports", 0)), op.attrs.get("post_transform", b"NONE")
    if after != b"NONE" or op.attrs.get("one_class", 0):
        return None
    coefficients, ops, data = _numbers(op.attrs, "coefficients").reshape(1, -1), [], op.inputs[0]
    if count:
        ops, data, vectors = _kernel(op, graph, _numbers(op.attrs, "support_vectors").reshape(count, -1))
        coefficients = coefficients @ vectors
    elif op.attrs.get("kernel_type", b"LINEAR") != b"LINEAR":
        return None
    offset = graph.constant(op, "rho", _numbers(op.attrs, "rho", [0.0])[:1].astype(np.float32))
    output = f"{op.first}/p"
    return [
        *ops, _product(op, graph, coefficients.reshape(-1, 1), output, data),
        Op.make("Add", [output, offset], op.outputs[:1]),
    ]


def _classifier(op: Op, graph: Graph) -> list[Op] | None:
    """A product for each pair of classes, and what is made of them: votes and probabilities.

    That is the same operator again, on the decisions of the pairs in place of the features. The kernel of a value with
    one unit vector for each pair is the decision of that pair, so the first class of a pair holds it with weight 1.
    """
    attrs, text = op.attrs, op.attrs.get("classlabels_strings") or []
    labels = text or op.attrs.get("classlabels_ints") or []
    count, classes = int(sum(attrs.get("vectors_per_class", []))), len(labels)
    if classes < 2 or (not count and attrs.get("kernel_type", b"LINEAR") != b"LINEAR"):
        return None
    if not count:
        return _without_vectors(op, graph, classes)
    ops, data, vectors = _kernel(op, graph, _numbers(attrs, "support_vectors").reshape(count, -1))
    coefficients = _numbers(attrs, "coefficients").reshape(classes - 1, count)
    weight = _of_pairs(vectors, coefficients, list(map(int, attrs["vectors_per_class"])))
    size = weight.shape[1]
    second = np.asarray([j for _, j in combinations(range(classes), 2)])
    # Labels of two classes are those of runtimes if not all coefficients are positive.
    of_pair = np.zeros((classes - 1, size))
    of_pair[second - 1, np.arange(size)] = -1.0
    scores, number = f"{op.first}/p", f"{op.first}/n"
    passed = {k: v for k, v in attrs.items() if k in _KEPT}
    last = Op.make(
        "SVMClassifier", [scores], [number, *op.outputs[1:]], op.name, domain=ML_DOMAIN, kernel_type="LINEAR",
        classlabels_ints=list(range(classes)), coefficients=of_pair.reshape(-1).tolist(),
        support_vectors=(-np.eye(size)).reshape(-1).tolist(),
        vectors_per_class=list(range(classes - 1, -1, -1)), **passed,
    )
    return [*ops, _product(op, graph, weight, scores, data), Op(last.proto, final=True), *_labels(op, number)]


def _without_vectors(op: Op, graph: Graph, classes: int) -> list[Op]:
    """A row of weights for each class; evaluations do not agree on the labels of two."""
    if classes < 3 or op.attrs.get("post_transform", b"NONE") != b"NONE":
        raise ValueError("without support vectors it needs at least 3 classes and post_transform NONE")
    offset = graph.constant(op, "rho", _numbers(op.attrs, "rho", [0.0])[:1].astype(np.float32))
    return _scores(op, graph, offset, "NONE")


_KEPT = frozenset(("post_transform", "prob_a", "prob_b", "rho"))


def _of_pairs(vectors: Float, coefficients: Float, counts: list[int]) -> Float:
    """Weights of the decision of each pair of classes, (features, pairs), from those of the vectors of each class."""
    starts, weights = np.cumsum([0, *counts]), []
    for i, j in combinations(range(len(counts)), 2):
        first, second = slice(starts[i], starts[i + 1]), slice(starts[j], starts[j + 1])
        weights.append(coefficients[j - 1, first] @ vectors[first] + coefficients[i, second] @ vectors[second])
    return np.stack(weights, axis=1)


# Labels and scores ----------------------------------------------------------------------------------------------------


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


CLASSIFIERS = {"SVMRegressor": _regressor, "SVMClassifier": _classifier, "LinearClassifier": _linear}
"""By operator: (node, graph) -> nodes in its place, or None."""
