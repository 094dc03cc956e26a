"""Row-parallel write-verify of phase-change devices in integers: what the engine of a core does, and what devices do.

All devices of one driven line are programmed at a time, every column with an amplitude of its own. A pulse melts a
part of the device that grows with its amplitude, and what is melted is quenched: the state after a pulse is that of the
pulse alone. So an engine needs no history, only the error of the last read. Of each line:

1. Amplitudes begin at :attr:`WriteParameters.start`, those of targets of 0 (RESET) at 255.
2. All columns that are not done are pulsed, then the line is read with the converters: ``error = count - target``.
3. A column is done where ``|error| <= margin``. The others add ``error * gain >> 4`` to their amplitudes (more current
   leaves less conductance).
4. From 2 on, until all are done or :attr:`WriteParameters.iterations` are over.

Devices in integers: conductances are codes of the core's grid, amplitudes 8 bits. A device melts from its threshold on,
and loses ``slope`` for each step beyond it:

    ``g = clip(high - ((max(256 a - threshold, 0) slope + sigma z) >> 16), low, high)``

with a normal code z for each pulse. High, threshold and slope differ between devices.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from mho.macro_models.errors import check_whole
from mho.macro_models.types import Flags, Integers

AMPLITUDE_TOP = 255
_THRESHOLD_BITS = 8
_SLOPE_BITS = 16
GAIN_BITS = 4
"""Fraction bits of :attr:`WriteParameters.gain`."""


@dataclass(frozen=True, kw_only=True)
class WriteParameters:
    """Registers of the engine.

    Raises InputError if a value is out of range.
    """

    margin: int = 5
    """Counts by which a device may be beside its target, 0..255."""
    iterations: int = 30
    """Pulses of a line at most, 1..255."""
    start: int = 128
    """First amplitude, 0..255."""
    gain: int = 16
    """Amplitude steps for an error of one count, in 1/16, 1..255."""
    top: int = 100
    """Counts of a device in SET: targets are 0..top, 1..4095."""

    def __post_init__(self) -> None:
        ranges = {"margin": (0, 255), "iterations": (1, 255), "start": (0, 255), "gain": (1, 255), "top": (1, 4095)}
        for name, (low, high) in ranges.items():
            check_whole(name, getattr(self, name), low, high)

    @property
    def word(self) -> int:
        """Setting of a core, without ``top``: margin, iterations, start and gain of 8 bits each, lowest first."""
        return self.margin | self.iterations << 8 | self.start << 16 | self.gain << 24


class RowMacro(Protocol):
    """What the engine drives: one macro."""

    def pulse(self, line: int, amplitude: Integers, on: Flags) -> None:
        """Pulse the devices of a driven line in the columns ``on``, all of shape (columns,)."""
        ...

    def read(self, line: int) -> Integers:
        """Counts of the devices of a driven line, of shape (columns,)."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class WriteResult:
    """What became of the devices, each of shape (driven lines, columns)."""

    counts: Integers
    """Last read while a device was not done; 0 where it was left out."""
    pulses: Integers
    """Pulses of each."""
    done: Flags
    """Whether it is where it should be; not where it was left out."""


def write_rows(
    macro: RowMacro, targets: Integers, parameters: WriteParameters, skip: Flags | None = None
) -> WriteResult:
    """Program all lines of a core, one after the other.

    Parameters
    ----------
    macro
        What is programmed.
    targets
        Counts, 0..``parameters.top``, of shape (driven lines, columns).
    skip
        Devices that are left alone, of the same shape.
    """
    on = np.ones(targets.shape, dtype=bool) if skip is None else ~skip
    counts, pulses, done = np.zeros_like(targets), np.zeros_like(targets), np.zeros(targets.shape, dtype=bool)
    for line, target in enumerate(targets):
        amplitude = np.where(target == 0, AMPLITUDE_TOP, parameters.start)
        for _ in range(parameters.iterations):
            waits = on[line] & ~done[line]
            if not waits.any():
                break
            macro.pulse(line, amplitude, waits)
            pulses[line] += waits
            counts[line] = np.where(waits, macro.read(line), counts[line])
            error = counts[line] - target
            wrong = np.abs(error) > parameters.margin
            done[line] |= waits & ~wrong
            moved = amplitude + (error * parameters.gain >> GAIN_BITS)
            amplitude = np.where(waits & wrong, np.clip(moved, 0, AMPLITUDE_TOP), amplitude)
    return WriteResult(counts=counts, pulses=pulses, done=done)


@dataclass(frozen=True, kw_only=True, eq=False)
class DeviceResponse:
    """How devices answer to pulses, each of shape (driven lines, columns), conductances in codes of the grid."""

    low: Integers
    """Conductance that is left when all is molten."""
    high: Integers
    """Conductance in SET."""
    threshold: Integers
    """Amplitude from which on a device melts, in 2**-8 steps."""
    slope: Integers
    """Conductance lost for each step beyond, in 2**-8 codes."""
    sigma: int
    """Standard deviation of what a pulse leaves, in 2**-16 codes for a normal code of 1."""

    def after(self, line: int, amplitude: Integers, z: Integers) -> Integers:
        """Conductances of the devices of a line after pulses, with normal codes ``z``, of shape (columns,)."""
        beyond = np.maximum((amplitude << _THRESHOLD_BITS) - self.threshold[line], 0)
        # What has not melted is SET whatever the draw.
        lost = np.where(beyond > 0, beyond * self.slope[line] + self.sigma * z, 0) >> _SLOPE_BITS
        return np.clip(self.high[line] - lost, self.low[line], self.high[line])
