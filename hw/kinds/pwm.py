"""The phase-change core: :mod:`hw.pwm`."""

from hw.pwm.energy import PwmEnergy
from hw.pwm.host import PwmBlocks
from hw.pwm.timing import PwmTiming

timing = PwmTiming.from_chip
energy = PwmEnergy.from_chip
core_blocks = PwmBlocks.from_chip
