"""Resize by interpolation: sums of a few neighbours with constant factors, found by running it on unit vectors."""

import numpy as np
from numpy.typing import NDArray

from mho.compiler.importer.graph import Graph, Op
from mho.compiler.importer.values.flow import Flow
from mho.compiler.importer.values.spatial import combined
from mho.compiler.model.operators.run import run_node
from mho.compiler.types import Float
from mho.macro_models.integer.vector import PAD
from mho.macro_models.types import Integers

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
