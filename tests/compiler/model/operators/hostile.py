"""Small ONNX models that would take the memory or the time of a machine, by name."""

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

__all__ = ["HOSTILE", "NODES", "calls", "hostile"]

DOMAIN = "own"


def _node(kind: str, inputs: str, outputs: str = "y", **attrs: Any) -> onnx.NodeProto:
    names = [name if name != "-" else "" for name in inputs.split()]
    return helper.make_node(kind, names, outputs.split(), **attrs)


def _array(*values: float) -> Any:
    return np.array(values, np.int64 if all(isinstance(v, int) for v in values) else np.float32)


NODES: dict[str, tuple[list[onnx.NodeProto], dict[str, Any]]] = {
    "doubled by Concat": ([_node("Concat", f"{'x' if k == 0 else f't{k}'} {'x' if k == 0 else f't{k}'}", f"t{k + 1}",
                                 axis=1) for k in range(40)] + [_node("ReduceSum", "t40", keepdims=1)], {}),
    "doubled by Tile": ([_node("Tile", "x r")], {"r": _array(1, 1 << 40)}),
    "squared by Add": ([_node("Reshape", "e a", "u"), _node("Reshape", "e b", "v"), _node("Add", "u v", "w"),
                        _node("ReduceSum", "w", "s", keepdims=1), _node("Add", "x s")],
                       {"e": np.zeros(1 << 15, np.float32), "a": _array(1, 1 << 15), "b": _array(1 << 15, 1)}),
    "Expand": ([_node("Expand", "x s")], {"s": _array(1 << 20, 1 << 20, 1, 4)}),
    "Einsum": ([_node("Einsum", "e e e", "s", equation="a,b,c->abc"), _node("ReduceSum", "s", "t", keepdims=0),
                _node("Add", "x t")], {"e": np.zeros(1 << 12, np.float32)}),
    "work of Einsum": ([_node("Einsum", "e e e", "s", equation="ab,cd,ef->"), _node("Add", "x s")],
                       {"e": np.zeros((256, 256), np.float32)}),
    "ConstantOfShape": ([_node("ConstantOfShape", "s", "c"), _node("ReduceSum", "c", "t", keepdims=0),
                         _node("Add", "x t")], {"s": _array(1 << 20, 1 << 20)}),
    "Range": ([_node("Range", "a b d", "c"), _node("ReduceSum", "c", "t", keepdims=0), _node("Add", "x t")],
              {"a": np.float32(0), "b": np.float32(1), "d": np.float32(1e-12)}),
    "Resize": ([_node("Reshape", "x s", "i"), _node("Resize", "i - f", "j"), _node("ReduceSum", "j", "t", keepdims=0),
                _node("Add", "x t")], {"s": _array(1, 1, 2, 2), "f": np.array([1, 1, 1e6, 1e6], np.float32)}),
    "Pad": ([_node("Pad", "x p")], {"p": _array(0, 1 << 40, 0, 0)}),
    "OneHot": ([_node("Cast", "x", "i", to=TensorProto.INT64), _node("OneHot", "i d v", "o"),
                _node("ReduceSum", "o", "t", keepdims=0), _node("Add", "x t")],
               {"d": np.int64(1 << 40), "v": np.array([0, 1], np.float32)}),
    "sum along nothing": ([_node("Reshape", "e s", "z", allowzero=1), _node("ReduceSum", "z a", "t", keepdims=0),
                           _node("ReduceSum", "t", "u", keepdims=0), _node("Add", "x u")],
                          {"e": np.zeros(0, np.float32), "s": _array(1 << 40, 0), "a": _array(1)}),
    "GridSample": ([_node("Reshape", "x s", "i"), _node("GridSample", "i g", "j"),
                    _node("ReduceSum", "j", "t", keepdims=0), _node("Add", "x t")],
                   {"s": _array(1, 1, 2, 2), "g": np.zeros((1, 1 << 10, 1 << 10, 2), np.float32)}),
    "LSTM of 2^20 steps": ([_node("LSTM", "e w r", "h", hidden_size=1), _node("ReduceSum", "h", "t", keepdims=0),
                            _node("Add", "x t")],
                           {"e": np.zeros((1 << 20, 1, 1), np.float32), "w": np.zeros((1, 4, 1), np.float32),
                            "r": np.zeros((1, 4, 1), np.float32)}),
    "dilated Conv": ([_node("Reshape", "x s", "i"), _node("Conv", "i k", "j", dilations=[1 << 20, 1 << 20],
                                                          pads=[1 << 20, 1 << 20, 1 << 20, 1 << 20]),
                      _node("ReduceSum", "j", "t", keepdims=0), _node("Add", "x t")],
                     {"s": _array(1, 1, 2, 2), "k": np.zeros((1, 1, 2, 2), np.float32)}),
    "ConvTranspose": ([_node("Reshape", "x s", "i"), _node("ConvTranspose", "i k", "j", strides=[1 << 30, 1 << 30]),
                       _node("ReduceSum", "j", "t", keepdims=0), _node("Add", "x t")],
                      {"s": _array(1, 1, 2, 2), "k": np.zeros((1, 1, 2, 2), np.float32)}),
    "MaxPool": ([_node("Reshape", "x s", "i"), _node("MaxPool", "i", "j", kernel_shape=[1 << 13, 1 << 13],
                                                     pads=[1 << 12, 1 << 12, 1 << 12, 1 << 12]),
                 _node("ReduceSum", "j", "t", keepdims=0), _node("Add", "x t")], {"s": _array(1, 1, 2, 2)}),
    "LRN": ([_node("Reshape", "x s", "i"), _node("LRN", "i", "j", size=1 << 30), _node("Flatten", "j")],
            {"s": _array(1, 4, 1, 1)}),
    "window": ([_node("HannWindow", "n", "h"), _node("ReduceSum", "h", "t", keepdims=0), _node("Add", "x t")],
               {"n": np.int64(1 << 40)}),
    "EyeLike": ([_node("MatMul", "e f", "m"), _node("ReduceSum", "m", "t", keepdims=0), _node("Add", "x t")],
                {"e": np.zeros((1 << 17, 0), np.float32), "f": np.zeros((0, 1 << 17), np.float32)}),
}
"""Nodes that take ``x`` of shape (1, 4) and make ``y``, and their constants."""


