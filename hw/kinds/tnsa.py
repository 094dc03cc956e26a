"""The transposable core: :mod:`hw.core`, behind the registers of :mod:`hw.host.core.map`."""

from hw.core.config import CoreConfig
from hw.core.energy import CoreEnergy
from hw.host.core.blocks import TnsaBlocks

timing = CoreConfig.from_chip
energy = CoreEnergy.from_chip
core_blocks = TnsaBlocks.from_chip
