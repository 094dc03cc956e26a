"""A network on four phase-change tiles in the Verilog of the chip, which programs its cells and compensates itself."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from mho.compiler import CompileOptions
from mho.compiler.network import Network
from mho.compiler.passes import compile_tiles
from mho.compiler.tile import tile_programs
from mho.compiler.tile.programs import tile_code
from mho.hw.config import load_chip
from mho.macro_models import load_device
from mho.macro_models.errors import ToolError
from mho.sim.account import RunAccount
from mho.sim.executor import build_cores, core_masks, execute
from mho.sim.functional import FunctionalBackend
from mho.sim.programming.kinds import writer_of
from mho.sim.tile_networks.backend import TileCosimBackend
from tests.compiler.importer.onnx_models import build, node

# The bench of the chip takes half a minute of CPU to be built.
pytestmark = [pytest.mark.cosim, pytest.mark.long]

DAY = 86400.0
DEVICE = load_device("pcm-hermes-1dev")
X = np.random.default_rng(1).uniform(-1, 1, size=(16, 12)).astype("f4")


@pytest.fixture(scope="module")
def network() -> Network:
    rng = np.random.default_rng(1)
    weights = {"a": (rng.normal(size=(24, 12)) / 3.5).astype("f4"), "b": (rng.normal(size=(10, 24)) / 5).astype("f4")}
    nodes = [node("Gemm", "x a", "c", transB=1), node("Relu", "c", "r"), node("Gemm", "r b", "y", transB=1)]
    model = build(nodes, weights, shape=("batch", 12), output=("batch", "k"))
    chip = load_chip("pwm16-2x2", {"programming.engine": True})
    network = compile_tiles(model, chip, calibrate=X, options=CompileOptions(seeds=1, samples=16))
    return replace(network, tiles=tile_code(tile_programs(network)))


@pytest.fixture(scope="module")
def backend() -> Iterator[TileCosimBackend]:
    backend = TileCosimBackend()
    yield backend
    backend.close()


def test_the_tiles_program_and_compensate_themselves(backend: TileCosimBackend, network: Network) -> None:
    write = writer_of(network)
    assert write is not None
    backend.open(network.chip, [])
    cells, cosim_cells = write(DEVICE, 0, None), write(DEVICE, 0, None, backend, "cosim")
    for first, second in zip(cells.cores, cosim_cells.cores, strict=True):
        assert np.array_equal(first.g_uS, second.g_uS)
        assert np.array_equal(first.pulses, second.pulses)
        assert np.array_equal(first.faults, second.faults)
    for how in ("column", "affine"):
        options = {"device": DEVICE, "cells": cells, "time_s": DAY, "compensation": how, "codes_of": 4}
        expected, run = (execute(network, runner, X[:4], **options) for runner in (FunctionalBackend(), backend))
        assert np.array_equal(expected.outputs, run.outputs)
        assert expected.codes_by_layer.keys() == run.codes_by_layer.keys()
        assert all(np.array_equal(codes, run.codes_by_layer[layer]) for layer, codes in expected.codes_by_layer.items())


def test_a_compensation_that_finds_something_else_is_told(backend: TileCosimBackend, network: Network) -> None:
    cores = build_cores(network, device=DEVICE, time_s=DAY, compensation="affine")
    cores[0].calibration.digital.gain[3] += 1  # pyright: ignore[reportAttributeAccessIssue]
    backend.open_network(network, cores)
    program, masks = network.program, core_masks(network)
    account = RunAccount(program, 1, 0, network.chip, masks)
    account.begin(0, *program.input.compute_counted(X[:1]))
    with pytest.raises(ToolError, match=r"^compensation \(affine\) of core 0 must find gain \d+ of column 3 as its"):
        backend.run(program, masks, program.input.compute(X[:1]), np.zeros(1, dtype=np.uint64), account)
