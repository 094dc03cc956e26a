"""A simulated phase-change core gives the bits of its model."""

import pytest

from hw.config import load_chip
from sim.core.verify import verify_core

pytestmark = [pytest.mark.cosim, pytest.mark.slow]


def test_random_operations_are_equal_bit_for_bit() -> None:
    report = verify_core(load_chip("pwm16-core", {"programming.engine": True}), operations=24, seed=3)
    assert (report.operations, report.conversions) == (24, 72)
    assert set(report.counts["device"]) == {"ideal", "pcm-generic", "pcm-hermes-1dev"}
    assert min(report.counts["codes"].values()) > 0
    commands = report.counts["commands"]
    assert (commands["calibrate"], commands["range"], commands["program"]) == (2, 2, 4)
    assert commands.get("column", 0) + commands.get("affine", 0) == 4
