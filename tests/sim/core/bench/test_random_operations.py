"""Random operations of a verification."""

import numpy as np

from mho.hw.config import load_chip
from mho.sim.core.kinds import simulated


def test_outputs_have_at_most_the_bits_that_a_chip_gives() -> None:
    for bits in (4, 8):
        chip = load_chip("array-32", {"adc.bits": bits})
        limit = chip.operation(in_bits=1, in_signed=True).out_bits
        rng = np.random.default_rng(0)
        drawn = {simulated(chip).random_operation(rng, chip).out_bits for _ in range(200)}
        assert drawn == set(range(1, limit + 1))
