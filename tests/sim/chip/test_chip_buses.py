"""A chip behind its buses, against the bus models of cocotbext-wishbone and cocotbext-axi."""

import pytest

from mho.hw.config import load_chip
from mho.macro_models.errors import InputError
from tests.sim.chip.bus_bench import verify_bus

ACCESSES = 50
CHIP = {"mesh.columns": 3, "mesh.payload_bits": 32}


@pytest.mark.cosim("iverilog", "cocotb")
@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("wrap", ["wishbone", "axil"])
def test_random_accesses_beside_programs_from_unknown(wrap: str) -> None:
    report = verify_bus(load_chip("tnsa16-core", CHIP), wrap, accesses=ACCESSES, seed=3)
    assert report.accesses == ACCESSES
    assert report.errors > 2
    assert report.images > 1


def test_chip_that_is_too_small_is_refused() -> None:
    with pytest.raises(InputError, match=r"mesh must have at least 3 tiles for this, or one with tile.programs, not 2"):
        verify_bus(load_chip("tnsa16-core", CHIP | {"mesh.columns": 2}), "axil", accesses=1)
