"""A phase-change core: its reference, its hardware, and how long its operations take."""

from mho.hw.kinds.pwm.blocks import PwmBlocks
from mho.hw.kinds.pwm.config import PwmCoreConfig, PwmEnergy

shape = timing = PwmCoreConfig.from_chip
energy = PwmEnergy.from_chip
core_blocks = PwmBlocks.from_chip
