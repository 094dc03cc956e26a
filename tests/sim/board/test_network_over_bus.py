"""A compiled network on one tile behind AXI4-Lite: a master of cocotbext-axi loads it, sends images, takes results."""

import numpy as np
import pytest

from mho.macro_models.errors import InputError
from mho.sim.executor import execute
from mho.sim.functional import FunctionalBackend
from tests.compiler.tile.lone_networks import CHIP, perceptron
from tests.sim.board.over_bus import network_over_bus

IMAGES = 2


@pytest.mark.slow
@pytest.mark.cosim("iverilog", "cocotb")
def test_outputs_of_a_perceptron_are_those_of_functional() -> None:
    network, x = perceptron()
    outputs = network_over_bus(network, x[:IMAGES], "axil")
    expected = execute(network, FunctionalBackend(), x[:IMAGES], device="ideal").by_name["y"]
    np.testing.assert_array_equal(outputs, expected)
    assert len(np.unique(outputs)) > IMAGES


def test_a_network_without_programs_is_refused() -> None:
    from dataclasses import replace

    network, x = perceptron()
    host = replace(CHIP, tile=replace(CHIP.tile, programs=False))
    with pytest.raises(InputError, match=r"or tile.programs = true for one tile$"):
        network_over_bus(replace(network, chip=host), x[:1], "axil")
