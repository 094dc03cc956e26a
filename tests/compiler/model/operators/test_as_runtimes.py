"""Operators that ``onnx.reference`` does otherwise than the runtimes, against onnxruntime."""

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from mho.compiler.model.operators.run import run_node
from tests.compiler.importer.onnx_models import Array

Case = tuple[str, int, list[Array | None], dict[str, Any]]


def floats(*shape: int) -> Array:
    return np.random.default_rng(list(shape)).normal(size=shape).astype(np.float32)


LINE, IMAGE = floats(1, 6, 9), floats(1, 6, 7, 8)
ALIGNED = {"coordinate_transformation_mode": "align_corners"}
CASES: dict[str, Case] = {
    "GlobalMaxPool of a line": ("GlobalMaxPool", 17, [LINE], {}),
    "GlobalMaxPool of a volume": ("GlobalMaxPool", 17, [floats(2, 3, 4, 5, 6)], {}),
    "LRN of more channels than samples": ("LRN", 17, [IMAGE], {"size": 3, "alpha": 0.5}),
    "LRN of two samples": ("LRN", 17, [floats(2, 6, 4, 4)], {"size": 5, "alpha": 0.5, "beta": 0.6, "bias": 2.0}),
    "LpPool rounded up": ("LpPool", 18, [IMAGE], {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1, "p": 3}),
    "LpPool with pads": ("LpPool", 17, [LINE], {"kernel_shape": [3], "pads": [1, 1], "p": 2}),
    "ConvTranspose to a shape": (
        "ConvTranspose", 17, [IMAGE, floats(6, 4, 3, 3)], {"strides": [2, 2], "output_shape": [14, 15]}
    ),
    "ConvTranspose to a shape, in groups": (
        "ConvTranspose", 17, [LINE, floats(6, 2, 3), floats(6)],
        {"strides": [2], "output_shape": [18], "group": 3, "auto_pad": "SAME_UPPER"},
    ),
    "corners of a size that is rounded": (
        "Resize", 17, [IMAGE, None, np.array([1, 1, 1.7, 1.7], "f4")], {"mode": "linear", **ALIGNED}
    ),
    "corners along some axes": (
        "Resize", 18, [IMAGE, None, np.array([1.7, 1.3], "f4")], {"mode": "nearest", "axes": [2, 3], **ALIGNED}
    ),
    "Pad by less than nothing": ("Pad", 18, [LINE, np.array([-1, 2]), None, np.array([-1])], {}),
    "Pad by less than nothing, of old": ("Pad", 7, [LINE], {"pads": [0, 1, -2, 0, 0, -1]}),
    "OneHot of a depth that is a vector": (
        "OneHot", 17, [np.array([0, 2, 7]), np.array([4]), np.array([0, 5], "f4")], {"axis": 0}
    ),
    "GridSample by its old name": (
        "GridSample", 16, [floats(1, 2, 5, 6), np.clip(floats(1, 3, 4, 2), -1.2, 1.2)],
        {"mode": "bilinear", "padding_mode": "reflection"},
    ),
    "GroupNormalization with a scale for each group": (
        "GroupNormalization", 18, [IMAGE, floats(3), floats(3) + 1], {"num_groups": 3}
    ),
    "GroupNormalization with a scale for each channel": (
        "GroupNormalization", 21, [IMAGE, floats(6), floats(6) + 1], {"num_groups": 3, "epsilon": 0.01}
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_as_onnxruntime(name: str) -> None:
    import onnxruntime

    kind, opset, inputs, attributes = CASES[name]
    names = [f"x{k}" if x is not None else "" for k, x in enumerate(inputs)]
    operator = helper.make_node(kind, names, ["y"], **attributes)
    feeds = {n: x for n, x in zip(names, inputs, strict=True) if x is not None}
    values = [helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(x.dtype), x.shape)
              for n, x in feeds.items()]
    graph = helper.make_graph([operator], "net", values, [helper.make_value_info("y", onnx.TypeProto())])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (got,), expected = run_node(operator, inputs, opset), np.asarray(session.run(None, feeds)[0])
    assert got is not None
    assert got.shape == expected.shape
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)
