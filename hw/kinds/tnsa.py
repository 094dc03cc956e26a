"""The transposable core: :mod:`hw.core`."""

from hw.core.config import CoreConfig

timing = CoreConfig.from_chip
