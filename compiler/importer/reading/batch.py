"""The batch: samples on which a model is run, and whether its answers for a batch are those for each of it."""

from dataclasses import replace

import numpy as np
import onnx

from mho.compiler.importer.graph import Graph, Input, Op
from mho.compiler.importer.reading.probe import NodeError, Values, probe, samples, sentence
from mho.compiler.inputs import Inputs, NamedInputs
from mho.compiler.types import Array
from mho.macro_models.errors import InputError

LARGEST = 64
"""Samples of a batch of a fixed size that is run as a whole."""


def batch_first(graph: Graph, proto: onnx.ModelProto) -> Graph:
    """The graph with samples first in all inputs.

    Where a later dimension alone is open and named as a batch, or as the first one of another input, as in states of
    recurrent layers and sequences with the time in front, the graph moves it there.
    """
    names = {i.name: [d.dim_param for d in i.type.tensor_type.shape.dim] for i in proto.graph.input}
    firsts = {names[i.name][0] for i in graph.inputs if i.shape and i.shape[0] is None} - {""}
    inputs, ops, renamed = [], [], {}
    for entry in graph.inputs:
        axes = [axis for axis, size in enumerate(entry.shape) if size is None]
        symbol = names[entry.name][axes[0]] if len(axes) == 1 and axes[0] else ""
        if symbol not in firsts and not symbol.lower().startswith("batch") and symbol not in ("N", "n"):
            inputs.append(entry)
            continue
        axis, renamed[entry.name] = axes[0], f"{entry.name}/moved"
        inputs.append(Input(entry.name, (None, *entry.shape[:axis], *entry.shape[axis + 1 :]), entry.dtype))
        order = [*range(1, axis + 1), 0, *range(axis + 1, len(entry.shape))]
        ops.append(Op.make("Transpose", [entry.name], [renamed[entry.name]], perm=order))
        graph.warnings.append(f"input {entry.name!r} has its batch in dimension {axis}; its samples are given first")
    return replace(graph, inputs=inputs, ops=ops + [op.renamed(renamed) for op in graph.ops])


def sample_pair(graph: Graph, x: Inputs | None) -> tuple[Values, Values]:
    """Two inputs of the graph, from ``x`` where that has its shape."""
    rng = np.random.default_rng(0)
    batch = 1 if graph.batched else None
    pair = samples(graph.inputs, batch, rng), samples(graph.inputs, batch, rng)
    if isinstance(x, NamedInputs):
        for sample, k in zip(pair, (0, -1), strict=True):
            for name, value in sample.items():
                if name in x.arrays and x.arrays[name][k].size == value.size:
                    sample[name] = x.arrays[name][k].reshape(value.shape).astype(value.dtype)
    elif x is not None and len(x):
        for sample, row in zip(pair, (x[0].reshape(-1), x[-1].reshape(-1)), strict=True):
            if row.size != sum(v.size for v in sample.values()):
                continue
            first = 0
            for name, value in sample.items():
                sample[name] = row[first : first + value.size].reshape(value.shape).astype(value.dtype)
                first += value.size
    return pair


def batch_axes(
    where: str, raw: Graph, graph: Graph, values: Values, head: Values, tail: Values
) -> dict[str, int | None]:
    """Which dimension of each output is the batch, None where there is none.

    Raises InputError if the answers for a batch are others than those for each of its samples.
    """
    if not raw.batched:
        return dict.fromkeys(raw.outputs)
    count = raw.inputs[0].shape[0]
    fixed = count is not None and (count == 1 or count > LARGEST)
    alone, outputs = _outputs(*probe(raw, tail)), _outputs(graph, values)
    whole = replace(raw, batched=False)
    size = 2 if fixed or count is None else count
    together = {k: np.concatenate([head[k], tail[k], *[head[k]] * (size - 2)]) for k in head}
    first = {name: 0 if outputs[name].shape[:1] == (1,) else None for name in raw.outputs}
    try:
        both = _outputs(*probe(whole, together))
    except NodeError as error:
        if fixed:
            return first
        raise InputError(f"{where}: {error}, with a batch: it mixes the batch dimension with others") from None
    axes = {name: _axis(both[name], outputs[name], alone[name]) if name in both else None for name in raw.outputs}
    for name in raw.outputs:
        if axes[name] is None and fixed:
            axes[name] = first[name]
        elif axes[name] is None and not (name in graph.constants and np.array_equal(both[name], outputs[name])):
            raise InputError(f"{where}: {_mixed(graph, name, both, outputs, alone)}")
    return axes


def _outputs(graph: Graph, values: Values) -> Values:
    """All values, constants among them."""
    return {**graph.constants, **values}


def _mixed(graph: Graph, output: str, both: Values, head: Values, tail: Values) -> str:
    """A sentence about what mixes samples."""
    for op in graph.ops:
        for name in op.outputs:
            if name in both and name in tail and _axis(both[name], head[name], tail[name]) is None:
                return sentence(op, "it works along the batch dimension, or mixes it with others")
    return f"output {output!r} mixes the batch dimension with others"


def _axis(both: Array, head: Array, tail: Array) -> int | None:
    """The dimension along which the first two of a batch are those, None if there is none."""
    if both.ndim != head.ndim or head.shape != tail.shape:
        return None
    for axis in range(both.ndim):
        if head.shape[axis] != 1 or any(both.shape[k] != head.shape[k] for k in range(both.ndim) if k != axis):
            continue
        if both.shape[axis] < 2:
            continue
        rows, expected = np.take(both, [0, 1], axis=axis), np.concatenate([head, tail], axis=axis)
        if expected.dtype.kind in "OUS":
            if np.array_equal(rows, expected):
                return axis
            continue
        rows, expected = rows.astype(np.float64), expected.astype(np.float64)
        scale = np.abs(expected[np.isfinite(expected)]).max(initial=1e-30)
        if np.allclose(rows, expected, rtol=1e-5, atol=1e-5 * scale, equal_nan=True):
            return axis
    return None
