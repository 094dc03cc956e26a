"""Operators that move elements or interpolate, understood by running them on numbers of elements or unit vectors."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mho.compiler.importer.graph import Graph, Op
from mho.compiler.importer.values.flow import Flow, Unsupported
from mho.compiler.importer.values.node import Node
from mho.compiler.importer.values.spatial import combined
from mho.compiler.model.operators.run import is_float, run_node
from mho.compiler.model.stages import Gather
from mho.compiler.types import Array, Float
from mho.macro_models.integer.vector import PAD
from mho.macro_models.types import Flags, Integers

Value = Array | Flow

MOVERS: dict[str, tuple[int, ...]] = {
    **dict.fromkeys(
        (
            "CenterCropPad", "DepthToSpace", "Expand", "Flatten", "Gather", "GatherElements", "GatherND", "Identity",
            "Pad", "Reshape", "Resize", "ReverseSequence", "Slice", "SpaceToDepth", "Split", "Squeeze", "Tile",
            "Transpose", "Trilu", "Unsqueeze", "Upsample", "Compress",
        ),
        (0,),
    ),
    "Where": (1, 2), "Concat": (), "ScatterND": (0, 2), "ScatterElements": (0, 2), "Scatter": (0, 2),
}
"""By operator, which inputs hold elements, all if none is named; the others say where they go, and are constant."""


def data_inputs(op: Op) -> tuple[int, ...]:
    """Which inputs of a mover hold elements."""
    positions = MOVERS[op.kind] or tuple(range(len(op.inputs)))
    return (*positions, 2) if op.kind == "Pad" and len(op.inputs) > 2 and op.inputs[2] else positions


def move(op: Op, inputs: Sequence[Value | None], opset: int) -> tuple[Flow, ...]:
    """What a mover makes of its elements, those of constants among them.

    Raises Unsupported if it computes with them.
    """
    positions = [k for k in data_inputs(op) if k < len(inputs)]
    numbered: list[Array | None] = [None if isinstance(x, Flow) else x for x in inputs]
    flows, values, first = [], [], 1.0
    for k in positions:
        x = inputs[k]
        if x is None:
            continue
        numbered[k] = first + np.arange(x.size, dtype=np.float64).reshape(x.shape)
        first += x.size
        flows += [x] if isinstance(x, Flow) else []
        values.append(x)
    if any(isinstance(x, Flow) for k, x in enumerate(inputs) if k not in positions):
        raise Unsupported("where its elements go is computed; it must be constant")
    moved = run_node(op.proto, numbered, opset)
    return tuple(_taken(values, flows, grid) for grid in moved if grid is not None)


def _taken(values: Sequence[Value], flows: Sequence[Flow], grid: Array) -> Flow:
    """Elements by their number from 1, those of all values in a row; 0 is padding by zero."""
    if not is_float(grid) or (grid != np.rint(grid)).any() or grid.min(initial=0) < 0:
        raise Unsupported("it makes more than a choice of elements; export it as nearest neighbours, or without")
    number = grid.astype(np.int64)
    if len(values) == 1 and isinstance(values[0], Flow) and (number > 0).all():
        return values[0].move(number - 1)
    # Elements of the flows first, then those of constants, then zero.
    constants, flowing, here = [np.zeros(1)], 0, [-1]
    for x in values:
        if isinstance(x, Flow):
            here.extend(range(flowing, flowing + x.size))
            flowing += x.size
            constants.append(np.zeros(x.size))
        else:
            here.extend([-1] * x.size)
            constants.append(x.reshape(-1).astype(np.float64))
    index, fixed = np.asarray(here, dtype=np.int64)[number], np.concatenate(constants)[number]
    if (index >= 0).all() and len(flows) == 1:
        return flows[0].move(index)
    return _joined(flows, index, fixed)


def _joined(flows: Sequence[Flow], index: Array, fixed: Float) -> Flow:
    """Elements of flows side by side by their ``index``, and ``fixed`` numbers where that is -1."""
    away, filling = index.reshape(-1) < 0, fixed.reshape(-1)
    filled = np.unique(filling[away])
    like = _nearest(index).astype(np.int32)
    uniform = len(filled) == 1
    if away.any() and (len(flows) > 1 or not uniform):
        flows = [f.materialise() for f in flows]
    if len(flows) == 1:
        flow = flows[0].on_chip()
        grid = np.where(index < 0, PAD, index).astype(np.int32)
        joined = flow.take(grid, fill=float(filled[0]) if uniform else 0.0, like=like.reshape(index.shape))
        return joined if uniform or not away.any() else _add_fixed(joined, away, filling)
    nodes: list[Node] = [f.on_chip().node for f in flows]
    scale, offset = (np.concatenate([getattr(f, name) for f in flows])[like] for name in ("scale", "offset"))
    chosen = np.where(away, PAD, index.reshape(-1)).astype(np.int32)
    gathered = Gather(index=chosen, like=like.astype(np.int32), fill=float(filled[0]) if uniform else 0.0)
    result = flows[0].then(gathered, *nodes, shape=index.shape)
    result = replace(result, scale=scale, offset=offset)
    return result if uniform or not away.any() else _add_fixed(result, away, filling)


def _add_fixed(flow: Flow, away: Flags, filling: Float) -> Flow:
    return flow.affine(1.0, np.where(away, filling, 0.0).reshape(flow.shape))


def _nearest(index: Array) -> Integers:
    """For each element one that is there: the last before it, else the first."""
    flat = index.reshape(-1)
    present = np.flatnonzero(flat >= 0)
    if not len(present):
        return np.zeros(len(flat), dtype=np.int64)
    at = np.maximum(np.searchsorted(present, np.arange(len(flat)), side="right") - 1, 0)
    return flat[present[at]]


MOST_TERMS, LONGEST = 16, 512
"""Neighbours of an element, and elements along a dimension, up to which the vector unit does it."""
NEGLIGIBLE = 1e-9
"""Factors below are rounding."""

Factors = Float


def interpolates(op: Op) -> bool:
    """Whether a node is a Resize, or what it was once called, by other than the nearest."""
    return op.kind in ("Resize", "Upsample") and op.attrs.get("mode", b"nearest") != b"nearest"


def resampling(op: Op, graph: Graph) -> list[Factors] | None:
    """What each element is made of along each dimension, (elements made, elements), None where that cannot be said."""
    old_sizes, new_sizes = graph.shapes[op.inputs[0]], graph.shapes[op.outputs[0]]
    if op.attrs.get("coordinate_transformation_mode") == b"tf_crop_and_resize" or max(*old_sizes, *new_sizes) > LONGEST:
        return None
    if op.attrs.get("keep_aspect_ratio_policy", b"stretch") != b"stretch":
        return None
    parameters = [graph.constants.get(name) for name in op.inputs[1:]]
    last = parameters[-1] if parameters else np.asarray(op.attrs.get("scales", ()))
    axes = [int(a) % len(old_sizes) for a in op.attrs.get("axes", range(len(old_sizes)))]
    if last is None or len(last) != len(axes):
        return None
    sizes = op.attrs.get("scales") is None and last.dtype.kind in "iu"
    factors = []
    for axis, (before, after) in enumerate(zip(old_sizes, new_sizes, strict=True)):
        if before == after and (axis not in axes or sizes or last[axes.index(axis)] == 1):
            factors.append(np.eye(before))
            continue
        along = np.asarray([before, last[axes.index(axis)]] if sizes else [1, last[axes.index(axis)]], last.dtype)
        factor = _along(op, graph.opset, before, along, sizes)
        if factor.shape != (before, after):
            return None
        factors.append(np.where(np.abs(factor) > NEGLIGIBLE, factor, 0.0).T)
    terms = np.prod([np.count_nonzero(f, axis=1).max() for f in factors])
    return factors if terms <= MOST_TERMS else None


def _along(op: Op, opset: int, count: int, along: NDArray[np.generic], sizes: bool) -> Factors:
    """A node on unit vectors, one in each row, (elements, elements made), of two dimensions."""
    passed = {k: v for k, v in op.attrs.items() if k not in ("axes", "scales")}
    unit = np.eye(count)
    if op.kind == "Upsample" or opset < 11:
        weights = run_node(Op.make(op.kind, ["x", "s"], ["y"], **passed).proto, [unit, along], max(opset, 9))[0]
    else:
        names = ["x", "", "", "s"] if sizes else ["x", "", "s"]
        inputs = [unit, None, None, along] if sizes else [unit, None, along]
        weights = run_node(Op.make(op.kind, names, ["y"], **passed).proto, inputs, opset)[0]
    assert weights is not None
    return weights


def resample(x: Flow, factors: list[Factors], shape: tuple[int, ...]) -> Flow:
    """Sums of the neighbours of each element along all dimensions."""
    index, factor = np.zeros((1, 1), np.int64), np.ones((1, 1))
    for axis_factor in factors:
        near, weight = _neighbours(axis_factor)
        index = (index[:, None, :, None] * axis_factor.shape[1] + near[None, :, None, :])
        factor = factor[:, None, :, None] * weight[None, :, None, :]
        index, factor = (v.reshape(v.shape[0] * v.shape[1], -1) for v in (index, factor))
    return combined(x.materialise(), np.where(factor == 0.0, PAD, index), factor, shape)


def _neighbours(factors: Factors) -> tuple[Integers, Factors]:
    """Elements that each takes and their factors, of shape (elements made, terms)."""
    terms = int(np.count_nonzero(factors, axis=1).max())
    near = np.argsort(factors == 0.0, axis=1, kind="stable")[:, :terms]
    return near, np.take_along_axis(factors, near, axis=1)
