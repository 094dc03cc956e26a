"""Inputs beyond what codes reach, and what clipping them does to the outputs."""

import numpy as np
import pytest

from mho.compiler import CompileOptions, Network, compile_model
from mho.compiler.network.reach import clipped_inputs, input_reach
from mho.hw.config import load_chip
from mho.sim.functional import FunctionalBackend
from tests.compiler.importer.onnx_models import Array, build, node, random_perceptron
from tests.sim.outputs import quantised_outputs


def compiled(name: str) -> Network:
    rng = np.random.default_rng(0)
    if name == "chain":
        model, shape = random_perceptron([6, 8, 3], final=None), (6,)
    else:
        nodes = [node("Conv", "x k", "c"), node("Relu", "c", "r"), node("Flatten", "r", "f"), node("Gemm", "f w", "y")]
        weights = {"k": rng.normal(size=(2, 1, 2, 2)).astype("f4"), "w": rng.normal(size=(18, 3)).astype("f4")}
        model, shape = build(nodes, weights, shape=("n", 1, 4, 4), output=("n", 3)), (1, 4, 4)
    x = rng.uniform(-1, 1, size=(40, *shape)).astype("f4")
    return compile_model(model, load_chip("tnsa16-core"), calibrate=x, device="ideal", options=CompileOptions(seeds=1))


def said(network: Network, x: Array) -> str | None:
    last = network.model.last(x)
    return clipped_inputs(network, x, last, network.model.finish_all(last))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["chain", "convolution"])
def test_what_is_beyond_reach_changes_nothing(name: str) -> None:
    """From the reach on, larger inputs give the bits of those at its ends; a little below it they give others."""
    network = compiled(name)
    low, high = input_reach(network.program)
    assert np.isfinite(np.stack([low, high])).all()
    backend = FunctionalBackend()
    ends = [quantised_outputs(network, backend, (high * f)[None]).outputs for f in (1.0, 1.01, 3.0, 0.8)]
    assert np.array_equal(ends[1], ends[2])
    np.testing.assert_allclose(ends[0], ends[1], atol=0.05 * np.abs(ends[1]).max())
    assert not np.array_equal(ends[2], ends[3])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["chain", "convolution"])
def test_the_sentence_says_how_far_outputs_are_off(name: str) -> None:
    network = compiled(name)
    x = np.random.default_rng(1).uniform(-0.8, 0.8, size=(50, network.model.features)).astype("f4")
    assert said(network, x) is None
    x[3, 1] = 30.0
    sentence = said(network, x)
    assert sentence is not None
    assert sentence.startswith("1 of 50 input reaches beyond what calibration saw; by clipping alone output 'y' ")
    expected, outputs = network.model.compute(x), quantised_outputs(network, FunctionalBackend(), x).outputs
    error = 100 * np.sqrt(((outputs - expected) ** 2).sum() / (expected**2).sum())
    percent = float(sentence.split("off by ")[1].split("%")[0])
    assert percent == pytest.approx(error, abs=3.0)


def test_a_little_beyond_is_not_worth_a_word() -> None:
    network = compiled("chain")
    _, high = input_reach(network.program)
    assert said(network, (1.02 * high)[None].repeat(20, axis=0).astype("f4")) is None
