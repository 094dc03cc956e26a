"""The batch: samples on which a model is run, and whether its answers for a batch are those for each of it."""

from dataclasses import replace
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from mho.compiler.importer.graph import Graph, Input, Op
from mho.compiler.importer.reading.probe import NodeError, Values, probe, samples, sentence
from mho.compiler.inputs import Inputs, NamedInputs
from mho.macro_models.errors import InputError

__all__ = ["batch_axes", "batch_first", "sample_pair"]

Array = NDArray[Any]

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
    for one in graph.inputs:
        axes = [axis for axis, size in enumerate(one.shape) if size is None]
        symbol = names[one.name][axes[0]] if len(axes) == 1 and axes[0] else ""
        if symbol not in firsts and not symbol.lower().startswith("batch") and symbol not in ("N", "n"):
            inputs.append(one)
            continue
        axis, renamed[one.name] = axes[0], f"{one.name}/moved"
        inputs.append(Input(one.name, (None, *one.shape[:axis], *one.shape[axis + 1 :]), one.dtype))
        order = [*range(1, axis + 1), 0, *range(axis + 1, len(one.shape))]
        ops.append(Op.make("Transpose", [one.name], [renamed[one.name]], perm=order))
        graph.warnings.append(f"input {one.name!r} has its batch in dimension {axis}; its samples are given first")
    return replace(graph, inputs=inputs, ops=ops + [op.renamed(renamed) for op in graph.ops])


def sample_pair(graph: Graph, x: Inputs | None) -> tuple[Values, Values]:
    """Two inputs of the graph, from ``x`` where that has its shape."""
    rng = np.random.default_rng(0)
    batch = 1 if graph.batched else None
    pair = samples(graph.inputs, batch, rng), samples(graph.inputs, batch, rng)
    if isinstance(x, NamedInputs):
        for one, k in zip(pair, (0, -1), strict=True):
            for name, value in one.items():
                if name in x.arrays and x.arrays[name][k].size == value.size:
                    one[name] = x.arrays[name][k].reshape(value.shape).astype(value.dtype)
    elif x is not None and len(x):
        for one, row in zip(pair, (x[0].reshape(-1), x[-1].reshape(-1)), strict=True):
            if row.size != sum(v.size for v in one.values()):
                continue
            first = 0
            for name, value in one.items():
                one[name] = row[first : first + value.size].reshape(value.shape).astype(value.dtype)
                first += value.size
    return pair


def batch_axes(
    where: str, raw: Graph, graph: Graph, values: Values, one: Values, two: Values
) -> dict[str, int | None]:
    """Which dimension of each output is the batch, None where there is none.

    Raises
    ------
    InputError
        If the answers for a batch are others than those for each of its samples.
    """
    if not raw.batched:
        return dict.fromkeys(raw.outputs)
    count = raw.inputs[0].shape[0]
    fixed = count is not None and (count == 1 or count > LARGEST)
    alone, made = _outputs(*probe(raw, two)), _outputs(graph, values)
    whole = replace(raw, batched=False)
    size = 2 if fixed or count is None else count
    together = {k: np.concatenate([one[k], two[k], *[one[k]] * (size - 2)]) for k in one}
    first = {name: 0 if made[name].shape[:1] == (1,) else None for name in raw.outputs}
    try:
        both = _outputs(*probe(whole, together))
    except NodeError as error:
        if fixed:
            return first
        raise InputError(f"{where}: {error}, with a batch: it mixes the batch dimension with others") from None
    found = {name: _axis(both[name], made[name], alone[name]) if name in both else None for name in raw.outputs}
    for name in raw.outputs:
        if found[name] is None and fixed:
            found[name] = first[name]
        elif found[name] is None and not (name in graph.constants and np.array_equal(both[name], made[name])):
            raise InputError(f"{where}: {_mixed(graph, name, both, made, alone)}")
    return found


def _outputs(graph: Graph, values: Values) -> Values:
    """All values, constants among them."""
    return {**graph.constants, **values}


def _mixed(graph: Graph, output: str, both: Values, one: Values, two: Values) -> str:
    """A sentence about what mixes samples."""
    for op in graph.ops:
        for name in op.outputs:
            if name in both and name in two and _axis(both[name], one[name], two[name]) is None:
                return sentence(op, "it works along the batch dimension, or mixes it with others")
    return f"output {output!r} mixes the batch dimension with others"


def _axis(both: Array, one: Array, two: Array) -> int | None:
    """The dimension along which the first two of a batch are those, None if there is none."""
    if both.ndim != one.ndim or one.shape != two.shape:
        return None
    for axis in range(both.ndim):
        if one.shape[axis] != 1 or any(both.shape[k] != one.shape[k] for k in range(both.ndim) if k != axis):
            continue
        if both.shape[axis] < 2:
            continue
        found, wanted = np.take(both, [0, 1], axis=axis), np.concatenate([one, two], axis=axis)
        if wanted.dtype.kind in "OUS":
            if np.array_equal(found, wanted):
                return axis
            continue
        found, wanted = found.astype(np.float64), wanted.astype(np.float64)
        scale = np.abs(wanted[np.isfinite(wanted)]).max(initial=1e-30)
        if np.allclose(found, wanted, rtol=1e-5, atol=1e-5 * scale, equal_nan=True):
            return axis
    return None
