"""ONNX models with one thing changed: attributes, weights, inputs, dimensions."""

import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import AttributeProto, numpy_helper

from tests.compiler.importer.onnx_models import Array

WHOLE = [-(2**63), -10, -3, -2, -1, 0, 1, 2, 3, 5, 7, 100, 2**31, 2**62]
REAL = [float("nan"), float("inf"), -float("inf"), 0.0, -1.0, 1e38, 1e-38]


def changed(model: onnx.ModelProto, seed: int) -> onnx.ModelProto:
    """A copy with one change."""
    copy, rng = onnx.ModelProto(), random.Random(seed)
    copy.CopyFrom(model)
    graph, kind = copy.graph, rng.randrange(8)
    attributes = [(n, a) for n in graph.node for a in n.attribute]
    if kind <= 2 and attributes:
        _attribute(*rng.choice(attributes), rng)
    elif kind <= 5 and graph.initializer:
        tensor = rng.choice(list(graph.initializer))
        tensor.CopyFrom(numpy_helper.from_array(_tampered(numpy_helper.to_array(tensor), rng), tensor.name))
    elif kind == 6:
        _wires(graph, rng)
    else:
        dims = rng.choice([*graph.input, *graph.output]).type.tensor_type.shape.dim
        rng.choice(list(dims)).dim_value = rng.choice(WHOLE[4:])
    return copy


def _attribute(node: onnx.NodeProto, attribute: AttributeProto, rng: random.Random) -> None:
    if rng.random() < 0.1:
        node.attribute.remove(attribute)
    elif attribute.type == AttributeProto.INT:
        attribute.i = rng.choice(WHOLE)
    elif attribute.type == AttributeProto.FLOAT:
        attribute.f = rng.choice(REAL)
    elif attribute.type == AttributeProto.INTS:
        values, what = list(attribute.ints), rng.random()
        if what < 0.3 and values:
            values.pop()
        elif what < 0.5:
            values.append(rng.choice(WHOLE[3:-2]))
        elif values:
            values[rng.randrange(len(values))] = rng.choice(WHOLE)
        del attribute.ints[:]
        attribute.ints.extend(values)
    elif attribute.type == AttributeProto.FLOATS:
        attribute.floats[rng.randrange(len(attribute.floats))] = rng.choice(REAL)
    elif attribute.type == AttributeProto.STRING:
        attribute.s = rng.choice([b"", b"x", b"SAME_UPPER", b"VALID", b"reflect", b"\xff"])


def _tampered(a: Array, rng: random.Random) -> Array:
    def put() -> Array:
        b = a.copy()
        b.reshape(-1)[rng.randrange(b.size)] = rng.choice(REAL if b.dtype.kind == "f" else WHOLE)
        return b

    changes: Sequence[Any] = [
        put, lambda: a[..., None], lambda: a[None], lambda: a[:-1] if a.ndim else a,
        lambda: np.concatenate([a, a[:1]]) if a.ndim else a, lambda: a.T.copy(), lambda: a.reshape(-1),
        lambda: a.astype(rng.choice([np.float64, np.float16, np.int64, np.int32, np.float32])),
    ]
    return rng.choice(changes)()


def _wires(graph: onnx.GraphProto, rng: random.Random) -> None:
    node = rng.choice(list(graph.node))
    names = [name for n in graph.node for name in (*n.input, *n.output)] + ["", "nope"]
    what = rng.random()
    if what < 0.5:
        node.input[rng.randrange(len(node.input))] = rng.choice(names)
    elif what < 0.7:
        node.input.append(rng.choice(names))
    elif what < 0.9:
        del node.input[-1]
    else:
        node.op_type = rng.choice([n.op_type for n in graph.node])
