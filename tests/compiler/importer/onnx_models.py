"""Small ONNX models for tests, and onnxruntime as the independent reference."""

import sys
import warnings
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Array = NDArray[Any]


def node(op: str, inputs: str, outputs: str, **attributes: Any) -> onnx.NodeProto:
    """A node with space-separated inputs and outputs, named after its first output."""
    return helper.make_node(op, inputs.split(), outputs.split(), name=f"n_{outputs.split()[0]}", **attributes)


def build(
    nodes: Sequence[onnx.NodeProto],
    weights: Mapping[str, Array],
    *,
    shape: Sequence[Any] = ("batch", 6),
    output: Sequence[Any] = ("batch", 4),
    opset: int = 17,
    elem_type: int = TensorProto.FLOAT,
    inputs_too: bool = False,
    name: str = "y",
) -> onnx.ModelProto:
    """A model from ``x`` to ``y``; with ``inputs_too`` its initializers are graph inputs as well."""
    initializers = [numpy_helper.from_array(np.asarray(v), k) for k, v in weights.items()]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, list(shape))]
    if inputs_too:
        inputs += [helper.make_tensor_value_info(i.name, i.data_type, list(i.dims)) for i in initializers]
    outputs = [helper.make_tensor_value_info(name, elem_type, list(output))]
    graph = helper.make_graph(list(nodes), "net", inputs, outputs, initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def perceptron(
    layers: Sequence[tuple[Array, Array]],
    *,
    final: str | None = "Softmax",
    mean: Array | None = None,
    deviation: Array | None = None,
) -> onnx.ModelProto:
    """Gemm and Relu in turns, from weights (inputs, outputs) and biases; features are standardised in the graph."""
    nodes, weights, value = [], {}, "x"
    if mean is not None and deviation is not None:
        weights |= {"mean": mean.astype("f4"), "deviation": deviation.astype("f4")}
        nodes += [node("Sub", "x mean", "centred"), node("Div", "centred deviation", "scaled")]
        value = "scaled"
    for k, (w, b) in enumerate(layers):
        weights |= {f"w{k}": w.astype("f4"), f"b{k}": b.astype("f4")}
        nodes.append(node("Gemm", f"{value} w{k} b{k}", f"g{k}"))
        value = f"g{k}"
        if k + 1 < len(layers):
            nodes.append(node("Relu", value, f"r{k}"))
            value = f"r{k}"
    nodes.append(node(final or "Identity", value, "y"))
    return build(nodes, weights, shape=("batch", len(layers[0][0])), output=("batch", layers[-1][1].size))


def random_perceptron(sizes: Sequence[int], seed: int = 0, **options: Any) -> onnx.ModelProto:
    """A perceptron with random weights."""
    rng = np.random.default_rng(seed)
    layers = [(rng.normal(size=(a, b)) / np.sqrt(a), 0.1 * rng.normal(size=b)) for a, b in pairwise(sizes)]
    return perceptron(layers, **options)


def reference(model: onnx.ModelProto | Path, x: Array) -> Array:
    """Output of onnxruntime."""
    import onnxruntime

    model = onnx.load(model) if isinstance(model, Path) else model
    options = onnxruntime.SessionOptions()
    # Without VNNI instructions onnxruntime's sums of 8-bit products saturate at 16 bits.
    options.add_session_config_entry("session.x64quantprecision", "1")
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), sess_options=options, providers=["CPUExecutionProvider"]
    )
    return np.asarray(session.run(None, {session.get_inputs()[0].name: x})[0])


def node_cases() -> list[Any]:
    """ONNX's own cases of one node, but for poolings in windows."""
    from onnx.backend.test.case import node as cases

    # Those take three quarters of the time, in three dimensions.
    for name in ("averagepool", "lppool", "maxpool"):
        sys.modules.setdefault(f"{cases.__name__}.{name}", ModuleType(name))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return cases.collect_testcases(None)
