"""Commands of a core: descriptors of another mode, and what the engine keeps for each column."""

from enum import IntEnum
from typing import Any

from amaranth.hdl import Shape, Value
from amaranth.lib import data

from mho.hw.core.layout import OP_ID_WIDTH, OpLayout
from mho.macro_models.errors import InputError
from mho.macro_models.integer.pwm.converter import COUNTER_BITS
from mho.macro_models.integer.pwm.programming import AMPLITUDE_TOP

COMMAND_MODE = 2
"""``mode`` of a descriptor that is a command; its ``wl_select`` is the :class:`Command`."""
AMPLITUDE_BITS = AMPLITUDE_TOP.bit_length()


class Command(IntEnum):
    """What a core can be asked beside products. Every command gives 16 bits a column, as many words as a product.

    READ
        Nothing; gives the registers of :class:`Bank` number ``line_select``.
    CALIBRATE
        Finds trims, gains and offsets: :mod:`mho.macro_models.integer.pwm.calibration`. Gives the columns' registers.
    MEASURE
        Takes the codes of a stored vector and then, two a word, what it should give: multiplies it four times, with the
        numbers ``op_id``, ``op_id + 64`` and so on, all word lines on. Gives the differences of the counters, summed.
    RANGE, COLUMN, AFFINE
        From the :data:`mho.macro_models.integer.pwm.calibration.VECTORS` vectors that were measured since the last of
        these commands, CALIBRATE or PROGRAM: the range register, the gains, gains and offsets. Give the columns'
        registers.
    PROGRAM
        Takes targets, two a word: counts in bits 11:0, bit 15: the device is left alone. Programs the devices of the
        driven line ``op_id[25:16]``; verify reads have the numbers ``op_id``, ``op_id + 1`` and so on, and
        ``step_code`` of the descriptor. Gives the last counts, bit 15: where it should be.
    """

    READ = 0
    CALIBRATE = 1
    MEASURE = 2
    RANGE = 3
    COLUMN = 4
    AFFINE = 5
    PROGRAM = 6


class Bank(IntEnum):
    """Registers that :attr:`Command.READ` gives."""

    COLUMNS = 0
    """Gain, and the offset from bit 8 on."""
    TRIM_LOW = 1
    """Bits 15:0 of the trim word."""
    TRIM_HIGH = 2
    """Its other bits."""
    RANGE = 3
    """The range register, in all columns."""
    PULSES = 4
    """Pulses of the devices of the line that was programmed last, until another command but READ."""


def pack_command(command: Command, *, number: int = 0, bank: Bank = Bank.COLUMNS, step_code: int = 1) -> int:
    """The descriptor of a command.

    Raises InputError if a value is beyond its bits.
    """
    if not 0 <= number < 2**OP_ID_WIDTH or not 1 <= step_code < 2**16:
        raise InputError(f"a command has a number of 64 bits and a step code from 1 on, not {number} and {step_code}")
    return OpLayout().const({
        "in_bits": 8, "in_signed": 1, "out_bits": 8, "wl_select": int(command), "line_select": int(bank),
        "step_code": step_code, "mode": COMMAND_MODE, "op_id": number,
    }).as_bits()


def _struct(**fields: Any) -> data.StructLayout:
    return data.StructLayout(fields)


def calibration_state() -> data.StructLayout:
    """Of a column while it is calibrated: counts of the set so far, and the sums that gain and offset follow from."""
    return _struct(positive=16, negative=16, span=Shape(19, True), zero=Shape(18, True))


def drift_state() -> data.StructLayout:
    """Of a column between measured vectors: the sums of least squares, and the differences of this vector so far."""
    return _struct(
        product=Shape(37, True), square=36, then=Shape(23, True), now=Shape(22, True), value=Shape(16, True)
    )


def programming_state() -> data.StructLayout:
    """Of the device of a column while its line is programmed."""
    return _struct(
        target=COUNTER_BITS, count=COUNTER_BITS, amplitude=AMPLITUDE_BITS, pulses=8, waits=1, done=1
    )


def state_bits() -> int:
    """Bits that the engine keeps a column."""
    return max(Shape.cast(layout()).width for layout in (calibration_state, drift_state, programming_state))


def view(layout: data.StructLayout, word: Value) -> Any:
    """A word of the engine's memory as one of the layouts above."""
    return data.View(layout, word[: layout.size])
