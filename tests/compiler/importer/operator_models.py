"""A tiny model for every operator that the importer knows: between two layers, which cores compute.

Most operators are given as ONNX's own cases for them: the smallest one whose numbers fit the first layer's outputs,
with its other inputs as constants. The rest is written here.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tests.compiler.importer.onnx_models import Array, node_cases

__all__ = ["INPUTS", "NOT_THERE", "OLD", "Part", "model_of", "part_of"]

COMPUTED, INPUTS = 32, 6
"""Outputs of the first layer, and what it takes."""

MOST_MADE = 256
"""Elements that an operator makes, at most."""

ML, MS, QONNX = "ai.onnx.ml", "com.microsoft", "qonnx.custom_op.general"
OLD = {"Upsample": 9, "Scatter": 10}
"""Operators that newer opsets do not have."""
NOT_THERE = {"BipolarQuant", "IntQuant", "Quant", "Trunc", "SwiGLU"}
"""Operators that onnxruntime does not have."""


@dataclass(frozen=True)
class Part:
    """Nodes that make ``made`` of ``taken``, a tensor of this shape of the first layer's outputs."""

    shape: tuple[int, ...]
    nodes: tuple[onnx.NodeProto, ...]
    constants: dict[str, Array] = field(default_factory=dict)
    opsets: dict[str, int] = field(default_factory=dict)


