"""A layer with groups is the one whose matrix has their weights as blocks on its diagonal."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import block_diag

from mho.compiler.model.layer import LinearLayer
from mho.compiler.model.stages import Linear


@given(
    groups=st.integers(1, 5), outputs=st.integers(1, 3), inputs=st.integers(1, 4), relu=st.booleans(),
    seed=st.integers(0, 99),
)
def test_groups_are_blocks_of_one_matrix(groups: int, outputs: int, inputs: int, relu: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    weight, bias = rng.normal(size=(groups * outputs, inputs)), rng.normal(size=groups * outputs)
    layer = LinearLayer(name="l", weight=weight, bias=bias, relu=relu, groups=groups)
    whole = block_diag(*weight.reshape(groups, outputs, inputs))
    assert layer.shape == (*whole.shape[::-1], groups)
    x, slope = rng.normal(size=(2, 3, layer.inputs)), rng.normal(size=(2, 3, layer.outputs))
    scale = rng.normal(size=layer.inputs)
    expected = x @ whole.T + bias
    np.testing.assert_allclose(layer.compute(x), np.maximum(expected, 0) if relu else expected)
    np.testing.assert_allclose(layer.backward(slope), slope @ whole)
    np.testing.assert_allclose(layer.product(scale), whole @ scale)
    np.testing.assert_allclose(layer.norms, np.linalg.norm(whole, axis=0))
    scaled = layer.scaled(scale).reshape(groups, outputs, inputs)
    np.testing.assert_allclose(block_diag(*scaled), whole * scale)


@pytest.mark.parametrize("positions", [9, 16, 40])
def test_a_convolution_of_one_by_one_is_that_of_its_patches(positions: int) -> None:
    rng = np.random.default_rng(positions)
    layer = LinearLayer(name="a", weight=rng.normal(size=(5, 3)), bias=rng.normal(size=5), relu=True)
    patches = np.arange(3 * positions).reshape(3, positions).T.astype(np.int32)
    step = Linear(layer=layer, patches=patches, pad=np.zeros(3), window=None)
    x = rng.normal(size=(4, 3 * positions))
    expected = layer.compute(x[:, patches]).transpose(0, 2, 1).reshape(4, -1)
    assert np.allclose(step.compute(x), expected, rtol=1e-12)
    # More than the value has: what other channels it holds is left alone.
    assert np.allclose(step.compute(np.hstack([x, x])), expected, rtol=1e-12)
