"""The transposable core: :mod:`mho.hw.core`, behind the registers of :mod:`mho.hw.host.core.map`."""

from mho.hw.core.config import CoreConfig
from mho.hw.core.energy import CoreEnergy
from mho.hw.host.core.blocks import TnsaBlocks

timing = CoreConfig.from_chip
energy = CoreEnergy.from_chip
core_blocks = TnsaBlocks.from_chip
