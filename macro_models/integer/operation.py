"""One matrix-vector operation of a core: what is asked, by which masks, without any hardware.

The same object configures the numpy models, the RTL reference, the RTL (packed by ``mho.hw.core``) and the
compiler, so a legal operation has one definition.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from enum import IntEnum
from typing import Any, ClassVar, Self

import numpy as np

from mho.macro_models.errors import InputError, check_whole
from mho.macro_models.types import Flags

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


@dataclass(frozen=True, kw_only=True)
class MvmOperation:
    """Static parameters of one matrix-vector product, the same for every vector of a batch: what all kinds have.

    A kind has a class of its own, with fields of its own behind these. Raises InputError if a value is out of range.
    """

    direction: Direction = field(default=Direction.FORWARD, init=False)
    """Driven side; a kind whose products go both ways takes it as an argument."""
    in_bits: int = 4
    """1..8. A signed n-bit input is sign and magnitude, -(2**(n-1) - 1) .. 2**(n-1) - 1, driven in n - 1 magnitude
    planes; a signed 1-bit input is bipolar (-1 or +1, and 0 for a line that is not driven), driven in one plane. An
    unsigned n-bit input has n planes."""
    in_signed: bool = True
    """Whether inputs are signed."""
    out_bits: int = 8
    """1..8, the sign included."""
    relu: bool = False
    """A negative output is 0."""
    wl_select: int = 0
    line_select: int = 0
    """Which of the eight word-line masks and of the eight masks of converted lines apply, 0..7."""
    step_code: int = 256
    """Converter step, 1..65535, in V_read / 2**14 at the integrator."""

    planes_at_once: ClassVar[int] = MAX_BITS
    """Most magnitude planes of an input of one conversion."""
    most_out_bits: ClassVar[int] = MAX_BITS
    """Most bits of an output, at most 15."""
    reserved: ClassVar[tuple[str, ...]] = ("backward", "binary")
    """Bits of a descriptor that are 0: those that no field of the kind has."""

    def __post_init__(self) -> None:
        check_whole("in_bits", self.in_bits, 1, MAX_BITS)
        check_whole("out_bits", self.out_bits, 1, self.most_out_bits)
        check_whole("wl_select", self.wl_select, 0, 7)
        check_whole("line_select", self.line_select, 0, 7)
        check_whole("step_code", self.step_code, 1, 2**STEP_WIDTH - 1)

    @classmethod
    def from_bits(cls, bits: Mapping[str, int]) -> Self:
        """The operation whose fields are the bits of a descriptor, by their names.

        Raises InputError if there is none.
        """
        for name in cls.reserved:
            if bits[name]:
                raise InputError(f"{name} must be 0 for cores of this kind, not {bits[name]!r}")
        values: dict[str, Any] = {
            entry.name: type(entry.default)(bits[entry.name]) for entry in fields(cls) if entry.name in bits
        }
        return cls(**values)

    @classmethod
    def of(cls, op: "MvmOperation") -> Self:
        """``op``, which has to be an operation of this kind; raises InputError if it is not."""
        if not isinstance(op, cls):
            raise InputError(f"operation must be a {cls.__name__}, not a {type(op).__name__}")
        return op

    @classmethod
    def both_ways(cls) -> bool:
        """Whether products of the kind also go backward."""
        return "backward" not in cls.reserved

    def facing(self, direction: Direction) -> Self:
        """The operation in another direction; raises InputError if products of the kind do not go that way."""
        if direction is self.direction:
            return self
        if not self.both_ways():
            raise InputError("direction must be forward for cores of this kind, not backward")
        return replace(self, direction=direction)

    @property
    def backward(self) -> bool:
        """Whether source lines are driven."""
        return self.direction is Direction.BACKWARD

    @property
    def planes(self) -> int:
        """Magnitude planes of the input, 1..8."""
        return max(self.in_bits - 1, 1) if self.in_signed else self.in_bits

    @property
    def segments(self) -> int:
        """Conversions of one operation."""
        return len(self.segment_planes)

    @property
    def segment_planes(self) -> tuple[int, ...]:
        """Planes of each conversion in the order in which they run, most significant segment first."""
        return (self.planes,)

    @property
    def max_steps(self) -> int:
        """The largest count of a converter: ``2**(out_bits - 1) - 1``."""
        return 2 ** (self.out_bits - 1) - 1

    @property
    def input_range(self) -> tuple[int, int]:
        """Smallest and largest input code."""
        top = 2**self.planes - 1
        return (-top if self.in_signed else 0), top


MASK_SLOTS = 8
"""Word-line masks, and masks of converted lines, that a core holds."""


@dataclass(frozen=True, eq=False)
class Masks:
    """The masks of a core, as boolean arrays; an operation selects one of eight word-line and one of eight line masks.

    A single mask of shape (lines,) given for ``wl`` or ``lines`` fills all its slots. Raises InputError if a shape is
    wrong.
    """

    wl: Flags
    """Word lines that are on, of shape (8, driven lines)."""
    lines: Flags
    """Converted lines that are enabled, of shape (8, converted lines)."""
    bl_skip: Flags
    """Dead bit lines, of shape (driven lines,)."""
    sl_skip: Flags
    """Dead source lines, of shape (converted lines,); as many as bit lines where products go both ways."""

    def __post_init__(self) -> None:
        driven, converted = (np.shape(skip)[-1] if np.ndim(skip) else 0 for skip in (self.bl_skip, self.sl_skip))
        shapes = {
            "wl": (MASK_SLOTS, driven), "lines": (MASK_SLOTS, converted), "bl_skip": (driven,), "sl_skip": (converted,),
        }
        for name, shape in shapes.items():
            mask, n = np.asarray(getattr(self, name), dtype=bool), shape[-1]
            if mask.shape not in (shape, (n,)) or n == 0:
                raise InputError(f"mask {name} must have shape {shape}, not {mask.shape}")
            object.__setattr__(self, name, np.ascontiguousarray(np.broadcast_to(mask, shape)))

    @classmethod
    def reset(cls, lines: int, converted: int | None = None) -> "Masks":
        """The masks after reset: word lines on, lines enabled, nothing skipped; ``converted`` lines if not as many."""
        driven, outputs = (np.ones(count, dtype=bool) for count in (lines, lines if converted is None else converted))
        return cls(driven, outputs, ~driven, ~outputs)

    def without(self, driven: Flags, converted: Flags) -> "Masks":
        """These, with more lines that are dead."""
        return Masks(self.wl, self.lines, self.bl_skip | driven, self.sl_skip | converted)

    @property
    def rows(self) -> Flags:
        """All eighteen masks in the order of the core's registers, of shape (18, lines); of a square array."""
        return np.concatenate([self.wl, self.lines, self.bl_skip[None], self.sl_skip[None]])

    def word_lines(self, op: MvmOperation) -> Flags:
        """Word lines that are on in an operation."""
        return self.wl[op.wl_select] & ~self.bl_skip

    def driven(self, op: MvmOperation) -> Flags:
        """Driven lines that take an input; the others are driven with 0."""
        return self.word_lines(op) if op.direction is Direction.FORWARD else ~self.sl_skip

    def enabled(self, op: MvmOperation) -> Flags:
        """Lines that an operation converts; the others give 0 and early stop does not wait for them."""
        if op.direction is Direction.FORWARD:
            return self.lines[op.line_select] & ~self.sl_skip
        return self.lines[op.line_select] & self.word_lines(op)
