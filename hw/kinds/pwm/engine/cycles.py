"""How long commands take."""

import numpy as np
from numpy.typing import NDArray

from mho.hw.config import Chip
from mho.hw.kinds.pwm.config import PwmCoreConfig

COLUMN_CYCLES = 3
"""Cycles of a walk for each column: its counters are looked up, and it is done with."""


def write_cycles(chip: Chip, pulses: NDArray[np.int64]) -> int:
    """Cycles of the commands PROGRAM that made so many pulses, (driven lines, columns); descriptors not counted.

    A line takes its targets and gives its results in a walk each; between them are as many pulses, reads and walks as
    the slowest device needs, and one more cycle a device that was pulsed.
    """
    cfg = PwmCoreConfig.from_chip(chip)
    walk = COLUMN_CYCLES * cfg.lines
    switch = cfg.switch_cycles if cfg.phases > 1 else 0
    read = cfg.start_cycles + cfg.window_cycles + switch + cfg.convert_cycles + 2
    iterations = int(pulses.max(axis=1, initial=0).sum())
    return 2 * walk * len(pulses) + iterations * (cfg.pulse_cycles + read + walk) + int(pulses.sum())
