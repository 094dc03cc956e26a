"""Products by another library than numpy: the same bits of all that a run gives."""

import numpy as np
import onnx
import pytest

from mho.compiler import CompileOptions, compile_model
from mho.hw.config import load_chip
from mho.macro_models.arrays import library, product, products_by
from mho.macro_models.errors import InputError
from mho.sim.arrays import open_arrays
from mho.sim.executor import execute
from mho.sim.functional import FunctionalBackend
from tests.compiler.importer.onnx_models import random_perceptron
from tests.compiler.importer.operator_models import INPUTS, model_of
from tests.compiler.importer.operator_table import GROUPS

OPTIONS = CompileOptions(seeds=1, samples=16)


def same_bits(model: onnx.ModelProto, inputs: int, chip: str) -> None:
    """A network's answers, codes and cycles a day after programming, by both libraries."""
    x = np.random.default_rng(0).uniform(-1, 1, (24, inputs)).astype(np.float32)
    network = compile_model(model, load_chip(chip), calibrate=x, options=OPTIONS)
    for device in (None, "ideal"):  # with noise in every conversion, and without
        run = {"seed": 3, "time_s": 86_400.0, "codes_of": 8, "batch": 16, "device": device}
        result, expected = (execute(network, FunctionalBackend(arrays=lib), x, **run) for lib in ("torch:cpu", "numpy"))
        assert np.array_equal(result.outputs, expected.outputs)
        assert np.array_equal(result.cycles, expected.cycles)
        assert all(np.array_equal(codes, expected.codes[at]) for at, codes in result.codes.items())


@pytest.mark.slow
@pytest.mark.parametrize("chip", ["tnsa16-core", "pwm16-core"])
def test_a_network_has_the_bits_of_numpy(chip: str) -> None:
    pytest.importorskip("torch")
    same_bits(random_perceptron([20, 24, 3]), 20, chip)


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.parametrize("group", GROUPS)
def test_networks_of_every_operator_have_the_bits_of_numpy(group: str) -> None:
    pytest.importorskip("torch")
    same_bits(model_of(GROUPS[group]), INPUTS, "tnsa16-core")


def test_products_are_those_of_numpy() -> None:
    pytest.importorskip("torch")
    torch = open_arrays("torch:cpu")
    assert torch is not None
    rng = np.random.default_rng(3)
    matrix = rng.integers(-(2**11), 2**11, (256, 64)).astype(np.float32)
    matrix.flags.writeable = False
    with products_by(torch):
        assert library() is torch
        for kind, top in ((np.float32, 7), (np.float64, 2**20)):
            x = rng.integers(-top, top + 1, (33, 256)).astype(kind)
            sums = product(x, matrix)
            assert sums.dtype == kind
            assert np.array_equal(sums, np.matmul(x.astype(np.int64), matrix.astype(np.int64)))
    assert library() is None


def test_a_library_that_there_is_not_is_refused() -> None:
    with pytest.raises(InputError, match="arrays must be numpy or torch, with a device as in torch:cuda, not 'tensor'"):
        FunctionalBackend.check({"arrays": "tensor"})
    pytest.importorskip("torch")
    with pytest.raises(InputError, match="arrays: PyTorch cannot compute in double on 'abacus'"):
        open_arrays("torch:abacus")
