"""Evaluation of ONNX operators by ``onnx.reference``: the one place where an operator of a file is carried out.

Only operators of :data:`RUNNABLE` run: functions of their inputs, of a size that is known before. Floating point is
double precision, whatever the file says, so that what is folded, tabulated and done at the host is the same everywhere.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

from compiler.model.coupling import probabilities
from compiler.model.windows import windows

__all__ = [
    "ML_DOMAIN", "MOST_ELEMENTS", "RUNNABLE", "RUNNABLE_ML", "is_float", "is_float_type", "ml_opset", "run_node",
    "runnable", "widen",
]

Array = NDArray[Any]


class TooLarge(ValueError):
    """More elements than are supported."""


ML_DOMAIN = "ai.onnx.ml"
MOST_ELEMENTS = 1 << 26
"""Elements of a value, without the batch: more than any chip can take."""

RUNNABLE = frozenset((
    *("Abs", "Acos", "Acosh", "Add", "And", "ArgMax", "ArgMin", "Asin", "Asinh", "Atan", "Atanh", "Attention"),
    *("AveragePool", "BatchNormalization", "BitShift", "BitwiseAnd", "BitwiseNot", "BitwiseOr", "BitwiseXor"),
    *("BlackmanWindow", "Cast", "CastLike", "Ceil", "Celu", "CenterCropPad", "Clip", "Col2Im", "Compress", "Concat"),
    *("Constant", "ConstantOfShape", "Conv", "ConvInteger", "ConvTranspose", "Cos", "Cosh", "CumProd", "CumSum"),
    *("DepthToSpace", "DequantizeLinear", "Det", "Div", "Dropout", "DynamicQuantizeLinear", "Einsum", "Elu", "Equal"),
    *("Erf", "Exp", "Expand", "EyeLike", "Flatten", "Floor", "GRU", "Gather", "GatherElements", "GatherND", "Gelu"),
    *("Gemm", "GlobalAveragePool", "GlobalMaxPool", "Greater", "GreaterOrEqual", "GridSample", "GroupNormalization"),
    *("HammingWindow", "HannWindow", "HardSigmoid", "HardSwish", "Hardmax", "Identity", "InstanceNormalization"),
    *("IsInf", "IsNaN", "LRN", "LSTM", "LayerNormalization", "LeakyRelu", "Less", "LessOrEqual", "Log", "LogSoftmax"),
    *("LpNormalization", "LpPool", "MatMul", "MatMulInteger", "Max", "MaxPool", "MaxUnpool", "Mean"),
    *("MeanVarianceNormalization", "Min", "Mish", "Mod", "Mul", "Neg", "NonZero", "Not", "OneHot", "Or", "PRelu"),
    *("Pad", "Pow", "QLinearConv", "QLinearMatMul", "QuantizeLinear", "RMSNormalization", "RNN", "Range"),
    *("Reciprocal", "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean"),
    *("ReduceMin", "ReduceProd", "ReduceSum", "ReduceSumSquare", "Relu", "Reshape", "Resize", "ReverseSequence"),
    *("RotaryEmbedding", "Round", "Scatter", "ScatterElements", "ScatterND", "Selu", "Shape", "Shrink", "Sigmoid"),
    *("Sign", "Sin", "Sinh", "Size", "Slice", "Softmax", "Softplus", "Softsign", "SpaceToDepth", "Split", "Sqrt"),
    *("Squeeze", "Sub", "Sum", "Swish", "SwiGLU", "Tan", "Tanh", "ThresholdedRelu", "Tile", "TopK", "Transpose"),
    *("Trilu", "Unique", "Unsqueeze", "Upsample", "Where", "Xor"),
))
"""Operators of ONNX that may run: no loops, no random numbers, no text, no files."""

RUNNABLE_ML = frozenset((
    *("ArrayFeatureExtractor", "Binarizer", "FeatureVectorizer", "Imputer", "LabelEncoder", "LinearClassifier"),
    *("LinearRegressor", "Normalizer", "OneHotEncoder", "SVMClassifier", "SVMRegressor", "Scaler"),
    *("TreeEnsemble", "TreeEnsembleClassifier", "TreeEnsembleRegressor"),
))
"""The same, of the domain ``ai.onnx.ml``."""

_FLOATS = {
    TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE,
}


def runnable(node: onnx.NodeProto) -> bool:
    """Whether a node is of an operator that may run."""
    if node.domain == ML_DOMAIN:
        return node.op_type in RUNNABLE_ML
    return node.domain in ("", "ai.onnx") and node.op_type in RUNNABLE


def ml_opset(nodes: Iterable[onnx.NodeProto]) -> int:
    """Version of the domain of machine learning for some nodes: that of the trees of before, or of those since."""
    return 5 if any(node.op_type == "TreeEnsemble" for node in nodes) else 3


def is_float_type(dtype: np.dtype[Any]) -> bool:
    """Whether a type is a floating one, those of 16 bits that numpy does not know among them."""
    return dtype.kind == "f" or dtype.name.startswith(("bfloat", "float"))


def is_float(array: Array) -> bool:
    """Whether numbers are of a floating type."""
    return is_float_type(array.dtype)


def widen(array: Array) -> Array:
    """Numbers of a floating type in double precision, others as they are."""
    return array.astype(np.float64) if is_float(array) else array


def _product(numbers: Any) -> int:
    return math.prod(int(max(n, 0)) for n in numbers)


def _resized(x: Sequence[Array | None], attrs: dict[str, Any]) -> int:
    data, last = x[0], x[-1]
    assert data is not None
    if last is None or not last.size:
        return data.size * int(np.ceil(np.prod([float(s) for s in attrs.get("scales", [1])])))
    if last.dtype.kind in "iu":
        return _product(last.reshape(-1)) * data.size
    return int(min(np.ceil(data.size * float(np.prod(np.abs(last).astype(np.float64)))), 2**62))


def _padded(x: Sequence[Array | None], attrs: dict[str, Any]) -> int:
    data, pads = x[0], attrs.get("pads") if len(x) < 2 or x[1] is None else x[1].reshape(-1).tolist()
    assert data is not None
    return _product([d + sum(max(0, int(p)) for p in pads or []) for d in data.shape])


def _windowed(x: Sequence[Array | None], attrs: dict[str, Any]) -> int:
    data = x[0]
    assert data is not None
    pads, rank = attrs.get("pads", []), data.ndim - 2
    kernel = attrs.get("kernel_shape", ())
    if any(abs(int(p)) > 1 << 20 for p in (*pads, *kernel, *attrs.get("output_padding", ()))):
        return 1 << 62
    strides = attrs.get("strides", [1] * rank) if attrs["op"] == "ConvTranspose" else [1] * rank
    padded = [
        d * s + sum(map(int, pads[a :: max(rank, 1)]))
        for a, (d, s) in enumerate(zip(data.shape[2:], strides, strict=False))
    ]
    return _product([*data.shape[:2], *padded]) * (_product(kernel) if kernel else 1)


_SIZES: dict[str, Callable[[Sequence[Any], dict[str, Any]], int]] = {
    "ConstantOfShape": lambda x, a: _product(x[0].reshape(-1)),
    "Expand": lambda x, a: x[0].size * _product(x[1].reshape(-1)),
    "Tile": lambda x, a: x[0].size * _product(x[1].reshape(-1)),
    "Range": lambda x, a: int(abs((float(x[1]) - float(x[0])) / (float(x[2]) or 1e-9))),
    "OneHot": lambda x, a: x[0].size * int(np.ravel(x[1])[0]),
    "Gather": lambda x, a: x[1].size * max(1, x[0].size // max(1, x[0].shape[0] if x[0].ndim else 1)),
    "CenterCropPad": lambda x, a: x[0].size * _product(x[1].reshape(-1)),
    "Pad": _padded, "Resize": _resized, "Upsample": _resized,
    **dict.fromkeys(("BlackmanWindow", "HannWindow", "HammingWindow"), lambda x, a: int(np.ravel(x[0])[0])),
    **dict.fromkeys(("Conv", "ConvInteger", "ConvTranspose", "AveragePool", "MaxPool", "LpPool"), _windowed),
}
"""Elements of a result, before it is made."""


def _check_size(node: onnx.NodeProto, inputs: Sequence[Array | None]) -> None:
    rule = _SIZES.get(node.op_type)
    if rule is None:
        return
    attrs = {a.name: helper.get_attribute_value(a) for a in node.attribute} | {"op": node.op_type}
    if rule(inputs, attrs) > 4 * MOST_ELEMENTS:
        raise TooLarge(f"it makes too much; at most {MOST_ELEMENTS} elements are supported")


@lru_cache(maxsize=512)
def _evaluator(data: bytes, opset: int) -> ReferenceEvaluator:
    node = onnx.NodeProto.FromString(data)
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
              for name in dict.fromkeys(n for n in node.input if n)]
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in node.output if name]
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid(ML_DOMAIN, ml_opset([node]))]
    graph = helper.make_graph([node], "node", inputs, outputs)
    return ReferenceEvaluator(helper.make_model(graph, opset_imports=opsets))


def run_node(
    node: onnx.NodeProto, inputs: Sequence[Array | None], opset: int, *, wide: bool = True
) -> list[Array | None]:
    """Outputs of a node of :data:`RUNNABLE` for its inputs, None where one is left out.

    With ``wide`` floating point is double precision, else as the inputs have it.

    Raises
    ------
    ValueError
        If it cannot be carried out or would make too much, with a reason.
    """
    if not runnable(node):
        raise ValueError("this operator is not supported")
    if wide:
        inputs = [None if x is None else widen(x) for x in inputs]
    try:
        _check_size(node, inputs)
        with np.errstate(all="ignore"):
            special = (_SPECIAL_ML if node.domain == ML_DOMAIN else _SPECIAL).get(node.op_type)
            made = None if special is None else special(node, inputs, opset, wide)
            result = _run(node, inputs, opset) if made is None else made
    except TooLarge:
        raise
    except Exception as error:  # whatever numpy says of arguments that no file should hold
        shapes = ", ".join(str(list(x.shape)) for x in inputs if x is not None) or "nothing"
        said = " ".join(str(error).split())[:60]
        raise ValueError(f"it does not fit values of shapes {shapes} ({said})") from error
    for x in result:
        if x is not None and x.size > MOST_ELEMENTS:
            raise ValueError(f"it makes {x.size} elements; at most {MOST_ELEMENTS} elements are supported")
    # Text of any length.
    result = [x.astype(object) if x is not None and x.dtype.kind in "US" else x for x in result]
    return [None if x is None else widen(x) if wide else x for x in result]


def _run(node: onnx.NodeProto, inputs: Sequence[Array | None], opset: int) -> list[Array | None]:
    evaluator = _evaluator(node.SerializeToString(), opset)
    feeds = {name: x for name, x in zip(node.input, inputs, strict=False) if name}  # the last may be left out
    named = [name for name in node.output if name]
    found = dict(zip(named, evaluator.run(named, feeds), strict=True))
    return [np.asarray(found[name]) if name else None for name in node.output]


# What the reference does not do as the runtimes do, or not for old versions -------------------------------------------

Special = Callable[[onnx.NodeProto, Sequence[Any], int, bool], "list[Array | None] | None"]


def _attribute(node: onnx.NodeProto, name: str, default: Any = None) -> Any:
    return next((helper.get_attribute_value(a) for a in node.attribute if a.name == name), default)


def _cast(node: onnx.NodeProto, x: Sequence[Any], opset: int, wide: bool) -> list[Array | None] | None:
    to = _attribute(node, "to", TensorProto.FLOAT)
    if wide and to in _FLOATS:
        return [np.asarray(x[0], dtype=np.float64)]
    if to == TensorProto.BOOL:
        return [np.asarray(x[0]) != 0]
    return None


def _old_softmax(node: onnx.NodeProto, x: Sequence[Any], opset: int, wide: bool) -> list[Array | None] | None:
    """Before opset 13: along all dimensions from the axis on."""
    if opset >= 13:
        return None
    axis, value = _attribute(node, "axis", 1), x[0]
    axis += value.ndim if axis < 0 else 0
    flat = value.reshape(math.prod(value.shape[:axis]), -1)
    made = _run(helper.make_node(node.op_type, [node.input[0]], [node.output[0]], axis=-1), [flat], 13)[0]
    assert made is not None
    return [made.reshape(value.shape)]


def _upsample(node: onnx.NodeProto, x: Sequence[Any], opset: int, wide: bool) -> list[Array | None] | None:
    if node.op_type == "Resize" and opset > 10:
        return None
    mode = _attribute(node, "mode", b"nearest")
    scales = np.asarray(x[1] if len(x) > 1 else _attribute(node, "scales"), dtype=np.float32)
    resize = helper.make_node(
        "Resize", ["x", "", "s"], [node.output[0]], mode=mode, coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )
    return _run(resize, [x[0], None, scales], 18)


def _quantised(node: onnx.NodeProto, x: Sequence[Any], opset: int, wide: bool) -> list[Array | None] | None:
    """Of old opsets, which the reference does not know."""
    return None if opset >= 19 else _run(node, x, 19)


def _dropout(node: onnx.NodeProto, x: Sequence[Any], opset: int, wide: bool) -> list[Array | None] | None:
    """Identity: that of training, too, is exported by mistake."""
    return [x[0], *[np.ones(x[0].shape, dtype=bool)] * (len(node.output) - 1)]


def _batch_normalization(node: onnx.NodeProto, x: Sequence[Any], opset: int, wide: bool) -> list[Array | None] | None:
    """That of inference."""
    data, *statistics = x[:5]
    shape = (-1, *[1] * (data.ndim - 2))
    scale, bias, mean, var = (v.reshape(shape) for v in statistics)
    return [(data - mean) / np.sqrt(var + _attribute(node, "epsilon", 1e-5)) * scale + bias]


def _transposed(node: onnx.NodeProto, x: Sequence[Any], opset: int, wide: bool) -> list[Array | None] | None:
    """ConvTranspose in groups, one after the other."""
    groups = int(_attribute(node, "group", 1))
    if groups == 1:
        return None
    one = onnx.NodeProto()
    one.CopyFrom(node)
    next(a for a in one.attribute if a.name == "group").i = 1
    parts = [np.split(x[0], groups, axis=1), np.split(x[1], groups, axis=0)]
    parts += [np.split(x[2], groups)] if len(x) > 2 and x[2] is not None else []
    made = [_run(one, inputs, opset)[0] for inputs in zip(*parts, strict=True)]
    return [np.concatenate([m for m in made if m is not None], axis=1)]


def _pool(node: onnx.NodeProto, x: Sequence[Any], opset: int, wide: bool) -> list[Array | None] | None:
    """MaxPool and AveragePool, whose windows are rounded up as the runtimes do."""
    if len([o for o in node.output if o]) > 1:
        return None
    attrs = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    data, kernel = x[0], [int(k) for k in attrs["kernel_shape"]]
    view = windows(data.shape[2:], kernel, attrs)
    taken = data.reshape(*data.shape[:2], -1)[:, :, np.maximum(view.index, 0)]
    real = view.index >= 0
    if node.op_type == "MaxPool":
        made = np.where(real, taken, -np.inf).max(axis=-1)
    else:
        counted = view.inside if attrs.get("count_include_pad", 0) else real
        made = np.where(real, taken, 0).sum(axis=-1) / np.maximum(counted.sum(axis=-1), 1)
    return [made.reshape(*data.shape[:2], *view.shape).astype(data.dtype)]


def _scatter(node: onnx.NodeProto, x: Sequence[Any], opset: int, wide: bool) -> list[Array | None]:
    """The old name of ScatterElements."""
    axis = _attribute(node, "axis", 0)
    return _run(helper.make_node("ScatterElements", list(node.input), list(node.output), axis=axis), x, 18)


def _one_input(function: Callable[[Array], Array]) -> Special:
    return lambda node, x, opset, wide: [np.asarray(function(x[0]))]


def _standardised(node: onnx.NodeProto, x: Sequence[Any], opset: int, wide: bool) -> list[Array | None]:
    """MeanVarianceNormalization, whose definition adds a number in single precision."""
    axes = tuple(_attribute(node, "axes", [0, 2, 3]))
    centred = x[0] - x[0].mean(axis=axes, keepdims=True)
    return [centred / (np.sqrt((centred**2).mean(axis=axes, keepdims=True)) + 1e-9)]


def _normalised(node: onnx.NodeProto, x: Sequence[Any], opset: int, wide: bool) -> list[Array | None]:
    """LpNormalization, of which the reference takes the sum with its sign."""
    size = np.linalg.norm(x[0], ord=_attribute(node, "p", 2), axis=_attribute(node, "axis", -1), keepdims=True)
    return [x[0] / np.where(size > 0, size, 1)]


def _erf(x: Array) -> Array:
    from scipy.special import erf

    return erf(x).astype(x.dtype)


def _support_vectors(node: onnx.NodeProto, x: Sequence[Any], opset: int, wide: bool) -> list[Array | None] | None:
    """Probabilities of three and more classes, which the reference couples wrongly."""
    slope, offset = (np.asarray(_attribute(node, name, []), dtype=np.float64) for name in ("prob_a", "prob_b"))
    labels = _attribute(node, "classlabels_ints") or _attribute(node, "classlabels_strings") or []
    if not slope.size or len(labels) < 3 or _attribute(node, "post_transform", b"NONE") != b"NONE":
        return None
    bare = onnx.NodeProto()
    bare.CopyFrom(node)
    del bare.attribute[:]
    bare.attribute.extend(a for a in node.attribute if a.name not in ("prob_a", "prob_b"))
    bare.output[:] = ["label", "decisions"]
    label, decisions = _run(bare, x, opset)
    assert decisions is not None
    made = probabilities(decisions.astype(np.float64), slope, offset, len(labels))
    return [label, made][: len(node.output)]


_SPECIAL_ML: dict[str, Special] = {"SVMClassifier": _support_vectors}
_SPECIAL: dict[str, Special] = {
    "Cast": _cast, "Dropout": _dropout, "Upsample": _upsample, "Resize": _upsample,
    **dict.fromkeys(("Softmax", "LogSoftmax", "Hardmax"), _old_softmax),
    "BatchNormalization": _batch_normalization, "MaxPool": _pool, "AveragePool": _pool,
    "ConvTranspose": _transposed, "MeanVarianceNormalization": _standardised,
    "LpNormalization": _normalised,
    "QuantizeLinear": _quantised, "DequantizeLinear": _quantised,
    "Range": lambda node, x, opset, wide: [np.arange(*(v.reshape(-1)[0] for v in x), dtype=x[0].dtype)],
    "Scatter": _scatter, "Erf": _one_input(_erf),
    "Relu": _one_input(lambda x: np.maximum(x, 0)),
    "Sigmoid": _one_input(lambda x: 0.5 * (1.0 + np.tanh(0.5 * x))),
}
