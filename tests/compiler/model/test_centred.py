"""Scores of classes: what all have in common is taken out where outputs do not depend on it, and nowhere else."""

import numpy as np
import pytest

from mho.compiler.importer.onnx_import import import_onnx
from mho.compiler.inputs import load_inputs
from mho.compiler.model import FloatNetwork
from mho.compiler.model.centred import centred
from tests.compiler.importer.onnx_models import Array, build, node

RNG = np.random.default_rng(3)
X = RNG.uniform(0, 2, (40, 12)).astype("f4")
NEAR = {"w": RNG.normal(-1, 0.1, (12, 5)).astype("f4"), "b": RNG.normal(size=5).astype("f4")}
"""Weights with much in common, such as logarithms of probabilities."""


def network(last: str, weights: dict[str, Array] = NEAR, **attributes: object) -> FloatNetwork:
    body = [node("Gemm", "x w b", "s"), node(last, "s", "y", **attributes)]
    return import_onnx(build(body, weights, shape=("N", 12), output=("N", 5)), x=load_inputs(X))


@pytest.mark.parametrize("last", ["Softmax", "LogSoftmax"])
def test_same_outputs_by_smaller_weights(last: str) -> None:
    net = network(last, axis=1)
    shifted = centred(net, X.astype(float))
    assert np.abs(shifted.layers[-1].weight).max() < 0.5 * np.abs(net.layers[-1].weight).max()
    np.testing.assert_allclose(shifted.layers[-1].weight.mean(axis=0), 0.0, atol=1e-12)
    np.testing.assert_allclose(shifted.compute(X), net.compute(X), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("last", ["Sigmoid", "Identity"])
def test_outputs_that_depend_on_it_stay(last: str) -> None:
    """Sigmoids of scores that are all far below 0 hardly change until the scores are centred."""
    net = network(last)
    assert centred(net, X.astype(float)) is net


def test_weights_with_little_in_common_stay() -> None:
    net = network("Softmax", NEAR | {"w": np.random.default_rng(4).normal(size=(12, 5)).astype("f4")}, axis=1)
    assert centred(net, X.astype(float)) is net
