"""The made-up kind on an FPGA: what its cells add to a sum, and where its converter's codes begin."""

import numpy as np

from mho.hw.emulator.rows import RowEmulator


class PlainEmulator(RowEmulator):
    def weights(self, model):
        return model.weights

    def thresholds(self, model, op):
        top = 2 ** (model.config.bits - 1)
        return op.step_code * np.arange(1 - top, top)[None]


EMULATOR = PlainEmulator()
