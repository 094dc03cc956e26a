"""Every operator on the tiles of a chip in its Verilog, from the host port alone: one model each, on noisy cells."""

from collections.abc import Iterator

import numpy as np
import pytest

from mho.compiler.tile import tile_code
from mho.sim.account import RunAccount
from mho.sim.executor import build_cores, core_masks
from mho.sim.tile_networks.backend import TileCosimBackend
from tests.compiler.importer.operator_table import GROUPS
from tests.compiler.tile.interpreted import result_of
from tests.compiler.tile.network_bench import DAY, compare
from tests.compiler.tile.operators_on_tiles import DEVICE, FIRST, IMAGES, compiled

pytestmark = [pytest.mark.cosim, pytest.mark.long]


@pytest.fixture(scope="module")
def backend() -> Iterator[TileCosimBackend]:
    backend = TileCosimBackend()
    yield backend
    backend.close()


@pytest.mark.parametrize("kind", sorted({kind for kinds in GROUPS.values() for kind in kinds}))
def test_an_operator_has_the_lanes_of_functional(backend: TileCosimBackend, kind: str) -> None:
    network, x, layers = compiled(kind)
    programs, _, expected = compare(network, x, device=DEVICE, first=FIRST, watched=layers)
    program, masks = network.program, core_masks(network)
    lanes = program.input.compute(x)
    account = RunAccount(program, IMAGES, IMAGES, network.chip, masks)
    account.begin(0, x)
    backend.open_code(network.chip, tile_code(programs), build_cores(network, device=DEVICE, seed=3, time_s=DAY))
    values = backend.run_values(program, masks, lanes, np.arange(FIRST, FIRST + IMAGES, dtype=np.uint64), account)
    assert values
    for value, value_lanes in values.items():
        np.testing.assert_array_equal(value_lanes, expected[value], err_msg=f"value {value}")
    np.testing.assert_array_equal(result_of(programs, lanes, values), expected[-1])
