"""One matrix-vector operation of a transposable core: what is asked, without any hardware.

The same object configures the numpy models, the RTL reference, the RTL (packed by ``mho.hw.core``) and the
compiler, so a legal operation has one definition.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar

from mho.macro_models.errors import InputError, check_whole

__all__ = [
    "LSB_SEGMENT_BITS", "MAX_BITS", "MOST_OUT_BITS", "STEP_FRACTION_BITS", "STEP_WIDTH", "Converter", "Direction", "MvmOperation",
]

MAX_BITS = 8
"""Widest input and output of one operation, in bits."""

MOST_OUT_BITS = 15
"""Widest output of any kind that says so: codes are 16 bits wide, in half steps."""

LSB_SEGMENT_BITS = 4
"""Magnitude planes of one conversion; wider inputs run as an MSB segment and an LSB segment of this width."""

STEP_WIDTH = 16
"""Width of the converter-step code, in bits."""

STEP_FRACTION_BITS = 14
"""A step code counts V_read / 2**14: the charge of one decrement, referred to the integrator."""


class Direction(IntEnum):
    """Which lines are driven. Recurrent products are reserved and refused."""

    FORWARD = 0
    """Bit lines are driven, source lines are converted; inputs are differential row pairs."""
    BACKWARD = 1
    """Source lines are driven, bit lines are converted."""


class Converter(IntEnum):
    """How the charge of a line becomes a code."""

    COUNT = 0
    """One decrement at a time until the sign flips (the number of steps depends on data)."""
    BINARY = 1
    """Binary search: one decrement for each magnitude bit, halved from bit to bit."""


@dataclass(frozen=True, kw_only=True)
class MvmOperation:
    """Static parameters of one matrix-vector product, the same for every vector of a batch.

    Parameters
    ----------
    direction
        Driven side.
    in_bits
        1..8. A signed n-bit input is sign and magnitude, -(2**(n-1) - 1) .. 2**(n-1) - 1, driven in n - 1
        magnitude planes; a signed 1-bit input is bipolar (-1 or +1, and 0 for a line that is not driven),
        driven in one plane. An unsigned n-bit input has n planes.
    in_signed
        Whether inputs are signed.
    out_bits
        1..8, the sign included: the converter makes at most ``2**(out_bits - 1) - 1`` decrements.
    converter
        Counting or binary search.
    relu
        The converter emits 0 for a negative line, and counting does not wait for it.
    early_stop
        Counting ends when every enabled line has flipped. Without it every operation takes the worst case.
    wl_select, line_select
        Which of the eight word-line masks and of the eight masks of converted lines apply, 0..7.
    step_code
        Converter step, 1..65535, in V_read / 2**14 at the integrator.

    Raises
    ------
    InputError
        If a value is out of range, or if ReLU is asked for inputs of two segments (each segment is
        converted on its own, so that a sign is known only after both).
    """

    direction: Direction = Direction.FORWARD
    in_bits: int = 4
    in_signed: bool = True
    out_bits: int = 8
    converter: Converter = Converter.COUNT
    relu: bool = False
    early_stop: bool = True
    wl_select: int = 0
    line_select: int = 0
    step_code: int = 256

    planes_at_once: ClassVar[int] = LSB_SEGMENT_BITS
    """Magnitude planes of one conversion; a kind that takes more has a class of its own."""
    most_out_bits: ClassVar[int] = MAX_BITS
    """Most bits of an output, at most 15; a kind that gives more has a class of its own."""

    def __post_init__(self) -> None:
        check_whole("in_bits", self.in_bits, 1, MAX_BITS)
        check_whole("out_bits", self.out_bits, 1, self.most_out_bits)
        check_whole("wl_select", self.wl_select, 0, 7)
        check_whole("line_select", self.line_select, 0, 7)
        check_whole("step_code", self.step_code, 1, 2**STEP_WIDTH - 1)
        if self.relu and self.segments > 1:
            raise InputError(
                f"relu must be off for inputs of two segments ({self.planes} magnitude planes), not {self.relu!r}"
            )

    @property
    def planes(self) -> int:
        """Magnitude planes of the input, 1..8."""
        return max(self.in_bits - 1, 1) if self.in_signed else self.in_bits

    @property
    def segments(self) -> int:
        """Conversions of one operation: 2 where the input has more than four magnitude planes, else 1."""
        return 2 if self.planes > self.planes_at_once else 1

    @property
    def segment_planes(self) -> tuple[int, ...]:
        """Planes of each conversion in the order in which they run, most significant segment first."""
        if self.segments == 1:
            return (self.planes,)
        return (self.planes - LSB_SEGMENT_BITS, LSB_SEGMENT_BITS)

    @property
    def max_steps(self) -> int:
        """Most decrements of one counting conversion, and the largest count: ``2**(out_bits - 1) - 1``."""
        return 2 ** (self.out_bits - 1) - 1

    @property
    def input_range(self) -> tuple[int, int]:
        """Smallest and largest input code."""
        top = 2**self.planes - 1
        return (-top if self.in_signed else 0), top
