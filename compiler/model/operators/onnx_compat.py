"""Operators that ``onnx.reference`` does not do as the runtimes do, or not for old versions."""

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

from mho.compiler.model.windows import transposed_pads, transposed_size, windows
from mho.compiler.types import Array

ML_DOMAIN, ML_OPSET = "ai.onnx.ml", 3


@lru_cache(maxsize=512)
def _evaluator(data: bytes, opset: int) -> ReferenceEvaluator:
    node = onnx.NodeProto.FromString(data)
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
              for name in dict.fromkeys(n for n in node.input if n)]
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in node.output if name]
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid(ML_DOMAIN, ML_OPSET)]
    graph = helper.make_graph([node], "node", inputs, outputs)
    return ReferenceEvaluator(helper.make_model(graph, opset_imports=opsets))


def run_as_is(node: onnx.NodeProto, inputs: Sequence[Array | None], opset: int) -> list[Array | None]:
    """Outputs of a node, None where one is left out; whatever ``onnx.reference`` raises is raised."""
    evaluator = _evaluator(node.SerializeToString(), opset)
    feeds = {name: x for name, x in zip(node.input, inputs, strict=False) if name}  # the last may be left out
    named = [name for name in node.output if name]
    outputs = dict(zip(named, evaluator.run(named, feeds), strict=True))
    return [np.asarray(outputs[name]) if name else None for name in node.output]


_FLOATS = {TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE}

Operands = Sequence[Any]
"""What an operator takes: arrays, None where an input is left out."""

Special = Callable[[onnx.NodeProto, Operands, int, bool], "list[Array | None] | None"]


def _attribute(node: onnx.NodeProto, name: str, default: Any = None) -> Any:
    return next((helper.get_attribute_value(a) for a in node.attribute if a.name == name), default)


def _cast(node: onnx.NodeProto, x: Operands, opset: int, wide: bool) -> list[Array | None] | None:
    to = _attribute(node, "to", TensorProto.FLOAT)
    if wide and to in _FLOATS:
        return [np.asarray(x[0], dtype=np.float64)]
    if to == TensorProto.BOOL:
        return [np.asarray(x[0]) != 0]
    return None


def _old_softmax(node: onnx.NodeProto, x: Operands, opset: int, wide: bool) -> list[Array | None] | None:
    """Before opset 13: along all dimensions from the axis on."""
    if opset >= 13:
        return None
    axis, value = _attribute(node, "axis", 1), x[0]
    axis += value.ndim if axis < 0 else 0
    flat = value.reshape(math.prod(value.shape[:axis]), -1)
    softmax = run_as_is(helper.make_node(node.op_type, [node.input[0]], [node.output[0]], axis=-1), [flat], 13)[0]
    assert softmax is not None
    return [softmax.reshape(value.shape)]


def _upsample(node: onnx.NodeProto, x: Operands, opset: int, wide: bool) -> list[Array | None] | None:
    if node.op_type == "Resize" and opset > 10:
        return _resized(node, x, opset)
    mode = _attribute(node, "mode", b"nearest")
    scales = np.asarray(x[1] if len(x) > 1 else _attribute(node, "scales"), dtype=np.float32)
    resize = helper.make_node(
        "Resize", ["x", "", "s"], [node.output[0]], mode=mode, coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )
    return run_as_is(resize, [x[0], None, scales], 18)


def _resized(node: onnx.NodeProto, x: Operands, opset: int) -> list[Array | None] | None:
    """Corners are aligned in the size that is made, not in the product of size and scale, which may be no integer."""
    scales = x[2] if len(x) == 3 else None
    if scales is None or _attribute(node, "coordinate_transformation_mode") != b"align_corners":
        return None
    sizes_before = [x[0].shape[axis] for axis in _attribute(node, "axes", range(x[0].ndim))]
    sizes = np.floor(np.asarray(sizes_before, dtype=np.float32) * scales).astype(np.int64)
    sized = _copy(node)
    sized.input[:] = ["x", "", "", "sizes"]
    return run_as_is(sized, [x[0], None, None, sizes], opset)


def _copy(node: onnx.NodeProto, **attributes: Any) -> onnx.NodeProto:
    """A node with other values of some attributes."""
    copied = onnx.NodeProto()
    copied.CopyFrom(node)
    attributes_left = [a for a in node.attribute if a.name not in attributes]
    del copied.attribute[:]
    copied.attribute.extend(attributes_left)
    copied.attribute.extend(helper.make_attribute(k, v) for k, v in attributes.items())
    return copied


def _quantised(node: onnx.NodeProto, x: Operands, opset: int, wide: bool) -> list[Array | None] | None:
    """Of old opsets, which the reference does not know."""
    return None if opset >= 19 else run_as_is(node, x, 19)


