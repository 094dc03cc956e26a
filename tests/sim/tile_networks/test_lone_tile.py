"""Networks on a chip of one tile, in its Verilog: the lanes of functional, in the cycles that are predicted."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mho.compiler import Network
from mho.compiler.tile.cycles import tile_cycles
from mho.sim.account import RunAccount
from mho.sim.board.tiles.backend import TilesFpgaSimBackend
from mho.sim.executor import build_cores, core_masks, execute
from mho.sim.functional import FunctionalBackend
from mho.sim.tile_networks.backend import TileCosimBackend
from tests.compiler.tile.lone_networks import chain, convolution, perceptron
from tests.compiler.tile.network_bench import DAY
from tests.sim.tile_networks.account import check_layers

pytestmark = [pytest.mark.cosim, pytest.mark.slow]

Case = tuple[Network, NDArray[Any]]
IMAGES, FIRST = 4, 9


@pytest.fixture(scope="module")
def cases() -> dict[str, Case]:
    return {"perceptron": perceptron(), "chain": chain(), "convolution": convolution()}


@pytest.fixture(scope="module")
def backend() -> Iterator[TileCosimBackend]:
    backend = TileCosimBackend(optimise=False)
    yield backend
    backend.close()


@pytest.mark.parametrize("name", ["perceptron", "chain", "convolution"])
@pytest.mark.parametrize("device", ["ideal", "rram-neurram"])
def test_lanes_are_those_of_functional_and_ends_as_predicted(
    backend: TileCosimBackend, cases: dict[str, Case], name: str, device: str
) -> None:
    network, x = cases[name]
    assert network.tiles is not None
    assert list(network.tiles.programs) == ["0,0"]
    program, masks = network.program, core_masks(network)
    models = build_cores(network, device=device, seed=3, time_s=DAY)
    lanes = program.input.compute(x[:IMAGES].reshape(IMAGES, -1))
    images = np.arange(FIRST, FIRST + IMAGES, dtype=np.uint64)
    runs = list[tuple[Any, RunAccount]]()
    for runner in (FunctionalBackend(), backend):
        account = RunAccount(program, IMAGES, IMAGES, network.chip, masks)
        account.begin(0, *program.input.compute_counted(x[:IMAGES].reshape(IMAGES, -1)))
        runner.open_network(network, models)
        runs.append((runner.run(program, masks, lanes, images, account), account))
    (expected_lanes, expected), (tile_lanes, tile_account) = runs
    np.testing.assert_array_equal(tile_lanes, expected_lanes)
    assert len(np.unique(tile_lanes)) > IMAGES
    check_layers(tile_account, expected)
    ends = np.cumsum(tile_account.cycles)
    predicted = np.array(tile_cycles(network, models, masks, lanes, images).ends)
    # Who asks of tokens may wait a cycle for another one, which is not predicted.
    late = np.abs(predicted - ends)
    assert late[0] <= (0 if name == "perceptron" else 3)
    assert late.max() <= (2 if name == "perceptron" else 2 * IMAGES)


@pytest.mark.long
def test_an_emulated_array_gives_the_same(cases: dict[str, Case]) -> None:
    """The chip as it would be on a board."""
    network, x = cases["perceptron"]
    backend = TilesFpgaSimBackend()
    try:
        codes = execute(network, backend, x[:IMAGES], device="ideal").by_name["y"]
    finally:
        backend.close()
    np.testing.assert_array_equal(codes, execute(network, FunctionalBackend(), x[:IMAGES], device="ideal").by_name["y"])
