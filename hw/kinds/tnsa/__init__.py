"""The transposable core: its reference, its hardware, and how long its operations take."""

from mho.hw.kinds.tnsa.blocks import TnsaBlocks
from mho.hw.kinds.tnsa.config import TnsaCoreConfig, TnsaEnergy

shape = timing = TnsaCoreConfig.from_chip
energy = TnsaEnergy.from_chip
core_blocks = TnsaBlocks.from_chip
