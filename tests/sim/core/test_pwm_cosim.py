"""A simulated phase-change core gives the bits of its model."""

import pytest

from mho.hw.config import load_chip
from mho.sim.core.bench.verify import verify_core

pytestmark = pytest.mark.slow


@pytest.mark.cosim
def test_random_operations_are_equal_bit_for_bit() -> None:
    report = verify_core(load_chip("pwm16-core", {"programming.engine": True}), operations=24, seed=3)
    assert (report.operations, report.conversions) == (24, 72)
    assert set(report.counts["device"]) == {"ideal", "pcm-generic", "pcm-hermes-1dev"}
    assert min(report.counts["codes"].values()) > 0
    commands = report.counts["commands"]
    assert (commands["calibrate"], commands["range"], commands["program"]) == (2, 2, 4)
    assert commands.get("column", 0) + commands.get("affine", 0) == 4


@pytest.mark.cosim("iverilog", "vvp", "cocotb")
def test_the_core_in_icarus_equals_the_model() -> None:
    report = verify_core(load_chip("pwm16-core"), simulator="icarus", operations=3, seed=3)
    assert (report.operations, report.simulator) == (3, "icarus")
    assert min(report.counts["codes"].values()) > 0


@pytest.mark.long
@pytest.mark.cosim("iverilog", "vvp", "cocotb")
@pytest.mark.parametrize("phases", [1, 4])
def test_commands_in_icarus_equal_the_reference(phases: int) -> None:
    chip = load_chip("pwm16-core", {"programming.engine": True, "read.phases": phases})
    report = verify_core(chip, simulator="icarus", operations=3, seed=5)
    assert report.counts["commands"]["program"] == 2
