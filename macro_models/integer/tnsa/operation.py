"""One matrix-vector operation of a transposable core."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Self

from mho.macro_models.errors import InputError
from mho.macro_models.integer.operation import LSB_SEGMENT_BITS, Direction, MvmOperation


class Converter(IntEnum):
    """How the charge of a line becomes a code."""

    COUNT = 0
    """One decrement at a time until the sign flips (the number of steps depends on data)."""
    BINARY = 1
    """Binary search: one decrement for each magnitude bit, halved from bit to bit."""


@dataclass(frozen=True, kw_only=True)
class TnsaOperation(MvmOperation):
    """Static parameters of one product; see :class:`MvmOperation`.

    The converter makes at most ``2**(out_bits - 1) - 1`` decrements. Raises InputError if a value is out of range, or
    if ReLU is asked for inputs of two segments (each segment is converted on its own, so that a sign is known only
    after both).
    """

    direction: Direction = Direction.FORWARD
    """Driven side."""
    converter: Converter = Converter.COUNT
    """Counting or binary search."""
    early_stop: bool = True
    """Counting ends when every enabled line has flipped; with ReLU it does not wait for negative lines. Without it
    every operation takes the worst case."""

    planes_at_once = LSB_SEGMENT_BITS
    reserved = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.relu and self.segments > 1:
            raise InputError(
                f"relu must be off for inputs of two segments ({self.planes} magnitude planes), not {self.relu!r}"
            )

    @classmethod
    def from_bits(cls, bits: Mapping[str, int]) -> Self:
        """See :meth:`MvmOperation.from_bits`."""
        return super().from_bits({**bits, "direction": bits["backward"], "converter": bits["binary"]})

    @property
    def binary(self) -> bool:
        """Whether the converter searches."""
        return self.converter is Converter.BINARY

    @property
    def segment_planes(self) -> tuple[int, ...]:
        """See :attr:`MvmOperation.segment_planes`: two conversions of more than four magnitude planes."""
        if self.planes <= LSB_SEGMENT_BITS:
            return (self.planes,)
        return (self.planes - LSB_SEGMENT_BITS, LSB_SEGMENT_BITS)
