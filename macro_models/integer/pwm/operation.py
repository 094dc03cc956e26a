"""One matrix-vector operation of a core with pulse-width inputs."""

from dataclasses import dataclass

from mho.macro_models.errors import InputError
from mho.macro_models.integer.operation import MvmOperation

MAGNITUDE_BITS = 7
"""Bits of a pulse width: with the sign 8. A window has ``2**MAGNITUDE_BITS`` widths."""


@dataclass(frozen=True, kw_only=True)
class PwmOperation(MvmOperation):
    """Static parameters of one product; see :class:`MvmOperation`.

    Inputs have at most 7 bits of magnitude and take one conversion. Those of fewer bits are shifted up, so that their
    pulses are as wide as those of 8 bits and a window always lasts as long: :attr:`shift`. A product goes forward, its
    converter counts, and its duration does not depend on data. Output codes are integers in half steps within
    ``-(2**out_bits - 1) .. 2**out_bits - 1``. Raises InputError if a value is out of range.
    """

    planes_at_once = MAGNITUDE_BITS

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.planes > MAGNITUDE_BITS:
            raise InputError(f"in_bits must be at most {MAGNITUDE_BITS} of unsigned inputs, not {self.in_bits!r}")

    @property
    def shift(self) -> int:
        """Bits by which magnitudes are shifted up to be widths of pulses."""
        return MAGNITUDE_BITS - self.planes

    @property
    def top_code(self) -> int:
        """Largest magnitude of an output code, in half steps."""
        return 2 * self.max_steps + 1
