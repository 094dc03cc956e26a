"""The phase-change core: :mod:`mho.hw.pwm`."""

from mho.hw.pwm.energy import PwmEnergy
from mho.hw.pwm.host import PwmBlocks
from mho.hw.pwm.timing import PwmTiming

timing = PwmTiming.from_chip
energy = PwmEnergy.from_chip
core_blocks = PwmBlocks.from_chip
