"""Reference of the commands of a core, from the procedures in integers."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.hw.config import Chip
from mho.hw.kinds.pwm.config import PwmCoreConfig
from mho.hw.kinds.pwm.engine.layout import Bank, Command
from mho.hw.kinds.pwm.settings import SettingsFile
from mho.macro_models.integer.pwm.calibration import (
    PRODUCT_READS,
    REFERENCE_READS,
    VECTORS,
    Calibration,
    calibrate,
    fitted_units,
    range_code,
)
from mho.macro_models.integer.pwm.converter import DigitalUnits, Trim, pack_trim
from mho.macro_models.integer.pwm.programming import WriteParameters, write_rows

COLUMN_CYCLES = 3
"""Cycles of a walk for each column: its counters are looked up, and it is done with."""


def write_cycles(chip: Chip, pulses: NDArray[np.int64]) -> int:
    """Cycles of the commands PROGRAM that made so many pulses, (driven lines, columns); descriptors not counted.

    A line takes its targets and gives its results in a walk each; between them are as many pulses, reads and walks as
    the slowest device needs, and one more cycle a device that was pulsed.
    """
    cfg = PwmCoreConfig.from_chip(chip)
    walk = COLUMN_CYCLES * cfg.lines
    switch = cfg.switch_cycles if cfg.phases > 1 else 0
    read = cfg.start_cycles + cfg.window_cycles + switch + cfg.convert_cycles + 2
    iterations = int(pulses.max(axis=1, initial=0).sum())
    return 2 * walk * len(pulses) + iterations * (cfg.pulse_cycles + read + walk) + int(pulses.sum())


Integers = NDArray[np.int64]


def write_parameters(word: int) -> WriteParameters:
    """What the word of the parameters of write-verify says."""
    margin, iterations, start, gain = (word >> shift & 0xFF for shift in (0, 8, 16, 24))
    return WriteParameters(margin=margin, iterations=iterations, start=start, gain=gain)


class _Line:
    """One line of rows, with numbers and step code from a descriptor."""

    def __init__(self, rows: Any, line: int, number: int, step_code: int) -> None:
        self._rows, self._line, self._number, self._step_code, self._reads = rows, line, number, step_code, 0

    def pulse(self, line: int, amplitude: Integers, on: NDArray[np.bool_]) -> None:
        self._rows.pulse(self._line, amplitude, on)

    def read(self, line: int) -> Integers:
        self._reads += 1
        return self._rows.read_numbered(self._line, self._number + self._reads - 1, self._step_code)


class CommandReference:
    """What :class:`mho.hw.kinds.pwm.engine.engine.CommandEngine` gives.

    Parameters
    ----------
    settings
        The settings, which commands write.
    macro
        Model of the macro: a programmed core of :mod:`mho.macro_models.pwm`, with ``reference_counts`` and
        ``read_vector``.
    rows
        Its devices while they are programmed (:class:`mho.macro_models.pwm.programming.ProgrammedRows`), for PROGRAM.
    """

    def __init__(self, settings: SettingsFile, macro: Any, rows: Any = None) -> None:
        self.settings, self.macro, self.rows = settings, macro, rows
        self._stored: list[Integers] = []
        self._new: list[Integers] = []
        self._pulses = np.zeros(len(settings.gain), dtype=np.int64)

    def run(self, command: Command, bank: int, number: int, step_code: int, words: Sequence[int]) -> Integers:
        """16 bits a column, of one command with these input words."""
        n, settings = len(self.settings.gain), self.settings
        inputs = np.array(words, dtype="<u4")
        scaled = settings.calibration.step_code(step_code)
        if command is Command.MEASURE:
            x, stored = inputs[: n // 4].view(np.int8).astype(np.int64), inputs[n // 4 :].view("<i2").astype(np.int64)
            self.macro.calibration = settings.calibration
            numbers = [number | k * VECTORS for k in range(PRODUCT_READS)]
            new = self.macro.read_vector(x, np.array(numbers, dtype=np.uint64), scaled).sum(axis=0)
            self._stored.append(stored)
            self._new.append(new)
            return new
        if command in (Command.PROGRAM, Command.CALIBRATE):
            self._forget()
        if command is Command.PROGRAM:
            return self._program(number, scaled, inputs.view("<u2").astype(np.int64))
        if command is Command.CALIBRATE:
            self._calibrate(number)
        elif command is not Command.READ:
            self._fit(command)
        columns = settings.gain.astype(np.int64) | (settings.offset.astype(np.int64) & 0xFF) << 8
        if command is not Command.READ:
            return columns
        return {
            Bank.COLUMNS: columns, Bank.TRIM_LOW: settings.trim_words & 0xFFFF,
            Bank.TRIM_HIGH: settings.trim_words >> 16, Bank.RANGE: np.full(n, settings.range_code),
            Bank.PULSES: self._pulses,
        }[Bank(bank)]

    def _calibrate(self, number: int) -> None:
        config, macro = self.macro.config, self.macro

        def read(trim: Trim, positive: int, negative: int, first: int) -> tuple[Integers, Integers]:
            numbers = number | np.arange(first, first + REFERENCE_READS, dtype=np.uint64)
            positive_counts, negative_counts = macro.reference_counts(trim, positive, negative, numbers)
            return positive_counts.sum(axis=0).astype(np.int64), negative_counts.sum(axis=0).astype(np.int64)

        result = calibrate(
            read, columns=config.lines, top=config.top_counts, windows=macro.windows, gain=config.nominal_gain_code
        )
        self._take(result.digital)
        self.settings.trim_words[:] = pack_trim(result.trim)

    def _take(self, digital: DigitalUnits) -> None:
        self.settings.gain[:], self.settings.offset[:] = digital.gain, digital.offset

    def _fit(self, command: Command) -> None:
        settings, shape = self.settings, (VECTORS, len(self.settings.gain))
        stored, new = np.zeros((2, *shape), dtype=np.int64)
        # Of fewer vectors the others count as zeros.
        for k, (right, result) in enumerate(zip(self._stored, self._new, strict=True)):
            stored[k], new[k] = right, result
        current = settings.calibration
        if command is Command.RANGE:
            settings.range_code = range_code(stored, new, settings.range_code)
        else:
            affine = command is Command.AFFINE
            gain_code = self.macro.config.nominal_gain_code
            right = Calibration.reset(shape[1], gain_code).digital if affine else current.digital
            self._take(fitted_units(stored, new, right, current.digital, affine=affine))
        self._forget()

    def _forget(self) -> None:
        self._stored.clear()
        self._new.clear()

    def _program(self, number: int, step_code: int, words: Integers) -> Integers:
        parameters = write_parameters(self.settings.writing)
        self.macro.calibration = self.settings.calibration
        line = _Line(self.rows, number >> 16 & (1 << (len(self.rows.cells) - 1).bit_length()) - 1, number, step_code)
        result = write_rows(line, words[None] & 0xFFF, parameters, (words >> 15 & 1).astype(np.bool_)[None])
        self._pulses = result.pulses[0]
        return result.counts[0] | result.done[0].astype(np.int64) << 15
