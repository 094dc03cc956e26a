"""Errors of the outputs that a compilation reports, and what it warns of."""

import numpy as np
import onnx
import pytest

from mho.compiler import CompileOptions, compile_model, summarise
from mho.compiler.calibration.outputs import OutputError, output_warnings
from mho.hw.config import load_chip
from mho.sim.executor import execute
from mho.sim.functional import FunctionalBackend
from tests.compiler.importer.onnx_models import Array, build, node, perceptron, random_perceptron
from tests.sim.outputs import float_outputs, quantised_outputs

CHIP = load_chip("tnsa16-core")
OPTIONS = CompileOptions(seeds=1)


def convolution(rng: np.random.Generator) -> onnx.ModelProto:
    nodes = [
        node("Conv", "x k", "c"), node("Relu", "c", "r"), node("GlobalAveragePool", "r", "p"),
        node("Flatten", "p", "f"), node("Gemm", "f w", "y"),
    ]
    weights = {"k": rng.normal(size=(4, 1, 2, 2)).astype("f4"), "w": rng.normal(size=(4, 3)).astype("f4")}
    return build(nodes, weights, shape=("n", 1, 4, 4), output=("n", 3))


def relative(outputs: Array, expected: Array) -> float:
    return float(np.sqrt(((outputs - expected) ** 2).sum() / (expected**2).sum()))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["chain", "convolution"])
def test_reported_errors_are_those_of_a_run(name: str) -> None:
    """On perfect cells, of the calibration inputs: the same lanes, so the same figures."""
    rng = np.random.default_rng(0)
    model = random_perceptron([6, 8, 3], final=None) if name == "chain" else convolution(rng)
    x = rng.normal(size=(40, *((6,) if name == "chain" else (1, 4, 4)))).astype("f4")
    network = compile_model(model, CHIP, calibrate=x, options=OPTIONS)
    (summary,) = summarise(network)["outputs"]
    expected, outputs = float_outputs(network, x), quantised_outputs(network, FunctionalBackend(), x).outputs
    assert summary["inputs"] == 40
    assert summary["error"] == pytest.approx(relative(outputs, expected), rel=1e-3)
    assert summary["classes"] == pytest.approx((outputs.argmax(axis=1) != expected.argmax(axis=1)).mean(), abs=1e-4)
    deviation = np.sqrt(expected.var(axis=0).mean())
    assert summary["spread"] == pytest.approx(np.sqrt(((outputs - expected) ** 2).mean()) / deviation, rel=1e-3)
    # Other chips of the device, after the time that calibration is for: about as large.
    aged = [execute(network, FunctionalBackend(), x, seed=s, time_s=86400.0).outputs for s in range(4)]
    assert summary["error_aged"] > summary["error"]
    assert 0.3 < summary["error_aged"] / np.mean([relative(aged_outputs, expected) for aged_outputs in aged]) < 3.0


def test_terms_that_cancel_are_said() -> None:
    """Inputs that move together, whose weights add up to nothing: what is left is below a code."""
    rng = np.random.default_rng(0)
    common = rng.normal(size=(64, 1))
    x = (common + 0.004 * rng.normal(size=(64, 6))).astype("f4")
    w = np.array([[1, -1, 1, -1, 1, -1]]).T * np.array([[1.0, 0.7, 0.4]])
    network = compile_model(perceptron([(w, np.zeros(3))], final=None), CHIP, calibrate=x, options=OPTIONS)
    (said,) = network.calibration.warnings
    assert said.startswith("output 'y' decides ")
    assert "on perfect cells, most of it behind layer n_g0: " in said
    assert len(said) <= 200
    independent = rng.normal(size=(256, 6)).astype("f4")
    network = compile_model(perceptron([(w, np.zeros(3))], final=None), CHIP, calibrate=independent, options=OPTIONS)
    assert not any("perfect" in sentence for sentence in network.calibration.warnings)


@pytest.mark.slow
def test_the_layer_that_is_named_is_the_one_at_fault() -> None:
    """Three layers, the second of which cancels; the third hands on what it is given."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(64, 6)).astype("f4")
    first = np.full((6, 6), 1.0) + 0.004 * rng.normal(size=(6, 6))
    second = np.kron(np.array([[1.0], [-1.0]]), np.eye(3))
    layers = [(first, np.full(6, 9.0)), (second, np.zeros(3)), (np.eye(3), np.zeros(3))]
    network = compile_model(perceptron(layers, final=None), CHIP, calibrate=x, options=OPTIONS)
    (said,) = network.calibration.warnings
    assert "behind layer n_g0" in said or "behind layer n_g1" in said


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"classes": 0.0, "error": 0.049}, None),
        ({"classes": 0.02, "error": 0.01}, None),  # 2 of 100, by chance
        ({"classes": 0.04, "error": 0.01}, "output 'y' decides 4.0% otherwise on perfect cells"),
        ({"error": 0.06}, "output 'y' is off by 6.0% on perfect cells"),
        ({"error": 0.06, "allowed": 0.1}, None),
        ({"error": 0.01, "spread": 0.3}, "output 'y' is off by 30.0% of its deviation on perfect cells"),
        ({"error": 0.03, "error_aged": 0.12}, "output 'y' is off by 12.0% on cells of the device"),
        ({"classes": 0.0, "error": 0.03, "error_aged": 0.12}, None),  # scores: their largest counts
        ({"classes": 0.0, "classes_aged": 0.03}, None),
        ({"classes": 0.0, "classes_aged": 0.06}, "output 'y' decides 6.0% otherwise on cells of the device"),
    ],
)
def test_what_is_said(facts: dict[str, float], said: str | None) -> None:
    warnings = output_warnings([OutputError(name="y", inputs=100, **facts)], "fc")
    assert (warnings[0].split(", most")[0].split(": more")[0] if warnings else None) == said


def test_sentences_on_long_names_are_short() -> None:
    output_error = OutputError(name="y" * 90, inputs=100, classes=1.0, classes_aged=1.0, error=12.345, error_aged=99.9)
    (said,) = output_warnings([output_error], "a/long/name/" * 9)
    assert len(said) <= 200
