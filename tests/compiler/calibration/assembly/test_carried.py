"""Values of different units side by side, as a layer takes them."""

import numpy as np
import pytest

from mho.compiler import CompileOptions, compile_model, summarise
from mho.hw.config import load_chip
from mho.sim.functional import FunctionalBackend
from tests.compiler.importer.onnx_models import build, node, reference
from tests.sim.outputs import quantised_outputs


@pytest.mark.slow
@pytest.mark.parametrize("factor", [4.0, 30.0])
def test_rows_that_take_values_of_different_units_are_not_clipped(factor: float) -> None:
    """Tokens of two kinds, one bounded by a table and one many times as large, behind each other in one sequence."""
    rng = np.random.default_rng(0)
    nodes = [
        node("Tanh", "x", "small"), node("Mul", "x k", "large"), node("Concat", "small large", "c", axis=1),
        node("MatMul", "c w", "m"), node("Relu", "m", "r"), node("Flatten", "r", "f"), node("Gemm", "f v", "y"),
    ]
    weights = {
        "k": np.float32(factor), "w": rng.normal(size=(4, 5)).astype("f4"),
        "v": (rng.normal(size=(20, 3)) / 4).astype("f4"),
    }
    model = build(nodes, weights, shape=("n", 2, 4), output=("n", 3))
    x = rng.normal(size=(96, 2, 4)).astype("f4")
    network = compile_model(
        model, load_chip("tnsa16-core"), calibrate=x[:64], device="ideal", options=CompileOptions(samples=64)
    )
    assert network.layers[0].positions in (4, 8)  # once, or in two parts
    assert summarise(network)["layers"][0]["clipped"] < 0.02
    expected = reference(model, x[64:])
    got = quantised_outputs(network, FunctionalBackend(), x[64:]).outputs
    assert np.sqrt(((got - expected) ** 2).mean()) / expected.std() < 0.08
