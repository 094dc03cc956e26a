"""How long inputs take on tiles: what is predicted of a run is what co-simulation of the same run shows."""

import numpy as np
import pytest

from mho.compiler.options import CompileOptions
from mho.compiler.passes import compile_for_chip
from mho.hw.config import load_chip
from mho.sim.executor import execute
from mho.sim.functional import FunctionalBackend
from mho.sim.tile_networks.backend import TileCosimBackend
from tests.compiler.importer.onnx_models import build, node

IMAGES = 6


@pytest.mark.cosim
@pytest.mark.slow
@pytest.mark.parametrize(("chip", "changes", "within"), [
    ("tnsa16-2x2", (), 0.01), ("pwm16-2x2", (), 0.01), ("sram-2x2", (), 0.02),
    pytest.param("tnsa16-2x2", ("memory.ports=one",), 0.01, marks=pytest.mark.long),
])
def test_latency_and_interval_are_those_of_co_simulation(chip: str, changes: tuple[str, ...], within: float) -> None:
    """Of digital arrays, where an input takes 165 cycles, within three of them. Memories of one port hardly stall."""
    rng = np.random.default_rng(1)
    weights = {"a": (rng.normal(size=(7, 7)) / 3).astype("f4"), "b": (rng.normal(size=(4, 7)) / 3).astype("f4")}
    nodes = [node("Gemm", "x a", "h", transB=1), node("Relu", "h", "r"), node("Gemm", "r b", "y", transB=1)]
    x = rng.uniform(-1, 1, size=(16, 7)).astype("f4")
    model = build(nodes, weights, shape=("batch", 7), output=("batch", "b")).SerializeToString()
    options = CompileOptions(seeds=1, samples=16)
    network = compile_for_chip(model, load_chip(chip, changes), calibrate=x, options=options)
    predicted = execute(network, FunctionalBackend(), x[:IMAGES], seed=2, timed=True)
    backend = TileCosimBackend(optimise=False)
    try:
        cosim_run = execute(network, backend, x[:IMAGES], seed=2, timed=True)
        alone = execute(network, backend, x[:1], seed=2, timed=True)
    finally:
        backend.close()
    np.testing.assert_array_equal(predicted.outputs, cosim_run.outputs)
    assert predicted.time is not None
    assert cosim_run.time is not None
    assert (predicted.time.predicted, cosim_run.time.predicted) == (True, False)
    assert predicted.time.latency == pytest.approx(cosim_run.time.latency, rel=within)
    assert predicted.time.interval == pytest.approx(cosim_run.time.interval, rel=within)
    # Of one input the latency is seen, and the interval predicted.
    assert alone.time is not None
    assert alone.time.predicted
    assert alone.time.latency == pytest.approx(cosim_run.time.latency, rel=within)
    assert 0 < alone.time.interval < alone.time.latency
