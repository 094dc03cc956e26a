"""Networks on arrays whose columns share converters: on a perfect chip, with ranges that are too small, in Verilog."""

from dataclasses import replace

import numpy as np
import pytest

import mho
from mho.compiler import CompileOptions
from mho.compiler.network import Network
from mho.compiler.passes import compile_model, compile_tiles
from mho.compiler.tile import tile_programs
from mho.compiler.tile.programs import tile_code
from mho.hw.config import load_chip
from mho.sim.core.cosim import CosimBackend
from mho.sim.executor import execute
from mho.sim.functional import FunctionalBackend
from mho.sim.tile_networks.backend import TileCosimBackend
from tests.compiler.importer.onnx_models import build, node
from tests.sim.outputs import float_outputs

pytestmark = pytest.mark.slow

X = np.random.default_rng(1).uniform(-1, 1, size=(48, 12)).astype("f4")
RNG = np.random.default_rng(1)
WEIGHTS = {"a": (RNG.normal(size=(24, 12)) / 3.5).astype("f4"), "b": (RNG.normal(size=(10, 24)) / 5).astype("f4")}
NODES = [node("Gemm", "x a", "c", transB=1), node("Relu", "c", "r"), node("Gemm", "r b", "y", transB=1)]
MODEL = build(NODES, WEIGHTS, shape=("batch", 12), output=("batch", "k"))
MESH = {"mesh.columns": 2, "mesh.rows": 2}
SMALL = CompileOptions(seeds=1)


def compiled(**keys: object) -> Network:
    values = {name.replace("__", "."): value for name, value in keys.items()}
    return compile_model(MODEL, load_chip("array-32", MESH | values), calibrate=X, device="ideal", options=SMALL)


def error(network: Network) -> float:
    outputs = execute(network, FunctionalBackend(), X).outputs
    exact = float_outputs(network, X)
    return float(np.sqrt(((outputs - exact) ** 2).mean()) / exact.std())


@pytest.mark.parametrize("keys", [
    {}, {"core__weights": "offset"}, {"core__weights": "arrays"}, {"input__bits": 2, "input__row_groups": 4},
    {"read__accumulate": "analog"}, {"read__accumulate": "analog", "input__drive": "pulse"},
])
def test_a_perfect_chip_gives_the_network(keys: dict[str, object]) -> None:
    assert error(compiled(**keys)) < 0.05


def test_a_range_that_is_too_small_is_said() -> None:
    network = compiled(adc__range="fixed", adc__full_scale_uA=4.0)
    assert {mvm.op.step_code for layer in network.layers for mvm in layer.mvms} == {128}
    assert any("off by" in warning for warning in network.calibration.warnings)
    assert any("beyond what a converter takes" in warning for warning in network.calibration.warnings)
    result = mho.Net(network).run(X, device="ideal")
    assert any("beyond what a converter takes" in warning for warning in result.warnings)
    wide = compiled()
    warnings = *wide.calibration.warnings, *mho.Net(wide).run(X, device="ideal").warnings
    assert not any("beyond what" in warning for warning in warnings)


@pytest.mark.cosim
def test_a_core_in_verilog_gives_the_bits_of_the_model() -> None:
    network = compiled(core__rows=64, core__columns=64, mesh__columns=1, mesh__rows=1, input__bits=2)
    backend = CosimBackend()
    try:
        result = execute(network, backend, X[:4], seed=3)
    finally:
        backend.close()
    assert np.array_equal(result.outputs, execute(network, FunctionalBackend(), X[:4], seed=3).outputs)


@pytest.mark.long
@pytest.mark.cosim
def test_tiles_in_verilog_give_the_bits_of_the_model() -> None:
    network = compile_tiles(MODEL, load_chip("array-2x2"), calibrate=X, options=SMALL)
    network = replace(network, tiles=tile_code(tile_programs(network)))
    backend = TileCosimBackend()
    try:
        result = execute(network, backend, X[:3], seed=5)
    finally:
        backend.close()
    assert np.array_equal(result.outputs, execute(network, FunctionalBackend(), X[:3], seed=5).outputs)
