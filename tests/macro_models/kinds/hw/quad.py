"""Hardware of the made-up kind: there is none but its timing, which depends on nothing."""

import numpy as np

from mho.hw.core.shape import Timing


class Ramp(Timing):
    overhead_cycles = 0

    def __init__(self, chip):
        self.each = chip.ramp.cycles

    def conversion_cycles(self, op, steps):
        return np.full(np.shape(steps), self.each)

    def worst_cycles(self, op):
        return self.each * op.segments

    def most_steps(self, op, codes):
        return np.zeros((len(codes), op.segments), dtype=np.int64), True


timing = Ramp