def _dropout(node: onnx.NodeProto, x: Operands, opset: int, wide: bool) -> list[Array | None] | None:
    """Identity: that of training, too, is exported by mistake."""
    return [x[0], *[np.ones(x[0].shape, dtype=bool)] * (len(node.output) - 1)]


def _batch_normalization(node: onnx.NodeProto, x: Operands, opset: int, wide: bool) -> list[Array | None] | None:
    """That of inference."""
    data, *statistics = x[:5]
    shape = (-1, *[1] * (data.ndim - 2))
    scale, bias, mean, var = (v.reshape(shape) for v in statistics)
    return [(data - mean) / np.sqrt(var + _attribute(node, "epsilon", 1e-5)) * scale + bias]


def _transposed(node: onnx.NodeProto, x: Operands, opset: int, wide: bool) -> list[Array | None] | None:
    """ConvTranspose: all windows at once for each element of the kernel, in the order in which the reference adds."""
    attrs = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    data, weight, size = x[0], x[1], x[0].shape[2:]
    kernel, rank, groups = weight.shape[2:], len(size), int(attrs.get("group", 1))
    steps, gaps = ([int(v) for v in attrs.get(name, [1] * rank)] for name in ("strides", "dilations"))
    pads, full = transposed_pads(size, kernel, attrs), transposed_size(size, kernel, attrs)
    matrices = weight.reshape(groups, weight.shape[0] // groups, -1)
    parts = np.split(data.reshape(*data.shape[:2], -1), groups, axis=1)
    scattered = np.zeros((len(data), weight.shape[1] * groups, *full), dtype=data.dtype)
    for group, image in np.ndindex(groups, len(data)):
        columns = np.matmul(matrices[group].T, parts[group][image]).reshape(weight.shape[1], *kernel, *size)
        first = group * weight.shape[1]
        for at in np.ndindex(*kernel):
            places = tuple(slice(k * d, k * d + s * (n - 1) + 1, s)
                           for k, d, s, n in zip(at, gaps, steps, size, strict=True))
            scattered[(image, slice(first, first + weight.shape[1]), *places)] += columns[(slice(None), *at)]
    cut, grown = [slice(None)] * 2, [(0, 0)] * 2
    for before, after, length in zip(pads[:rank], pads[rank:], full, strict=True):
        cut.append(slice(max(0, before), length - max(0, after)))
        grown.append((max(0, -before), max(0, -after)))
    scattered = np.pad(scattered[tuple(cut)], grown)
    bias = x[2] if len(x) > 2 else None
    return [scattered if bias is None else scattered + bias.reshape(-1, *[1] * rank)]


def _pool(node: onnx.NodeProto, x: Operands, opset: int, wide: bool) -> list[Array | None] | None:
    """MaxPool, AveragePool and LpPool, whose windows are rounded up as the runtimes do."""
    if len([o for o in node.output if o]) > 1:
        return None
    attrs = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    data, kernel = x[0], [int(k) for k in attrs["kernel_shape"]]
    view = windows(data.shape[2:], kernel, attrs)
    gathered = data.reshape(*data.shape[:2], -1)[:, :, np.maximum(view.index, 0)]
    real = view.index >= 0
    if node.op_type == "MaxPool":
        pooled = np.where(real, gathered, -np.inf).max(axis=-1)
    elif node.op_type == "LpPool":
        p = attrs.get("p", 2)
        pooled = (np.where(real, np.abs(gathered), 0) ** p).sum(axis=-1) ** (1.0 / p)
    else:
        counted = view.inside if attrs.get("count_include_pad", 0) else real
        pooled = np.where(real, gathered, 0).sum(axis=-1) / np.maximum(counted.sum(axis=-1), 1)
    return [pooled.reshape(*data.shape[:2], *view.shape).astype(data.dtype)]


def _largest(x: Array) -> Array:
    """GlobalMaxPool, which the reference does in two dimensions alone."""
    return x.max(axis=tuple(range(2, x.ndim)), keepdims=True)


def _scatter(node: onnx.NodeProto, x: Operands, opset: int, wide: bool) -> list[Array | None]:
    """The old name of ScatterElements."""
    axis = _attribute(node, "axis", 0)
    return run_as_is(helper.make_node("ScatterElements", list(node.input), list(node.output), axis=axis), x, 18)


def _padded(node: onnx.NodeProto, x: Operands, opset: int, wide: bool) -> list[Array | None] | None:
    """Pad by negative numbers, which cut off."""
    old, data = opset < 11, x[0]
    pads = np.asarray(_attribute(node, "pads") if old else x[1])
    axes = [*range(data.ndim)] if len(x) < 4 or x[3] is None else [int(a) for a in x[3]]
    if (pads >= 0).all():
        return None
    parts = [slice(None)] * data.ndim
    for axis, before, after in zip(axes, *np.split(pads, 2), strict=True):
        parts[axis] = slice(max(0, -before), data.shape[axis] - max(0, -after))
    padding = np.maximum(pads, 0)
    node = _copy(node, pads=padding.tolist()) if old else node
    return run_as_is(node, [data[tuple(parts)], *([] if old else [padding]), *x[2:]], opset)


def _on_grid(node: onnx.NodeProto, x: Operands, opset: int, wide: bool) -> list[Array | None] | None:
    """GridSample by the names that its modes had at first."""
    new = {b"bilinear": "linear", b"bicubic": "cubic"}.get(_attribute(node, "mode", b"linear"))
    return None if new is None else run_as_is(_copy(node, mode=new), x, 20)


def _one_hot(node: onnx.NodeProto, x: Operands, opset: int, wide: bool) -> list[Array | None] | None:
    """OneHot, whose depth may be a vector of one number."""
    return run_as_is(node, [x[0], x[1].reshape(()), x[2]], opset)


def _in_groups(node: onnx.NodeProto, x: Operands, opset: int, wide: bool) -> list[Array | None]:
    """GroupNormalization, of single precision in its definition; of opset 18 with a scale for each group."""
    data, scale, bias = x
    groups, channels = int(_attribute(node, "num_groups")), data.shape[1]
    flat = data.reshape(len(data), groups, -1)
    centred = flat - flat.mean(axis=-1, keepdims=True)
    normalised = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + _attribute(node, "epsilon", 1e-5))
    shape = (-1, *[1] * (data.ndim - 2))
    scale, bias = (np.repeat(v, channels // len(v)).reshape(shape) for v in (scale, bias))
    return [normalised.reshape(data.shape) * scale + bias]


def _beside(node: onnx.NodeProto, x: Operands, opset: int, wide: bool) -> list[Array | None]:
    """LRN, of which the reference counts channels along the batch."""
    data, size = x[0], int(_attribute(node, "size"))
    before, behind = (size - 1) // 2, size // 2
    squares = np.pad(data**2, [(0, 0), (before, behind), *[(0, 0)] * (data.ndim - 2)])
    total = np.lib.stride_tricks.sliding_window_view(squares, size, axis=1).sum(axis=-1)
    alpha, beta = _attribute(node, "alpha", 1e-4), _attribute(node, "beta", 0.75)
    return [data / (_attribute(node, "bias", 1.0) + alpha / size * total) ** beta]


def _one_input(function: Callable[[Array], Array]) -> Special:
    return lambda node, x, opset, wide: [np.asarray(function(x[0]))]


def _standardised(node: onnx.NodeProto, x: Operands, opset: int, wide: bool) -> list[Array | None]:
    """MeanVarianceNormalization, whose definition adds a number in single precision."""
    axes = tuple(_attribute(node, "axes", [0, 2, 3]))
    centred = x[0] - x[0].mean(axis=axes, keepdims=True)
    return [centred / (np.sqrt((centred**2).mean(axis=axes, keepdims=True)) + 1e-9)]


def _normalised(node: onnx.NodeProto, x: Operands, opset: int, wide: bool) -> list[Array | None]:
    """LpNormalization, of which the reference takes the sum with its sign."""
    size = np.linalg.norm(x[0], ord=_attribute(node, "p", 2), axis=_attribute(node, "axis", -1), keepdims=True)
    return [x[0] / np.where(size > 0, size, 1)]


def _erf(x: Array) -> Array:
    from scipy.special import erf

    return erf(x).astype(x.dtype)


SPECIAL: dict[str, Special] = {
    "Cast": _cast, "Dropout": _dropout, "Upsample": _upsample, "Resize": _upsample,
    **dict.fromkeys(("Softmax", "LogSoftmax", "Hardmax"), _old_softmax),
    "BatchNormalization": _batch_normalization, "MaxPool": _pool, "AveragePool": _pool, "LpPool": _pool,
    "GlobalMaxPool": _one_input(_largest), "LRN": _beside, "GroupNormalization": _in_groups, "OneHot": _one_hot,
    "GridSample": _on_grid, "Pad": _padded,
    "ConvTranspose": _transposed, "MeanVarianceNormalization": _standardised,
    "LpNormalization": _normalised,
    "QuantizeLinear": _quantised, "DequantizeLinear": _quantised,
    "Range": lambda node, x, opset, wide: [np.arange(*(v.reshape(-1)[0] for v in x), dtype=x[0].dtype)],
    "Scatter": _scatter, "Erf": _one_input(_erf),
    "Relu": _one_input(lambda x: np.maximum(x, 0)),
    "Sigmoid": _one_input(lambda x: 0.5 * (1.0 + np.tanh(0.5 * x))),
}
