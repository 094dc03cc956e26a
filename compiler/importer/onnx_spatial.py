"""Operators on images and on several values: convolution, pooling, padding, concatenation, addition."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compiler.importer.activation import Flow, Unsupported, dimensions
from compiler.importer.node import Node
from compiler.importer.windows import windows
from compiler.model.layer import LinearLayer
from compiler.model.stages import Combine, Gather, Maximum
from macro_models.exact.vector import PAD

__all__ = [
    "add_values",
    "average_pool",
    "concat",
    "convolution",
    "global_pool",
    "max_pool",
    "pad",
    "reduce_mean",
]

Attributes = Mapping[str, Any]
Index = NDArray[np.int32]

GROUP_ROWS = 64
"""Rows up to which groups of a convolution share a rectangle of cells: those of other groups load a column."""


def _image(x: Flow) -> Flow:
    """A value of shape [batch, channels, dimensions...]."""
    if x.batch_axis != 0 or len(x.shape) < 2:
        raise Unsupported("it needs a value of shape [batch, channels, positions...]")
    return x.on_chip()


def _of_channel(index: Index, channel: NDArray[np.integer] | int, size: int) -> Index:
    """Elements of a channel of ``size``, where ``index`` counts from its start."""
    return np.where(index == PAD, PAD, index + np.asarray(channel) * size).astype(np.int32)


def convolution(x: Flow, weight: NDArray[np.float64], bias: NDArray[np.float64] | None, attrs: Attributes) -> Flow:
    """Conv: a layer of ``kernel * channels`` rows at each position; of groups, several side by side."""
    x = _image(x)
    channels, *size = x.shape
    groups = int(attrs.get("group", 1))
    kernel = list(weight.shape[2:])
    if groups < 1 or len(kernel) != len(size) or channels != groups * weight.shape[1] or len(weight) % groups:
        raise Unsupported(f"its weights of shape {list(weight.shape)} in {groups} groups do not fit {x.text}")
    if list(attrs.get("kernel_shape", kernel)) != kernel:
        raise Unsupported(f"its kernel_shape is not that of its weights, {kernel}")
    view = windows(size, kernel, attrs)
    bias = np.zeros(len(weight)) if bias is None else bias
    if bias.shape != weight.shape[:1]:
        raise Unsupported(f"its bias has shape {list(bias.shape)}, where {len(weight)} channels need [{len(weight)}]")
    if groups > 1:
        # The groups read one value, into which nothing may be folded for one of them alone.
        x = x.pin()
    parts = []
    per_group, outputs = weight.shape[1], len(weight) // groups
    share = max(1, GROUP_ROWS // (per_group * view.index.shape[1]))
    for first in range(0, groups, share):
        count = min(share, groups - first)
        inputs = np.arange(first * per_group, (first + count) * per_group)
        patches = np.concatenate([_of_channel(view.index, c, int(np.prod(size))) for c in inputs], axis=1)
        rows = slice(first * outputs, (first + count) * outputs)
        dense = np.zeros((count, outputs, count, per_group * view.index.shape[1]))
        dense[np.arange(count), :, np.arange(count)] = weight[rows].reshape(count, outputs, -1)
        name = attrs["node"] if share >= groups else f"{attrs['node']}.{first // share}"
        layer = LinearLayer(
            name=name, weight=dense.reshape(count * outputs, -1), bias=bias[rows].astype(np.float64), relu=False
        )
        parts.append(x.convolve(layer, patches, partial(view.recover, channels=len(inputs), groups=count)))
    shape = (len(weight), *view.shape)
    if len(parts) == 1:
        return replace(parts[0], shape=shape)
    return _join([p.node for p in parts], np.arange(int(np.prod(shape)), dtype=np.int32).reshape(shape), parts[0])


def _join(nodes: Sequence[Node], grid: Index, like: Flow) -> Flow:
    """The values of several nodes, whose elements are numbered one after the other, in the order of ``grid``."""
    index = grid.reshape(-1)
    return like.then(Gather(index=index, like=index), *nodes, shape=grid.shape)


def _pool(x: Flow, attrs: Attributes) -> tuple[Flow, Index, NDArray[np.bool_], tuple[int, ...]]:
    """The value, the windows of all its channels, which of their elements count, and the shape of the result."""
    x = _image(x).materialise()
    channels, *size = x.shape
    view = windows(size, [int(k) for k in attrs["kernel_shape"]], attrs)
    channel = np.arange(channels)[:, None, None]
    index = _of_channel(view.index[None], channel, int(np.prod(size))).reshape(-1, view.index.shape[1])
    return x, index, np.tile(view.inside, (channels, 1)), (channels, *view.shape)


def max_pool(x: Flow, attrs: Attributes) -> Flow:
    """MaxPool without indices. Padding never is the largest."""
    if attrs.get("storage_order", 0):
        raise Unsupported("storage_order 1 is not supported; 0 is")
    x, index, _, shape = _pool(x, attrs)
    real = index != PAD
    if not real.any(axis=1).all():
        raise Unsupported("one of its windows lies in the padding alone")
    first = index[np.arange(len(index)), real.argmax(axis=1)]
    return x.then(Maximum(index=np.where(real, index, first[:, None]).astype(np.int32)), shape=shape)


def average_pool(x: Flow, attrs: Attributes) -> Flow:
    """AveragePool: a sum with constant factors."""
    x, index, inside, shape = _pool(x, attrs)
    counted = inside if attrs.get("count_include_pad", 0) else index != PAD
    factor = (index != PAD) / np.maximum(counted.sum(axis=1, keepdims=True), 1)
    return _combined(x, index, factor, shape)


def _combined(x: Flow, index: Index, factor: NDArray[np.float64], shape: tuple[int, ...], *nodes: Node) -> Flow:
    result = x.then(
        Combine(
            index=index.astype(np.int32),
            coefficient=factor.astype(np.float64),
            offset=np.zeros(len(index)),
            channel=np.zeros(len(index), dtype=np.int32),
        ),
        *nodes,
        shape=shape,
    )
    assert isinstance(result.node.operation, Combine)
    operation = replace(result.node.operation, channel=result.channel)
    return replace(result, node=replace(result.node, operation=operation))


def global_pool(x: Flow, kind: str) -> Flow:
    """GlobalAveragePool or GlobalMaxPool."""
    size = _image(x).shape[1:]
    return (average_pool if kind == "average" else max_pool)(x, {"kernel_shape": size})


def reduce_mean(x: Flow, axes: Sequence[int] | None, keepdims: bool) -> Flow:
    """ReduceMean along all dimensions behind the channels, which is GlobalAveragePool."""
    rank = len(_image(x).shape) + 1
    if axes is None or sorted(dimensions(axes, rank)) != list(range(2, rank)):
        raise Unsupported("only the mean along all dimensions behind the channels is supported")
    result = global_pool(x, "average")
    return result if keepdims else replace(result, shape=result.shape[:1])


def pad(x: Flow, pads: Sequence[int], mode: str, fill: float) -> Flow:
    """Pad by a constant, by the edge or by reflection; not of the batch dimension, and not negative."""
    x = x.on_chip()
    rank = len(x.shape) + 1
    if x.batch_axis != 0 or len(pads) != 2 * rank or min(pads) < 0 or pads[0] or pads[rank]:
        raise Unsupported(f"its pads {list(pads)} do not fit {x.text}, are negative or pad the batch dimension")
    if mode not in ("constant", "edge", "reflect"):
        raise Unsupported(f"its mode {mode!r} is not supported; constant, edge and reflect are")
    grid = np.arange(x.size, dtype=np.int32).reshape(x.shape)
    widths = list(zip(pads[1:rank], pads[rank + 1 :], strict=True))
    if mode != "constant":
        return x.take(np.pad(grid, widths, mode=mode))  # type: ignore[call-overload]
    return x.take(np.pad(grid, widths, constant_values=PAD), fill=fill, like=np.pad(grid, widths, mode="edge"))


def _same_batch(flows: Sequence[Flow]) -> list[Flow]:
    if any(f.batch_axis != 0 for f in flows):
        raise Unsupported("it combines values whose batch dimension is not the first")
    return [f.on_chip() for f in flows]


def concat(flows: Sequence[Flow], axis: int) -> Flow:
    """Concat of computed values along any dimension but the batch."""
    flows = _same_batch(flows)
    (axis,) = dimensions([axis], len(flows[0].shape) + 1)
    if axis == 0:
        raise Unsupported("it works along the batch dimension")
    grids, first = [], 0
    for f in flows:
        grids.append(np.arange(first, first + f.size, dtype=np.int32).reshape(f.shape))
        first += f.size
    grid = np.concatenate(grids, axis=axis - 1)
    # Affine operators of the parts go on with the elements.
    result = _join([f.node for f in flows], grid, flows[0])
    scale, offset = (
        np.concatenate([getattr(f, name) for f in flows])[grid.reshape(-1)] for name in ("scale", "offset")
    )
    return replace(result, scale=scale, offset=offset)


def add_values(a: Flow, b: Flow, sign: float) -> Flow:
    """``a + sign * b`` of two computed values."""
    flows = [f.materialise() for f in _same_batch([a, b])]
    rank = max(len(f.shape) for f in flows)
    if any(len(f.shape) != rank for f in flows):
        raise Unsupported("it combines two computed values with different numbers of dimensions")
    grids = [np.arange(f.size, dtype=np.int32).reshape(f.shape) for f in flows]
    left, right = np.broadcast_arrays(grids[0], grids[1] + flows[0].size)
    index = np.stack([left.reshape(-1), right.reshape(-1)], axis=1)
    factor = np.tile([1.0, sign], (len(index), 1))
    return _combined(flows[0], index, factor, left.shape, flows[0].node, flows[1].node)
