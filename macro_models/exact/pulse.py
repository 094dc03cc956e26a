"""Programming pulses, as hardware and macro models name them."""

from enum import IntEnum

__all__ = ["AMPLITUDE_BITS", "Polarity"]

AMPLITUDE_BITS = 8
"""Width of the code of a pulse's amplitude."""


class Polarity(IntEnum):
    """Kind of a pulse."""

    SET = 0
    """Raises the conductance."""
    RESET = 1
    """Lowers it."""
    FORM = 2
    """Makes the first filament of a fresh cell."""
