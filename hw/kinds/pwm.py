"""The phase-change core: :mod:`hw.pwm`."""

from hw.pwm.timing import PwmTiming

timing = PwmTiming.from_chip
