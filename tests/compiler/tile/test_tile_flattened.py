"""Perceptrons on images on tiles, and layers that are repeated only where there is room."""

import numpy as np
import pytest

from mho.compiler import CompileOptions, compile_for_chip
from mho.compiler.passes import compile_tiles
from mho.compiler.tile import tile_programs
from mho.hw.config import load_chip
from mho.macro_models.errors import InputError
from tests.compiler.importer.onnx_models import build, node
from tests.compiler.importer.test_named_values import floats
from tests.compiler.tile.network_bench import compare

NODES = [node("Flatten", "x", "f"), node("Gemm", "f w b", "g"), node("Relu", "g", "r"), node("MatMul", "r v", "y")]


@pytest.mark.parametrize("shape", [(1, 6, 6), (2, 4, 4)])
def test_perceptron_on_an_image(shape: tuple[int, ...]) -> None:
    inputs = int(np.prod(shape))
    model = build(NODES, {"w": floats(inputs, 8) / 4, "b": floats(8), "v": floats(8, 3)}, shape=("n", *shape))
    network = compile_tiles(model, load_chip("tnsa64-2x2"), calibrate=floats(32, *shape), device="ideal",
                            options=CompileOptions(seeds=1, samples=32))
    _, values, expected = compare(network, floats(3, *shape), device="ideal", first=0)
    assert values
    for value, lanes in values.items():
        np.testing.assert_array_equal(lanes, expected[value])


@pytest.mark.slow
def test_layers_are_repeated_less_where_that_has_no_room() -> None:
    """Each column of a copy needs parameters of its own, and functions between layers take most of them."""
    nodes = [node("Gemm", "x w b", "g"), node("Selu", "g", "r"), node("MatMul", "r v", "y")]
    model = build(nodes, {"w": floats(64, 80) / 4, "b": floats(80), "v": floats(80, 10)}, shape=("n", 64))
    x, chip = floats(64, 64), load_chip("neurram", {"tile.parameters": 256})
    options = CompileOptions(seeds=1, samples=64)
    repeated = compile_tiles(model, chip, calibrate=x, options=options)
    copies = max(np.bincount(layer.mvms[0].outputs).max() for layer in repeated.program.layers)
    assert copies == 4
    with pytest.raises(InputError, match="the tile has 256 parameters"):
        tile_programs(repeated)
    network = compile_for_chip(model.SerializeToString(), chip, calibrate=x, options=options)
    assert network.tiles is not None
    assert {int(np.bincount(layer.mvms[0].outputs).max()) for layer in network.program.layers} == {copies // 2}
