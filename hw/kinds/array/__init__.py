"""A core whose columns share converters: its reference, its hardware, and how long its operations take."""

from mho.hw.kinds.array.config import ArrayCoreConfig, ArrayEnergy
from mho.hw.kinds.array.core import ArrayBlocks

shape = timing = ArrayCoreConfig.from_chip
energy = ArrayEnergy.from_chip
core_blocks = ArrayBlocks.from_chip
