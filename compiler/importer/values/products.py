"""Products with constant weights, along any dimensions: Gemm, MatMul, Einsum, and those of ``ai.onnx.ml``."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from mho.compiler.importer.graph import Graph, Op
from mho.compiler.importer.values.flow import Flow, Unsupported
from mho.compiler.importer.values.node import Node
from mho.compiler.model.layer import LinearLayer
from mho.compiler.model.stages import Gather
from mho.compiler.types import Array, Float
from mho.macro_models.integer.window import Window, recover
from mho.macro_models.types import Indices, Integral

MOST_MATRICES = 1024
"""Matrices of one node: a batch of them."""


def products(x: Flow, grid: Integral, weight: Float, name: str) -> Flow:
    """``weight[b] @ x[grid[b, p]]`` for every b and p, of shape (matrices, positions, outputs).

    ``grid`` has shape (matrices, positions, inputs), ``weight`` (matrices, outputs, inputs).
    """
    matrices, positions, inputs = grid.shape
    if weight.shape[2] != inputs:
        raise Unsupported(f"its weights take {weight.shape[2]} numbers, but the value has shape {x.text}")
    if matrices > MOST_MATRICES:
        raise Unsupported(f"it has {matrices} matrices; at most {MOST_MATRICES} are supported")
    x = x.on_chip()
    if matrices > 1:
        x = x.pin()
    parts = []
    for b in range(matrices):
        called = name if matrices == 1 else f"{name}.{b}"
        if positions == 1:
            operand = x if matrices == 1 and np.array_equal(grid[b, 0], np.arange(x.size)) else x.take(
                grid[b, 0].astype(np.int32)
            )
            parts.append(operand.linear(weight[b], called))
        else:
            layer = LinearLayer(name=called, weight=weight[b], bias=np.zeros(len(weight[b])), relu=False)
            parts.append(x.convolve(layer, grid[b].astype(np.int32), partial(_window, positions=positions)))
    outputs = weight.shape[1]
    # A layer makes its outputs one after the other, each at all positions.
    order = np.arange(matrices * outputs * positions).reshape(matrices, outputs, positions).transpose(0, 2, 1)
    if matrices == 1:
        return parts[0].move(order)
    return join([p.node for p in parts], order, parts[0])


def _window(patches: Indices, positions: int) -> Window | None:
    """The geometry of a product along one dimension: positions and inputs at equal distances, if they are."""
    return recover(patches, patches.shape[1], (positions,), (1,), (1,), (1,), 1)


def join(nodes: Sequence[Node], grid: Integral, like: Flow) -> Flow:
    """The values of several nodes, whose elements are numbered one after the other, in the order of ``grid``."""
    index = grid.reshape(-1).astype(np.int32)
    return like.then(Gather(index=index, like=index), *nodes, shape=grid.shape)


def gemm(x: Flow, weight: Float, *, left: bool, turned: bool, name: str) -> Flow:
    """``x @ weight`` for a weight of (inputs, outputs), or where x is on the right, ``weight @ x``.

    ``turned`` says that x is transposed first.
    """
    if len(x.shape) != 2 or weight.ndim != 2:
        raise Unsupported(f"it multiplies a value of shape {x.text} by weights of shape {list(weight.shape)}")
    x = x.move(x.grid.T) if turned else x
    if left:
        product = products(x, x.grid[None], weight.T[None], name)
        return product.with_shape(product.shape[1:])
    product = products(x, x.grid.T[None], weight[None], name)
    return product.move(product.grid[0].T)


def matmul(x: Flow, weight: Float, *, left: bool, name: str) -> Flow:
    """MatMul by a constant on the right (``left``: x is on the left) or on the left."""
    if not left:
        # w @ x is the transpose of x' @ w'.
        grid = x.grid if len(x.shape) > 1 else x.grid[:, None]
        turned = weight.swapaxes(-1, -2) if weight.ndim > 1 else weight[:, None]
        result = matmul(x.move(np.swapaxes(grid, -1, -2)), turned, left=True, name=name)
        result = result.move(np.swapaxes(result.grid, -1, -2))
        if len(x.shape) == 1:
            result = result.with_shape(result.shape[:-1])
        return result.with_shape((*result.shape[:-2], *result.shape[-1:])) if weight.ndim == 1 else result
    grid = x.grid if len(x.shape) > 1 else x.grid[None]
    matrix = weight if weight.ndim > 1 else weight[:, None]
    if matrix.shape[-2] != grid.shape[-1]:
        raise Unsupported(f"its weights take {matrix.shape[-2]} numbers, but the value has shape {x.text}")
    try:
        lead = np.broadcast_shapes(grid.shape[:-2], matrix.shape[:-2])
    except ValueError:
        raise Unsupported(f"its weights of shape {list(weight.shape)} do not fit {x.text}") from None
    rows, columns = grid.shape[-2], matrix.shape[-1]
    if int(np.prod(matrix.shape[:-2])) == 1:
        wide = np.broadcast_to(grid, (*lead, *grid.shape[-2:])).reshape(1, -1, grid.shape[-1])
        result = products(x, wide, matrix.reshape(1, *matrix.shape[-2:]).swapaxes(1, 2), name)
    else:
        wide = np.broadcast_to(grid, (*lead, *grid.shape[-2:])).reshape(-1, *grid.shape[-2:])
        matrices = np.broadcast_to(matrix, (*lead, *matrix.shape[-2:])).reshape(-1, *matrix.shape[-2:])
        result = products(x, wide, matrices.swapaxes(1, 2), name)
    shape = [*lead, rows, columns]
    if weight.ndim == 1:
        shape = shape[:-1]
    if len(x.shape) == 1:
        del shape[-1 if weight.ndim == 1 else -2]
    return result.with_shape(shape)


# Einsum ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Sum:
    """Letters of an Einsum of a value and a constant: by where they are."""

    x: str
    w: str
    out: str
    first: bool

    @property
    def shared(self) -> str:
        """Letters of all three: a matrix for each."""
        return "".join(c for c in self.x if c in self.w and c in self.out)

    @property
    def summed(self) -> str:
        return "".join(c for c in self.x if c in self.w and c not in self.out)

    @property
    def positions(self) -> str:
        return "".join(c for c in self.x if c not in self.w)

    @property
    def outputs(self) -> str:
        return "".join(c for c in self.w if c not in self.x)


def parse_einsum(op: Op, graph: Graph) -> _Sum | None:
    """The letters of an Einsum that is a product with constant weights, None of any other."""
    text = op.attrs.get("equation", b"").decode().replace(" ", "")
    if len(op.inputs) != 2 or "." in text:
        return None
    if "->" not in text:
        letters = text.replace(",", "")
        text += "->" + "".join(sorted(c for c in set(letters) if letters.count(c) == 1))
    terms, out = text.split("->")
    if terms.count(",") != 1:
        return None
    a, b = terms.split(",")
    first = op.inputs[1] in graph.constants
    rule = _Sum(*((a, b) if first else (b, a)), out, first)
    parts = (rule.x, rule.w, rule.out)
    if any(len(set(p)) != len(p) for p in parts) or not rule.summed:
        return None
    if any(c not in out for c in rule.positions + rule.outputs):
        return None
    return rule


def einsum(x: Flow, weight: Float, rule: _Sum, name: str) -> Flow:
    """A product by a constant, its dimensions named by letters."""
    order = rule.shared + rule.positions + rule.summed
    sizes = dict(zip(rule.x, x.shape, strict=True)) | dict(zip(rule.w, weight.shape, strict=True))

    def count(letters: str) -> int:
        return int(np.prod([sizes[c] for c in letters], dtype=np.int64))

    grid = x.grid.transpose([rule.x.index(c) for c in order])
    grid = grid.reshape(count(rule.shared), count(rule.positions), count(rule.summed))
    turned = weight.transpose([rule.w.index(c) for c in rule.shared + rule.outputs + rule.summed])
    product = products(x, grid, turned.reshape(len(grid), count(rule.outputs), grid.shape[2]), name)
    letters = rule.shared + rule.positions + rule.outputs
    product = product.with_shape([sizes[c] for c in letters])
    return product.move(product.grid.transpose([letters.index(c) for c in rule.out]))


ML_DOMAIN = "ai.onnx.ml"

Handler = Callable[[Sequence[Flow | Array | None], dict[str, Any]], Flow]


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


def _one(apply: Callable[[Flow, dict[str, Any]], Flow]) -> Handler:
    def handler(inputs: Sequence[Flow | Array | None], attrs: dict[str, Any]) -> Flow:
        if not isinstance(inputs[0], Flow):
            raise Unsupported("its input is a constant, where a computed value is needed")
        return apply(inputs[0], attrs)

    return handler


ML_HANDLERS: dict[str, Handler] = {
    "Scaler": _one(_scaler),
    "LinearRegressor": _one(_linear_regressor),
    "Normalizer": _one(_normalizer),
    "ArrayFeatureExtractor": _extract,
}
"""By operator: (inputs, attributes with the name of the node) -> value or values."""
