"""Evaluation of ONNX operators by ``onnx.reference``: the one place where an operator of a file is carried out.

Only operators of :data:`RUNNABLE` run: functions of their inputs, of a size that is known before. Floating point is
double precision, whatever the file says, so that what is folded, tabulated and done at the host is the same everywhere.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from compiler.model.as_runtimes import SPECIAL, SPECIAL_ML
from compiler.model.reference import ML_DOMAIN, ml_opset, run_as_is

__all__ = [
    "ML_DOMAIN", "MOST_ELEMENTS", "RUNNABLE", "RUNNABLE_ML", "is_float", "is_float_type", "ml_opset", "run_node",
    "runnable", "widen",
]

Array = NDArray[Any]


class TooLarge(ValueError):
    """More elements than are supported."""


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

def runnable(node: onnx.NodeProto) -> bool:
    """Whether a node is of an operator that may run."""
    if node.domain == ML_DOMAIN:
        return node.op_type in RUNNABLE_ML
    return node.domain in ("", "ai.onnx") and node.op_type in RUNNABLE


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
            special = (SPECIAL_ML if node.domain == ML_DOMAIN else SPECIAL).get(node.op_type)
            made = None if special is None else special(node, inputs, opset, wide)
            result = run_as_is(node, inputs, opset) if made is None else made
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
