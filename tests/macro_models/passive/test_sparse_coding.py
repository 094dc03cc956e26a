"""The example of sparse coding: two reads of the same cells find sparse codes that explain the patches."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

PATH = Path(__file__).parents[3] / "examples" / "sparse_coding.py"


@pytest.fixture(scope="module")
def example():
    spec = importlib.util.spec_from_file_location("sparse_coding", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_competition_finds_the_features_of_a_mixture(example):
    """Where features overlap, the residual of the transposed read leaves only those that made the input."""
    rng = np.random.default_rng(1)
    features = np.linalg.qr(rng.normal(size=(16, 16)))[0][:, :12] + 0.1 * rng.normal(size=(16, 12))
    features /= np.linalg.norm(features, axis=0)
    x = (features[:, [2, 7]] @ [0.8, 0.6])[None]
    a = example.code(x, features, features.T, threshold=0.05)[0]
    assert set(np.flatnonzero(a > 0.2)) == {2, 7}
    plain = np.maximum(x[0] @ features, 0.0)
    assert np.linalg.norm(x[0] - features @ a) < 0.3 * np.linalg.norm(x[0] - features @ plain)


@pytest.mark.slow
@pytest.mark.long
def test_a_crossbar_codes_patches(example):
    shown = example.main(400)
    assert shown["error, exact features"] < 0.3
    assert shown["error, crossbar"] < shown["error, exact features"] + 0.3  # a cell in a hundred is stuck
    assert shown["active neurons, crossbar"] < example.NEURONS / 3