def _node(kind: str, inputs: str, outputs: str = "made", domain: str = "", **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(kind, inputs.split(), outputs.split(), domain=domain, name=f"n_{kind}", **attributes)


def _quantised(*nodes: onnx.NodeProto, second: bool = False, flat: bool = False) -> Part:
    """Between quantisation and dequantisation; ``second``: of two values; ``flat``: of a matrix."""
    around = [_node("QuantizeLinear", "taken s z", "a")]
    if second:
        around += [_node("Abs", "taken", "positive"), _node("QuantizeLinear", "positive s z", "b")]
    constants: dict[str, Any] = {
        "s": np.float32(0.03), "z": np.uint8(120), "s1": np.float32(0.05), "z1": np.uint8(128), "sw": np.float32(0.01),
        "w": np.arange(-12, 12).reshape(3, 8).astype(np.int8) * 5, "zw": np.int8(0),
        "c": np.array([100, -200, 50], np.int32), "k": np.array([[[[20]], [[-30]]], [[[50]], [[10]]]], np.int8),
        "m": np.arange(-12, 12).reshape(8, 3).astype(np.int8) * 4,
    }
    every = (*around, *nodes, _node("DequantizeLinear", "q s1 z1"))
    used = {name for node in every for name in node.input}
    shape = (1, 8) if flat else (1, 2, 2, 2)
    return Part(shape, every, {k: np.asarray(v) for k, v in constants.items() if k in used}, {MS: 1})


def _qonnx(kind: str, inputs: str, **attributes: Any) -> Part:
    constants = {"s": np.float32(0.25), "zero": np.float32(0), "bits": np.float32(4)}
    used = {k: np.asarray(v) for k, v in constants.items() if k in inputs.split()}
    return Part((1, 8), (_node(kind, inputs, "made", QONNX, **attributes),), used, {QONNX: 1})


_LINEAR = {"coefficients": [0.5, -1.0, 0.5, 0.25, 1.0, -0.5, 0.3, 0.7], "intercepts": [0.1, -0.2]}
OWN: dict[str, Part] = {
    "LinearRegressor": Part(
        (1, 4), (_node("LinearRegressor", "taken", "made", ML, targets=2, **_LINEAR),), {}, {ML: 3}
    ),
    "LinearClassifier": Part((1, 4), (_node(
        "LinearClassifier", "taken", "label made", ML, classlabels_ints=[0, 1], post_transform="NONE", **_LINEAR
    ),), {}, {ML: 3}),
    "Scaler": Part((1, 4), (_node("Scaler", "taken", "made", ML, offset=[0.5], scale=[2.0]),), {}, {ML: 3}),
    "Imputer": Part(
        (1, 4), (_node("Imputer", "taken", "made", ML, imputed_value_floats=[1.0], replaced_value_float=0.0),), {},
        {ML: 3},
    ),
    "Normalizer": Part((1, 4), (_node("Normalizer", "taken", "made", ML, norm="L2"),), {}, {ML: 3}),
    "FeatureVectorizer": Part(
        (1, 4), (_node("FeatureVectorizer", "taken taken", "made", ML, inputdimensions=[4, 4]),), {}, {ML: 3}
    ),
    "OneHotEncoder": Part(
        (1, 4), (_node("Round", "taken", "whole"), _node("OneHotEncoder", "whole", "made", ML, cats_int64s=[-1, 0, 1])),
        {}, {ML: 3},
    ),
    "LabelEncoder": Part(
        (1, 4),
        (
            _node("Round", "taken", "whole"), _node("Cast", "whole", "number", to=TensorProto.INT64),
            _node("LabelEncoder", "number", "made", ML, keys_int64s=[-1, 0, 1], values_floats=[3.0, 1.0, 2.0]),
        ), {}, {ML: 3},
    ),
    "ZipMap": Part((1, 4), (_node("Abs", "taken", "p"), _node("Identity", "p")), {}),
    "Mish": Part((1, 8), (_node("Mish", "taken"),)),
    "Erf": Part((1, 8), (_node("Erf", "taken"),)),
    "Equal": Part((1, 8), (_node("Round", "taken", "r"), _node("Equal", "r zero")), {"zero": np.zeros(1, "f4")}),
    "Where": Part((1, 4), (_node("Where", "c taken d"),), {
        "c": np.array([[True, False, True, True]]), "d": np.ones((1, 4), "f4"),
    }),
    "Slice": Part((4, 5), (_node("Slice", "taken a b"),), {"a": np.array([1, 0]), "b": np.array([3, 4])}),
    "Trilu": Part((4, 4), (_node("Trilu", "taken"),)),
    "CenterCropPad": Part((4, 5), (_node("CenterCropPad", "taken s"),), {"s": np.array([2, 7])}),
    "Flatten": Part((2, 3, 4), (_node("Flatten", "taken", axis=2),)),
    "Reshape": Part((2, 3, 4), (_node("Reshape", "taken s"),), {"s": np.array([4, 6])}),
    "Pad": Part((4, 5), (_node("Pad", "taken p"),), {"p": np.array([1, 0, 0, 2])}),
    "ReverseSequence": Part(
        (4, 5), (_node("ReverseSequence", "taken l", batch_axis=1, time_axis=0),), {"l": np.array([4, 1, 2, 3, 4])}
    ),
    "Split": Part((4, 6), (_node("Split", "taken", "a made", axis=1, num_outputs=2),)),
    "LRN": Part((1, 4, 2, 2), (_node("LRN", "taken", size=3),)),
    "OneHot": Part(
        (4,), (_node("Abs", "taken", "r"), _node("Cast", "r", "i", to=TensorProto.INT64), _node("OneHot", "i d v")),
        {"d": np.array(3), "v": np.array([0.5, 2.0], "f4")},
    ),
    "RotaryEmbedding": Part(
        (1, 2, 2, 4), (_node("RotaryEmbedding", "taken c s"),),
        {n: f(np.arange(4.0)).reshape(1, 2, 2).astype("f4") for n, f in (("c", np.cos), ("s", np.sin))}, {"": 23},
    ),
    "Unique": Part((1,), (_node("Unique", "taken", "made"),)),
    "QuantizeLinear": _quantised(_node("Identity", "a", "q")),
    "DequantizeLinear": _quantised(_node("Identity", "a", "q")),
    "QLinearAdd": _quantised(_node("QLinearAdd", "a s z b s z s1 z1", "q", MS), second=True),
    "QLinearMul": _quantised(_node("QLinearMul", "a s z b s z s1 z1", "q", MS), second=True),
    "QLinearConcat": _quantised(_node("QLinearConcat", "s1 z1 a s z b s z", "q", MS, axis=1), second=True),
    "QLinearAveragePool": _quantised(_node("QLinearAveragePool", "a s z s1 z1", "q", MS, kernel_shape=[2, 2])),
    "QLinearGlobalAveragePool": _quantised(_node("QLinearGlobalAveragePool", "a s z s1 z1", "q", MS, channels_last=0)),
    "QLinearSigmoid": _quantised(_node("QLinearSigmoid", "a s z s1 z1", "q", MS)),
    "QLinearLeakyRelu": _quantised(_node("QLinearLeakyRelu", "a s z s1 z1", "q", MS, alpha=0.1)),
    "QLinearSoftmax": _quantised(_node("QLinearSoftmax", "a s z s1 z1", "q", MS, axis=1, opset=13)),
    "QGemm": _quantised(_node("QGemm", "a s z w sw zw c s1 z1", "q", MS, transB=1), flat=True),
    "BipolarQuant": _qonnx("BipolarQuant", "taken s"),
    "Quant": _qonnx("Quant", "taken s zero bits", signed=1, narrow=0, rounding_mode="ROUND"),
    "IntQuant": _qonnx("IntQuant", "taken s zero bits", signed=1, narrow=0, rounding_mode="ROUND"),
    "Trunc": _qonnx("Trunc", "taken s zero bits bits"),
}
_ROW = {"c": np.array([[0.3, -0.5, 0.1, 0.7, -0.2, 0.4, -0.9, 0.2]], "f4")}
for _kind in ("Add", "PRelu", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"):
    OWN[_kind] = Part((1, 8), (_node(_kind, "taken c"),), _ROW)
for _kind in ("Abs", "HardSwish", "Relu"):
    OWN[_kind] = Part((1, 8), (_node(_kind, "taken"),))
for _kind in ("Acos", "Asin", "Atanh"):
    OWN[_kind] = Part((1, 8), (
        _node("Tanh", "taken", "t"), _node("Mul", "t c", "inside"), _node(_kind, "inside"),
    ), {"c": np.asarray(np.float32(0.9))})
for _kind in ("Log", "Sqrt", "Acosh"):
    OWN[_kind] = Part((1, 8), (_node("Abs", "taken", "a"), _node("Add", "a c", "above"), _node(_kind, "above")), {
        "c": np.asarray(np.float32(1.1)),
    })
OWN |= {
    "DynamicQuantizeLinear": Part(
        (1, 8), (_node("DynamicQuantizeLinear", "taken", "q s z"), _node("DequantizeLinear", "q s z"))
    ),
    "BatchNormalization": Part((1, 2, 2, 2), (_node("BatchNormalization", "taken g b m v"),), {
        "g": np.array([1.5, 0.5], "f4"), "b": np.array([0.1, 0.2], "f4"), "m": np.array([0.3, -0.1], "f4"),
        "v": np.array([0.5, 2.0], "f4"),
    }),
    "DepthToSpace": Part((1, 4, 2, 2), (_node("DepthToSpace", "taken", blocksize=2),)),
    "Binarizer": Part((1, 8), (_node("Binarizer", "taken", "made", ML, threshold=0.25),), {}, {ML: 3}),
    "CastLike": Part((1, 8), (_node("CastLike", "taken t"),), {"t": np.zeros(1, "f4")}),
    "CumSum": Part((2, 4), (_node("CumSum", "taken a"),), {"a": np.array(1)}),
    "GroupNormalization": Part((1, 4, 2, 2), (_node("GroupNormalization", "taken g b", num_groups=2),), {
        "g": np.ones(4, "f4"), "b": np.zeros(4, "f4"),
    }, {"": 21}),
    "MeanVarianceNormalization": Part((1, 4, 2, 2), (_node("MeanVarianceNormalization", "taken", axes=[0, 2, 3]),)),
    "ReduceLogSum": Part((1, 8), (_node("Abs", "taken", "a"), _node("ReduceLogSum", "a"))),
    "Scatter": Part((4, 3), (_node("Scatter", "taken i u"),), {
        "i": np.array([[0, 2, 1]]), "u": np.array([[0.5, -0.5, 1.0]], "f4"),
    }),
    "Upsample": Part((1, 1, 2, 2), (_node("Upsample", "taken s"),), {"s": np.array([1, 1, 2, 3], "f4")}),
    "QLinearConv": _quantised(_node("QLinearConv", "a s z k sw zw s1 z1", "q")),
    "QLinearMatMul": _quantised(_node("QLinearMatMul", "a s z m sw zw s1 z1", "q"), flat=True),
}
_CODES = np.random.default_rng(5).integers(-99, 99, (1, 4, 8)).astype(np.int8)
_ONE = {"s": np.array([0.01], "f4"), "z": np.zeros(1, np.int8)}
OWN |= {
    "FusedConv": Part((1, 2, 3, 3), (_node("FusedConv", "taken k", "made", MS, activation="Relu"),), {
        "k": np.linspace(-1, 1, 16, dtype="f4").reshape(2, 2, 2, 2)}, {MS: 1}),
    "FusedGemm": Part((1, 8), (_node("FusedGemm", "taken w", "made", MS, activation="Tanh"),), {
        "w": np.linspace(-0.5, 0.6, 24, dtype="f4").reshape(8, 3)}, {MS: 1}),
    "BiasGelu": Part((1, 8), (_node("BiasGelu", "taken b", "made", MS),), {"b": _ROW["c"][0]}, {MS: 1}),
    "MatMulNBits": Part((1, 16), (_node("MatMulNBits", "taken b s", "made", MS, K=16, N=2, bits=4, block_size=16),), {
        "b": np.arange(16, dtype=np.uint8).reshape(2, 1, 8) * 15, "s": np.array([0.05, 0.1], "f4")}, {MS: 1}),
    "DynamicQuantizeLSTM": Part((2, 1, 4), (helper.make_node(
        "DynamicQuantizeLSTM", ["taken", "w", "r", *[""] * 5, "s", "z", "s", "z"], ["made"], domain=MS, hidden_size=2,
    ),), _ONE | {"w": _CODES, "r": _CODES[:, :2]}, {MS: 1}),
    "STFT": Part((1, 8, 1), (_node("STFT", "taken n w", onesided=1),), {"n": np.array(2), "w": np.ones(4, "f4")}),
    "SequenceConstruct": Part((1, 4), (
        _node("SequenceConstruct", "taken taken", "q"), _node("ConcatFromSequence", "q", axis=0))),
    "SequenceEmpty": Part((1, 4), (
        _node("SequenceEmpty", "", "e"), _node("SequenceInsert", "e taken", "q"),
        _node("ConcatFromSequence", "q", axis=0))),
    "SplitToSequence": Part((1, 4), (
        _node("SplitToSequence", "taken n", "q", axis=1), _node("SequenceLength", "q", "l"), _node("Sub", "l n", "k"),
        _node("SequenceAt", "q k")), {"n": np.array(1)}),
}
OWN |= {"SequenceInsert": OWN["SequenceEmpty"], "ConcatFromSequence": OWN["SequenceEmpty"],
        "SequenceLength": OWN["SplitToSequence"], "SequenceAt": OWN["SplitToSequence"]}
for _pool in ("AveragePool", "LpPool", "MaxPool"):
    OWN[_pool] = Part((1, 1, 4, 4), (_node(_pool, "taken", kernel_shape=[2, 2]),))
for _window in ("BlackmanWindow", "HammingWindow", "HannWindow"):
    OWN[_window] = Part((1, 8), (_node(_window, "n", "w"), _node("Mul", "taken w")), {"n": np.array(8)})


@cache
def _cases() -> dict[str, list[tuple[int, Any, list[Array]]]]:
    """ONNX's cases of one node, by its operator: size, model, inputs."""
    by_kind: dict[str, list[tuple[int, Any, list[Array]]]] = {}
    for case in node_cases():
        if case.model is None or not case.data_sets:
            continue
        graph = case.model.graph
        if len(graph.node) == 1 and not case.model.functions and "expanded" not in case.name:
            inputs, outputs = case.data_sets[0]
            tensors = [_numbers(x) for x in (*inputs, *outputs)]
            if all(isinstance(x, np.ndarray) and x.dtype.kind in "fiub" and x.size for x in tensors):
                size = sum(x.size for x in tensors)
                by_kind.setdefault(graph.node[0].op_type, []).append((size, case.model, tensors[: len(inputs)]))
    return {kind: sorted(cases, key=lambda sized: sized[0]) for kind, cases in by_kind.items()}


def _numbers(value: Any) -> Array:
    if isinstance(value, onnx.TensorProto):
        return numpy_helper.to_array(value)
    return np.asarray(value) if isinstance(value, np.ndarray | np.generic) else np.zeros(0)


def part_of(kind: str) -> Part:
    """The part of a model that has the operator; LookupError if nothing is known of it."""
    if kind in OWN:
        return OWN[kind]
    for dtypes in ("f", "iub"):
        for size, model, inputs in _cases().get(kind, ()):
            first = inputs[0]
            if first.dtype.kind in dtypes and 1 < first.size <= COMPUTED and size <= MOST_MADE and first.ndim:
                return _from_case(model, inputs)
    raise LookupError(kind)


def _from_case(model: onnx.ModelProto, inputs: Sequence[Array]) -> Part:
    node = onnx.NodeProto()
    node.CopyFrom(model.graph.node[0])
    node.name = f"n_{node.op_type}"
    constants, before, first = {}, [], inputs[0]
    names = [name for name in node.input if name]
    renamed = dict(zip(names, ["taken", *(f"c{k}" for k in range(1, len(names)))], strict=True))
    constants = {f"c{k}": x for k, x in enumerate(inputs[1 : len(names)], start=1)}
    node.input[:] = [renamed.get(name, "") for name in node.input]
    node.output[:] = ["made" if k == 0 else (f"m{k}" if name else "") for k, name in enumerate(node.output)]
    if first.dtype.kind == "b":
        before = [_node("Greater", "taken zero", "first")]
        constants["zero"] = np.asarray(np.float32(0))
    elif first.dtype != np.float32:
        before = [
            _node("Abs", "taken", "positive"),
            _node("Cast", "positive", "first", to=helper.np_dtype_to_tensor_dtype(first.dtype)),
        ]
    if before:
        node.input[:] = ["first" if name == "taken" else name for name in node.input]
    opsets = {o.domain: o.version for o in model.opset_import}
    return Part(first.shape, (*before, node), constants, opsets)


def model_of(kinds: Sequence[str]) -> onnx.ModelProto:
    """One model with the parts of several operators side by side: a layer, each of them, and a layer on their means."""
    rng = np.random.default_rng(0)
    weights: dict[str, Array] = {
        "w": rng.normal(size=(INPUTS, COMPUTED)).astype("f4") / 2, "v": rng.normal(size=(len(kinds), 3)).astype("f4"),
        "row": np.array([1, -1]),
    }
    old = [OLD[kind] for kind in kinds if kind in OLD]
    nodes, opsets = [helper.make_node("MatMul", ["x", "w"], ["h"])], {"": 18}
    weights |= {} if old else {"axis": np.array([1])}
    for k, kind in enumerate(kinds):
        part = part_of(kind)
        size = int(np.prod(part.shape, dtype=int))
        weights |= {f"{k}.{name}": value for name, value in part.constants.items()}
        weights |= {f"{k}.some": (np.arange(size) + k) % COMPUTED, f"{k}.shape": np.array(part.shape, dtype=np.int64)}
        nodes += [
            helper.make_node("Gather", ["h", f"{k}.some"], [f"{k}.flat"], axis=1),
            helper.make_node("Reshape", [f"{k}.flat", f"{k}.shape"], [f"{k}.taken"]),
        ]
        for number, part_node in enumerate(part.nodes):
            node = onnx.NodeProto()
            node.CopyFrom(part_node)
            node.name = f"{kind} {number} {part_node.op_type}"
            node.input[:] = [f"{k}.{name}" if name else "" for name in part_node.input]
            node.output[:] = [f"{k}.{name}" if name else "" for name in part_node.output]
            nodes.append(node)
        nodes += [
            helper.make_node("Cast", [f"{k}.made"], [f"{k}.numbers"], to=TensorProto.FLOAT),
            helper.make_node("Reshape", [f"{k}.numbers", "row"], [f"{k}.row"]),
            helper.make_node("ReduceMean", [f"{k}.row"], [f"{k}.mean"], axes=[1]) if old else
            helper.make_node("ReduceMean", [f"{k}.row", "axis"], [f"{k}.mean"]),
        ]
        for domain, version in part.opsets.items():
            opsets[domain] = max(opsets.get(domain, 0), version)
    nodes += [
        helper.make_node("Concat", [f"{k}.mean" for k in range(len(kinds))], ["means"], axis=1),
        helper.make_node("MatMul", ["means", "v"], ["y"]),
    ]
    opsets[""] = min(old) if old else opsets[""]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes, "operators", [value("x", TensorProto.FLOAT, [1, INPUTS])], [value("y", TensorProto.FLOAT, [1, 3])],
        [numpy_helper.from_array(np.asarray(v), k) for k, v in weights.items()],
    )
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid(d, v) for d, v in opsets.items()], ir_version=10
    )
