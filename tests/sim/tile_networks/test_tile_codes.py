"""Output codes that a run on tiles in co-simulation gives."""

import numpy as np
import pytest

from mho.compiler import CompileOptions
from mho.compiler.passes import compile_tiles
from mho.compiler.tile import with_programs
from mho.hw.config import load_chip
from mho.sim.executor import execute
from mho.sim.functional import FunctionalBackend
from mho.sim.tile_networks.backend import TileCosimBackend
from tests.compiler.importer.onnx_models import build, node

DAY = {"device": "rram-neurram", "seed": 1, "time_s": 86400.0, "codes_of": 2}


@pytest.mark.slow
@pytest.mark.cosim
def test_codes_of_a_layer_that_is_called_for_each_step() -> None:
    rng = np.random.default_rng(0)
    shapes = {"w": (1, 4, 3), "r": (1, 4, 4), "b": (1, 8), "v": (4, 2)}
    values = {name: rng.normal(scale=0.5, size=shape).astype("f4") for name, shape in shapes.items()}
    model = build([
        node("Transpose", "x", "t", perm=[1, 0, 2]), node("RNN", "t w r b", "all h", hidden_size=4),
        node("Squeeze", "h axes", "s"), node("MatMul", "s v", "y"),
    ], {**values, "axes": np.array([0])}, shape=("N", 3, 3), output=("N", 2))
    x = rng.uniform(-1, 1, (32, 3, 3)).astype("f4")
    options = CompileOptions(seeds=1, samples=16)
    network = with_programs(compile_tiles(model, load_chip("tnsa16-2x2"), calibrate=x, options=options), x).network
    backend = TileCosimBackend()
    simulated, expected = (execute(network, used, x[:2], **DAY) for used in (backend, FunctionalBackend()))
    backend.close()
    np.testing.assert_array_equal(simulated.outputs, expected.outputs)
    for call, codes in expected.codes.items():
        np.testing.assert_array_equal(simulated.codes[call], codes)