def _loop(inner: onnx.GraphProto) -> onnx.NodeProto:
    return helper.make_node("Loop", ["many", "go", "x"], ["y"], body=inner)


def _body(nodes: list[onnx.NodeProto], name: str) -> onnx.GraphProto:
    values = [helper.make_tensor_value_info(f"{name}{n}", kind, shape) for n, kind, shape in
              (("i", TensorProto.INT64, []), ("c", TensorProto.BOOL, []), ("v", TensorProto.FLOAT, None))]
    outputs = [helper.make_tensor_value_info(f"{name}d", TensorProto.BOOL, []),
               helper.make_tensor_value_info(f"{name}w", TensorProto.FLOAT, None)]
    return helper.make_graph([helper.make_node("Identity", [f"{name}c"], [f"{name}d"]), *nodes], name, values, outputs)


def _nested() -> tuple[list[onnx.NodeProto], dict[str, Any]]:
    """Loops of 1000 iterations within each other, three deep."""
    body = _body([helper.make_node("Neg", ["av"], ["aw"])], "a")
    for name in "bc":
        body = _body([helper.make_node("Loop", ["many", "go", f"{name}v"], [f"{name}w"], body=body)], name)
    return [_loop(body)], {"many": np.int64(1000), "go": np.bool_(True)}


NODES["loops within loops"] = _nested()


def hostile(name: str) -> onnx.ModelProto:
    """A model of a product with weights and what follows it."""
    nodes, constants = NODES[name]
    first = helper.make_node("MatMul", ["in", "weights"], ["x"])
    constants = constants | {"weights": np.eye(4, dtype=np.float32)}
    graph = helper.make_graph(
        [first, *nodes], "hostile", [helper.make_tensor_value_info("in", TensorProto.FLOAT, [1, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items()],
    )
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("ai.onnx.ml", 5 if "made" in name or "shared" in name
                                                                else 3)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9)


def calls(count: int, *, itself: bool = False) -> onnx.ModelProto:
    """Functions that call the one before twice; or one that calls itself."""
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid(DOMAIN, 1)]
    functions = [helper.make_function(
        DOMAIN, "F0", ["a"], ["b"],
        [helper.make_node("F0", ["a"], ["b"], domain=DOMAIN) if itself else helper.make_node("Relu", ["a"], ["b"])],
        opsets,
    )]
    for k in range(1, count):
        functions.append(helper.make_function(
            DOMAIN, f"F{k}", ["a"], ["b"],
            [helper.make_node(f"F{k - 1}", ["a"], ["t"], domain=DOMAIN),
             helper.make_node(f"F{k - 1}", ["t"], ["b"], domain=DOMAIN)], opsets,
        ))
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["in", "weights"], ["x"]),
         helper.make_node(f"F{count - 1}", ["x"], ["y"], domain=DOMAIN)], "calls",
        [helper.make_tensor_value_info("in", TensorProto.FLOAT, [1, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4])],
        [numpy_helper.from_array(np.eye(4, dtype=np.float32), "weights")],
    )
    return helper.make_model(graph, opset_imports=opsets, ir_version=9, functions=functions)


HOSTILE = sorted(NODES)
