"""An update of all cells of an array at once: pulse trains on rows and columns, and a pulse for a cell where they meet.

A line pulses in a slot with a probability that its code says. As T. Gokmen, Y. Vlasov, "Acceleration of deep neural
network training with resistive cross-point devices", Frontiers in Neuroscience 10 (2016) 333; how many slots there are,
and that both trains are as full as each other, is the update management of aihwkit (MIT licence, ``rpu_pulsed``).
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mho.macro_models.errors import check_whole
from mho.macro_models.integer.draws import drawn_bits
from mho.macro_models.types import Flags, Integers, Reals

MAGNITUDE_BITS = 7
"""Bits of the magnitude of a code."""
SLOT_BITS, HALVING_BITS = 8, 3
LONGEST = 31
"""Slots of a train, unless somebody says otherwise."""
UPDATE_MODE = 1
"""``mode`` of the descriptor of such an operation; 0 is that of a product."""


@dataclass(frozen=True, kw_only=True)
class ParallelUpdate:
    """An update, whose codes are those of the rows, then those of the columns, signed, 8 bits.

    Raises InputError if a value is out of range.
    """

    in_bits: ClassVar[int] = 8
    in_signed: ClassVar[bool] = True
    out_bits: ClassVar[int] = 1
    mode: ClassVar[int] = UPDATE_MODE

    slots: int
    """In which lines pulse or do not, 1..255."""
    halvings: int = 0
    """How often the probability that a line pulses is halved, 0..7."""

    def __post_init__(self) -> None:
        check_whole("slots", self.slots, 1, 2**SLOT_BITS - 1)
        check_whole("halvings", self.halvings, 0, 2**HALVING_BITS - 1)

    @property
    def step_code(self) -> int:
        """Both, where the descriptor of a product has the step of its converters."""
        return self.slots | self.halvings << SLOT_BITS

    @property
    def steps(self) -> int:
        """Bits of each line that are drawn for a slot."""
        return MAGNITUDE_BITS + self.halvings


def slots_of(most: float, longest: int = LONGEST) -> tuple[int, float]:
    """Slots of a train by which a cell of the largest product is to have ``most`` pulses, above 0.

    The second is the probability of both of its lines: trains are as full as each other, and what is beyond the longest
    one is lost.
    """
    slots = min(math.ceil(most), longest)
    return slots, math.sqrt(min(most, slots) / slots)


def managed(x: Reals, d: Reals, steps: float, longest: int = LONGEST) -> tuple[ParallelUpdate | None, Integers]:
    """The update that moves cells by about ``steps x d`` of their steps, and its codes; None: it moves nothing.

    ``x`` has the shape (rows,), ``d`` (columns,); codes (rows + columns,), -127..127.
    """
    tops = np.abs(x).max(initial=0.0), np.abs(d).max(initial=0.0)
    most = float(steps * tops[0] * tops[1])
    if not most > 0.0:
        return None, np.zeros(len(x) + len(d), dtype=np.int64)
    slots, height = slots_of(most, longest)
    halvings = min(math.floor(-math.log2(height)), 2**HALVING_BITS - 1)
    part = np.concatenate([values / top for values, top in zip((x, d), tops, strict=True)]) * height * 2.0**halvings
    # From the upper half of the range on a code counts for one more, so that the largest pulses in every slot.
    size = np.abs(part) * 2**MAGNITUDE_BITS
    codes = np.sign(part) * np.clip(np.rint(size - (size > 2 ** (MAGNITUDE_BITS - 1))), 0, 2**MAGNITUDE_BITS - 1)
    return ParallelUpdate(slots=slots, halvings=halvings), codes.astype(np.int64)


def trains(update: ParallelUpdate, number: int, codes: Integers) -> Flags:
    """In which slots lines with these codes, of shape (lines,), pulse: (slots, lines).

    Bit ``lines (steps k + s) + i`` of the sequence of ``number`` (:func:`drawn_bits`), 64 bits, is what line i draws in
    step s of slot k. It begins with the highest bit of its magnitude; where a draw is 1 that is replaced, by one bit
    after the other from the lowest up, then by 0 for each halving. What is left at the end is whether it pulses.
    """
    magnitude = np.abs(codes)
    drawn = drawn_bits(number, update.slots * update.steps * len(codes)).reshape(update.slots, update.steps, -1)
    pulses = np.broadcast_to(magnitude >> (MAGNITUDE_BITS - 1) & 1, drawn[:, 0].shape)
    for step in range(update.steps):
        plane = magnitude >> step & 1 if step < MAGNITUDE_BITS else 0
        pulses = np.where(drawn[:, step] == 1, plane, pulses)
    return pulses == 1


def coincidences(pulses: Flags, negative: Flags, rows: int) -> Iterator[tuple[Flags, Flags, int]]:
    """What lines do in the four parts of a slot: (rows, columns, 1 up or -1 down) of those that pulse.

    ``pulses`` and ``negative``, codes below 0, are of all lines, rows first. Cells go up where both codes are positive,
    then where both are negative; then down, those of positive rows first.
    """
    for sign, row_negative in ((1, False), (1, True), (-1, False), (-1, True)):
        has_sign = pulses[:rows] & (negative[:rows] == row_negative)
        yield has_sign, pulses[rows:] & (negative[rows:] == (row_negative == (sign > 0))), sign
