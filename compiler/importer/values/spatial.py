"""Operators on images and on several values: convolution, pooling, padding, concatenation, addition."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from mho.compiler.importer.values.flow import Flow, Unsupported, dimensions
from mho.compiler.importer.values.node import Node
from mho.compiler.importer.values.products import join
from mho.compiler.model.layer import LinearLayer
from mho.compiler.model.stages import Combine, Maximum
from mho.compiler.model.windows import Attributes, Windows, transposed_pads, windows
from mho.compiler.types import Float
from mho.macro_models.integer.vector import PAD
from mho.macro_models.types import Flags, Indices, Integral


def _image(x: Flow) -> Flow:
    """A value of shape [batch, channels, dimensions...]."""
    if len(x.shape) < 3:
        raise Unsupported("it needs a value of shape [batch, channels, positions...]")
    return x.on_chip()


def _of_channel(index: Indices, channel: Integral | int, size: int) -> Indices:
    """Elements of a channel of ``size``, where ``index`` counts from its start."""
    return np.where(index == PAD, PAD, index + np.asarray(channel) * size).astype(np.int32)


def convolution(x: Flow, weight: Float, bias: Float | None, attrs: Attributes) -> Flow:
    """Conv: a layer of ``kernel * channels`` rows at each position."""
    x = _image(x)
    view = check_convolution(x.shape, weight.shape, None if bias is None else bias.shape, attrs)
    return _convolved(x, weight, bias, view, int(attrs.get("group", 1)), attrs["node"])


def check_convolution(
    shape: Sequence[int], weight: Sequence[int], bias: Sequence[int] | None, attrs: Attributes
) -> Windows:
    """The windows of a Conv, by the shapes of its inputs.

    Raises ValueError if they do not fit each other.
    """
    channels, *size = shape[1:]
    groups, kernel = int(attrs.get("group", 1)), list(weight[2:])
    if groups < 1 or len(kernel) != len(size) or channels != groups * weight[1] or weight[0] % groups:
        raise Unsupported(f"its weights of shape {list(weight)} in {groups} groups do not fit {list(shape)}")
    if list(attrs.get("kernel_shape", kernel)) != kernel:
        raise Unsupported(f"its kernel_shape is not that of its weights, {kernel}")
    if bias is not None and tuple(bias) != (weight[0],):
        raise Unsupported(f"its bias has shape {list(bias)}, where {weight[0]} channels need [{weight[0]}]")
    return windows(size, kernel, attrs)


def _convolved(x: Flow, weight: Float, bias: Float | None, view: Windows, groups: int, name: str) -> Flow:
    """A layer at all windows of each of the images, of shape (images, outputs, positions...)."""
    images, channels, *size = x.shape
    bias = np.zeros(len(weight)) if bias is None else bias
    area = int(np.prod(size))
    patches = np.concatenate([
        np.concatenate([_of_channel(view.index, image * channels + c, area) for c in range(channels)], axis=1)
        for image in range(images)
    ])
    layer = LinearLayer(
        name=name, weight=weight.reshape(len(weight), -1).astype(np.float64), bias=bias.astype(np.float64), relu=False,
        groups=groups,
    )
    recover = partial(view.recover, channels=channels, groups=groups) if images == 1 else lambda patches: None
    convolved = x.convolve(layer, patches, recover)
    grid = np.arange(len(weight) * images * len(view.index)).reshape(len(weight), images, *view.shape).swapaxes(0, 1)
    return convolved.move(grid)


def transposed_convolution(x: Flow, weight: Float, bias: Float | None, attrs: Attributes) -> Flow:
    """ConvTranspose: a convolution of the value with zeros between its elements, a layer for each phase of it."""
    x = _image(x)
    channels, *size = x.shape[1:]
    rank, groups, kernel = len(size), int(attrs.get("group", 1)), list(weight.shape[2:])
    if groups < 1 or len(kernel) != rank or weight.shape[0] != channels or channels % groups:
        raise Unsupported(f"its weights of shape {list(weight.shape)} in {groups} groups do not fit {x.text}")
    strides, dilations, extra = (
        [int(v) for v in attrs.get(n, [d] * rank)] for n, d in (("strides", 1), ("dilations", 1), ("output_padding", 0))
    )
    if any(len(v) != rank for v in (strides, dilations, extra)) or min(*strides, *dilations) < 1 or min(extra) < 0:
        raise Unsupported(f"its strides, dilations or output_padding do not fit {rank} dimensions")
    pads = transposed_pads(size, kernel, attrs)
    # Weights of the convolution: (outputs, inputs of a group, kernel), turned around.
    turned = weight.reshape(groups, channels // groups, weight.shape[1], *kernel).swapaxes(1, 2)
    turned = np.flip(turned.reshape(-1, channels // groups, *kernel), axis=tuple(range(2, 2 + rank)))
    if bias is not None and bias.shape != (len(turned),):
        raise Unsupported(f"its bias has shape {list(bias.shape)}, where {len(turned)} channels need [{len(turned)}]")
    wide = [(n - 1) * s + 1 for n, s in zip(size, strides, strict=True)]
    reach = [(k - 1) * d for k, d in zip(kernel, dilations, strict=True)]
    around = [r - p for r, p in zip(reach, pads[:rank], strict=True)]
    around += [r - p + e for r, p, e in zip(reach, pads[rank:], extra, strict=True)]
    cut, padding = [max(0, -p) for p in around], [max(0, p) for p in around]
    view = windows(wide, kernel, {"dilations": dilations, "pads": padding})
    shape = [n - a - b for n, a, b in zip(view.shape, cut[:rank], cut[rank:], strict=True)]
    if min(shape) < 1:
        raise Unsupported("its pads leave no position")
    index = view.index.reshape(*view.shape, -1)[tuple(slice(a, a + n) for a, n in zip(cut, shape, strict=False))]
    index = _between(index.reshape(-1, index.shape[-1]), wide, strides, size)
    return _by_phase(x, turned, bias, index, shape, strides, groups, attrs["node"])


def _between(index: Indices, wide: Sequence[int], strides: Sequence[int], size: Sequence[int]) -> Indices:
    """Elements of the value behind those of it with zeros between, which are outside."""
    real = index != PAD
    at = np.unravel_index(np.maximum(index, 0), wide)
    for a, s in zip(at, strides, strict=True):
        real = real & (a % s == 0)
    within = np.ravel_multi_index([np.minimum(a // s, n - 1) for a, s, n in zip(at, strides, size, strict=True)], size)
    return np.where(real, within, PAD).astype(np.int32)


def _by_phase(
    x: Flow, weight: Float, bias: Float | None, index: Indices, shape: Sequence[int],
    strides: Sequence[int], groups: int, name: str,
) -> Flow:
    """A layer for each phase of the positions, of those elements of the kernel that are not between elements there."""
    place = np.stack(np.unravel_index(np.arange(int(np.prod(shape))), shape), axis=1) % np.asarray(strides)
    phases, phase = np.unique(place, axis=0, return_inverse=True)
    nodes, order, first, flow = [], np.zeros((x.shape[0], len(weight), len(index)), np.int64), 0, x.pin()
    for k in range(len(phases)):
        here = np.flatnonzero(phase.reshape(-1) == k)
        used = np.flatnonzero((index[here] != PAD).any(axis=0))
        used = used if len(used) else np.array([0])
        view = Windows(
            index=index[here][:, used], inside=np.ones((len(here), len(used)), bool), shape=(len(here),), kernel=(1,),
            stride=(1,), dilation=(1,),
        )
        taps = weight.reshape(*weight.shape[:2], -1)[:, :, used]
        convolved = _convolved(flow, taps, bias, view, groups, name if len(phases) == 1 else f"{name}.{k}")
        nodes.append(convolved.node)
        order[:, :, here] = first + np.arange(convolved.size).reshape(x.shape[0], len(weight), len(here))
        first += convolved.size
    grid = order.reshape(x.shape[0], len(weight), *shape)
    return join(nodes, grid, flow)


def _pool(x: Flow, attrs: Attributes) -> tuple[Flow, Indices, Flags, tuple[int, ...]]:
    """The value, the windows of all its channels, which of their elements count, and the shape of the result."""
    x = _image(x).materialise()
    images, channels, *size = x.shape
    view = windows(size, [int(k) for k in attrs["kernel_shape"]], attrs)
    channel = np.arange(images * channels)[:, None, None]
    index = _of_channel(view.index[None], channel, int(np.prod(size))).reshape(-1, view.index.shape[1])
    return x, index, np.tile(view.inside, (images * channels, 1)), (images, channels, *view.shape)


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
    return combined(x, index, factor, shape)


def combined(x: Flow, index: Indices, factor: Float, shape: tuple[int, ...], *nodes: Node) -> Flow:
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
    size = _image(x).shape[2:]
    return (average_pool if kind == "average" else max_pool)(x, {"kernel_shape": size})


def _reduced(x: Flow, axes: Sequence[int] | None, keepdims: bool) -> tuple[Indices, tuple[int, ...]]:
    """Elements that each result is made of, (results, elements), and the shape of the results."""
    rank = len(x.shape)
    chosen = sorted(dimensions(axes, rank)) if axes is not None else list(range(rank))
    rest = [k for k in range(rank) if k not in chosen]
    index = x.grid.transpose([*rest, *chosen]).reshape(int(np.prod([x.shape[k] for k in rest], dtype=np.int64)), -1)
    shape = tuple(1 if k in chosen else d for k, d in enumerate(x.shape) if keepdims or k not in chosen)
    return index, shape


def reduce_sum(x: Flow, axes: Sequence[int] | None, keepdims: bool, *, mean: bool) -> Flow:
    """ReduceSum or ReduceMean along any dimensions."""
    x = x.on_chip()
    if mean and axes is not None and sorted(dimensions(axes, len(x.shape))) == list(range(2, len(x.shape))):
        result = global_pool(x, "average")
        return result if keepdims else result.with_shape(result.shape[:2])
    index, shape = _reduced(x, axes, keepdims)
    if index.shape[1] == 1:
        return x.with_shape(shape)
    factor = np.full(index.shape, 1.0 / index.shape[1] if mean else 1.0)
    return combined(x.materialise(), index, factor, shape)


def largest(x: Flow, axes: Sequence[int] | None, keepdims: bool, *, smallest: bool) -> Flow:
    """ReduceMax or ReduceMin along any dimensions."""
    x = (x.on_chip().affine(-1.0, 0.0) if smallest else x.on_chip()).materialise()
    index, shape = _reduced(x, axes, keepdims)
    maximum = x.then(Maximum(index=index.astype(np.int32)), shape=shape)
    return maximum.affine(-1.0, 0.0) if smallest else maximum


def _side_by_side(flows: Sequence[Flow]) -> tuple[list[Flow], Indices, tuple[int, ...]]:
    """Values with nothing pending, what each result takes of each, (results, values), and the common shape."""
    flows = [f.on_chip().materialise() for f in flows]
    grids, first = [], 0
    for f in flows:
        grids.append(f.grid + first)
        first += f.size
    try:
        spread = np.broadcast_arrays(*grids)
    except ValueError:
        raise Unsupported(f"its values of shapes {', '.join(f.text for f in flows)} do not fit each other") from None
    return flows, np.stack([g.reshape(-1) for g in spread], axis=1), spread[0].shape


def weighted(flows: Sequence[Flow], factors: Sequence[float]) -> Flow:
    """A sum of computed values with constant factors, broadcast to a common shape."""
    flows, index, shape = _side_by_side(flows)
    return combined(flows[0], index, np.tile(factors, (len(index), 1)), shape, *[f.node for f in flows])


def largest_of(flows: Sequence[Flow], *, smallest: bool) -> Flow:
    """Max or Min of computed values."""
    flows, index, shape = _side_by_side([f.affine(-1.0, 0.0) for f in flows] if smallest else flows)
    maximum = flows[0].then(Maximum(index=index.astype(np.int32)), *[f.node for f in flows], shape=shape)
    return maximum.affine(-1.0, 0.0) if smallest else maximum
