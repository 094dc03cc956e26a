"""Networks on tiles: each layer has the lanes of the program that all other backends run."""

import numpy as np
import pytest

from compiler import CompileOptions, Network
from compiler.tile import compile_tiles
from hw.config import load_chip
from mho.data import load_sample
from tests.compiler.tile.network_bench import compare

OPTIONS = CompileOptions(seeds=1, samples=32)
FIRST = 70


@pytest.fixture(scope="module")
def perceptron() -> Network:
    sample = load_sample("digits")
    return compile_tiles(sample.model, load_chip("tnsa64-2x2"), calibrate=sample.calibrate, options=OPTIONS)


@pytest.mark.parametrize("device", ["ideal", "rram-neurram"])
def test_a_perceptron_over_four_tiles_with_reduction_and_multicast(perceptron: Network, device: str) -> None:
    programs, found, wanted = compare(perceptron, load_sample("digits").x[:4], device=device, first=FIRST)
    assert len(programs.texts) == 4
    assert [len(one.members) for one in programs.placed.reductions.values()] == [2, 2]
    hidden = programs.placed.flows[1]
    assert any(len(flow.to) == 2 for flow in hidden)
    assert sorted(found) == [1, 2]
    for value, lanes in found.items():
        np.testing.assert_array_equal(lanes, wanted[value])
    assert len(np.unique(found[2])) > 10


def test_noise_is_addressed_by_the_image(perceptron: Network) -> None:
    x = load_sample("digits").x[:2]
    one, other = (compare(perceptron, x, device="rram-neurram", first=first)[1][2] for first in (0, 5))
    assert not np.array_equal(one, other)
