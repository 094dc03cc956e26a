"""Resize by interpolation on the digital side: sums of neighbours, against onnxruntime."""

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from mho.compiler import CompileOptions, compile_model, import_onnx, summarise
from mho.compiler.model.stages import Combine
from mho.hw.config import load_chip
from mho.sim.executor import execute
from mho.sim.functional import FunctionalBackend
from tests.compiler.importer.onnx_models import node
from tests.compiler.importer.test_named_values import floats, run_all
from tests.compiler.importer.test_onnx_operators import given
from tests.sim.outputs import quantised_outputs

CASES: dict[str, tuple[dict[str, Any], str, Any, int]] = {
    "linear": ({"mode": "linear"}, "scales", np.array([1, 1, 2, 2], "f4"), 18),
    "corners": ({"mode": "linear", "coordinate_transformation_mode": "align_corners"}, "sizes", [1, 2, 7, 9], 13),
    "torch": ({"mode": "linear", "coordinate_transformation_mode": "pytorch_half_pixel"}, "sizes", [1, 2, 6, 9], 13),
    "smaller": ({"mode": "linear"}, "scales", np.array([1, 1, 0.5, 0.75], "f4"), 19),
    "cubic": ({"mode": "cubic", "cubic_coeff_a": -0.75}, "scales", np.array([1, 1, 2, 1], "f4"), 17),
    "axes": ({"mode": "linear", "axes": [2, 3]}, "scales", np.array([2, 1.5], "f4"), 18),
    "ten": ({"mode": "linear"}, "scales", np.array([1, 1, 2, 2], "f4"), 10),
    "upsample": ({"mode": "linear"}, "scales", np.array([1, 1, 2, 3], "f4"), 9),
}


def resized(name: str) -> onnx.ModelProto:
    attrs, what, value, opset = CASES[name]
    inputs = {"scales": "c  s", "sizes": "c   s"}[what]
    resize = node("Upsample" if opset == 9 else "Resize", "c s", "r", **attrs)
    resize.input[:] = ["c", "s"] if opset < 11 else inputs.split(" ")
    after = [node("Conv", "r l", "y")]
    weights = {"k": floats(2, 3, 3, 3) / 3, "l": floats(3, 2, 1, 1), "s": np.asarray(value)}
    nodes = [node("Conv", "x k", "c", pads=[1, 1, 1, 1]), resize, *after]
    # Whole shapes say what the batch is.
    count = 1 if what == "sizes" else "n"
    return given(nodes, weights, shape=(count, 3, 4, 6), output=[None] * 4, opset=opset)


@pytest.mark.parametrize("name", CASES)
def test_interpolation_is_a_sum_of_neighbours(name: str) -> None:
    model, x = resized(name), floats(1 if CASES[name][1] == "sizes" else 3, 3, 4, 6)
    network = import_onnx(model)
    assert any(isinstance(s.operation, Combine) for s in network.steps)
    assert [type(s.operation).__name__ for s in network.steps].count("Evaluated") == 0
    np.testing.assert_allclose(network.compute(x), run_all(model, {"x": x})["y"], rtol=1e-4, atol=1e-4)


def test_what_has_too_many_neighbours_is_done_at_the_host() -> None:
    model = resized("linear")
    model.graph.node[1].attribute.append(helper.make_attribute("antialias", 1))
    next(t for t in model.graph.initializer if t.name == "s").CopyFrom(
        onnx.numpy_helper.from_array(np.array([1, 1, 0.25, 0.2], "f4"), "s")
    )
    kinds = [type(s.operation).__name__ for s in import_onnx(model).steps]
    assert "Evaluated" in kinds


@pytest.mark.cosim
@pytest.mark.slow
def test_the_same_bits_in_verilog() -> None:
    from mho.sim.core.cosim import CosimBackend

    x = floats(66, 3, 4, 6)
    net = compile_model(
        resized("linear"), load_chip("tnsa16-core"), calibrate=x[:64], device="ideal",
        options=CompileOptions(seeds=1, samples=64),
    )
    assert summarise(net)["host"] == []
    got, expected = quantised_outputs(net, FunctionalBackend(), x[64:]).outputs, net.model.compute(x[64:])
    assert np.sqrt(((got - expected) ** 2).mean()) < 0.15 * expected.std()
    settings: dict[str, Any] = {"device": "rram-neurram", "time_s": 86_400.0}
    backend = CosimBackend()
    try:
        simulated = execute(net, backend, x[64:65], **settings).outputs
    finally:
        backend.close()
    assert np.array_equal(simulated, execute(net, FunctionalBackend(), x[64:65], **settings).outputs)
