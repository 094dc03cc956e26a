"""A matrix in the cells of a chip: products in both directions, on several cores, kinds and backends."""

import numpy as np
import pytest

import mho
from mho.hw.config import load_chip

RNG = np.random.default_rng(0)
WEIGHTS, X, Y = RNG.normal(size=(40, 30)), RNG.normal(size=(30, 8)), RNG.normal(size=(40, 8))


def error(product: np.ndarray, exact: np.ndarray) -> float:
    assert product.shape == exact.shape
    return float(np.linalg.norm(product - exact) / np.linalg.norm(exact))


@pytest.mark.parametrize(("preset", "cores", "limit"), [
    ("tnsa64-2x2", 1, 0.06), ("tnsa16-2x2", 12, 0.06), ("pwm16-2x2", 6, 0.03), ("array-2x2", 3, 0.03),
    ("sram-2x2", 2, 0.2),
])
def test_products_of_ideal_cells_are_nearly_exact(preset: str, cores: int, limit: float) -> None:
    chip = mho.Chip.load(preset, **{"mesh.columns": 6, "mesh.rows": 2})
    matrix = chip.matrix(WEIGHTS, device="ideal")
    assert matrix.cores == cores
    assert error(matrix @ X, WEIGHTS @ X) < limit
    assert error(matrix @ X[:, 0], WEIGHTS @ X[:, 0]) < 1.5 * limit
    assert matrix.vectors == 9
    if preset.startswith("tnsa"):
        assert error(matrix.T @ Y, WEIGHTS.T @ Y) < 1.5 * limit
    else:
        with pytest.raises(mho.InputError, match="the transpose takes cores whose products go both ways"):
            matrix.T @ Y


def test_no_two_products_have_the_same_noise_and_a_chip_has_its_cells() -> None:
    chip = mho.Chip.load("tnsa64-core")
    first, again, changed = (chip.matrix(WEIGHTS[:, :20], seed=seed, time="1d") for seed in (3, 3, 4))
    once, twice = first @ X[:20], first @ X[:20]
    assert not np.array_equal(once, twice)
    np.testing.assert_array_equal(again @ X[:20], once)
    assert error(changed @ X[:20], once) > error(twice, once)
    quiet = chip.matrix(WEIGHTS[:, :20], seed=3, time="1d", without=["read-noise"])
    np.testing.assert_array_equal(quiet @ X[:20], quiet @ X[:20])


def test_weights_of_0_are_not_formed_and_parts_of_them_have_no_core() -> None:
    banded = np.where(np.abs(np.subtract.outer(np.arange(40), np.arange(40))) < 3, 1.0, 0.0)
    matrix = mho.Chip.load("tnsa16-core", **{"mesh.columns": 16}).matrix(banded, time="1d")
    assert matrix.cores == 7
    assert error(matrix @ Y, banded @ Y) < 0.2
    zero = mho.Chip.load("tnsa16-core").matrix(np.zeros((4, 4)))
    assert not (zero @ np.ones(4)).any()


def test_codes_of_one_bit_and_typical_inputs() -> None:
    signs, chip = np.sign(X), mho.Chip.load("tnsa64-core")
    for calibrate in (None, signs):
        matrix = chip.matrix(WEIGHTS, device="ideal", in_bits=1, calibrate=calibrate)
        assert error(matrix @ signs, WEIGHTS @ signs) < 0.05


@pytest.mark.slow
def test_the_verilog_gives_the_same() -> None:
    matrices = [mho.Chip.load("tnsa16-core").matrix(WEIGHTS[:16, :8], seed=1, time="1d", backend=backend)
                for backend in ("functional", "cosim")]
    with matrices[0] as numpy_models, matrices[1] as verilog:
        np.testing.assert_array_equal(numpy_models @ X[:8], verilog @ X[:8])
        np.testing.assert_array_equal(numpy_models.T @ Y[:16], verilog.T @ Y[:16])


@pytest.mark.parametrize(("weights", "more", "sentence"), [
    (np.ones(3), {}, r"weights must be a matrix of finite numbers, not of shape \(3,\)"),
    (np.full((2, 2), np.nan), {}, "weights must be a matrix of finite numbers, not nan"),
    (np.ones((17, 4)), {}, "tnsa16-core: 17 x 4 weights take 2 cores, not 1: --set mesh.columns=2 --set mesh.rows=1"),
    (np.ones((4, 4)), {"out_bits": 9}, "out_bits must be"),
    (np.ones((4, 4)), {"calibrate": np.ones(3)}, r"calibrate must be finite, of shape \(4,\) or \(4, count\)"),
    (np.ones((4, 4)), {"without": ["frob"]}, "frob"),
    (np.ones((4, 4)), {"backend": "frob"}, "backend must be one of functional"),
])
def test_what_is_no_matrix_is_refused(weights: np.ndarray, more: dict[str, object], sentence: str) -> None:
    with pytest.raises(mho.InputError, match=sentence):
        mho.Chip.load("tnsa16-core").matrix(weights, **more)  # type: ignore[arg-type]


def test_vectors_of_another_shape_are_refused() -> None:
    matrix = mho.Chip(load_chip("tnsa16-core")).matrix(np.ones((4, 3)), device="ideal")
    for x in (np.ones(4), np.ones((3, 1, 1)), np.array([1.0, np.inf, 0.0])):
        with pytest.raises(mho.InputError, match=r"x must be finite, of shape \(3,\) or \(3, count\)"):
            matrix @ x
    assert (matrix @ np.zeros(3)).shape == (4,)
