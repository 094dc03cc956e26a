"""What pulses do to emulated cells, in numpy; and what is loaded so that they answer like those of a device."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hw.macro.emulator.layout import PULSES
from hw.macro.emulator.pin_config import END_BITS, ENDS, PART_BITS, SEED, SPREAD, SPREAD_BITS, PinEmulatorConfig
from hw.macro.emulator.reference import LoadWord
from macro_models.errors import InputError
from macro_models.exact.pulse import AMPLITUDE_BITS, Polarity
from macro_models.exact.shift_register import mix

__all__ = ["EmulatedCells", "PulseTable", "cell_code", "pulse_loads", "verify_code"]

Codes = NDArray[np.int64]

COUNT_BITS = 6
COUNT_PLACE = 26
"""Bits of the number of a pulse of a cell, and where it enters the hash, above amplitude, polarity and code."""


def verify_code(cfg: PinEmulatorConfig, cells: NDArray[np.integer]) -> Codes:
    """Codes of verify reads of cells: all bits of a cell from the top, repeated from the top where there are fewer."""
    cells = np.asarray(cells, dtype=np.int64)
    bits = cfg.verify_bits or 0
    repeats = -(-bits // cfg.g_bits)
    repeated = sum(cells << k * cfg.g_bits for k in range(repeats))
    return np.asarray(repeated >> repeats * cfg.g_bits - bits, dtype=np.int64)


def cell_code(cfg: PinEmulatorConfig, codes: NDArray[np.integer]) -> Codes:
    """The cells of which :func:`verify_code` gave these codes; exact where a verify read has all bits of a cell."""
    shift = (cfg.verify_bits or 0) - cfg.g_bits
    codes = np.asarray(codes, dtype=np.int64)
    return codes >> shift if shift >= 0 else codes << -shift


class PulseLaw(Protocol):
    """Answer of a device to pulses, such as ``macro_models.Device.pulse``; the names are those of its section."""

    @property
    def g_low_uS(self) -> float: ...
    @property
    def g_high_uS(self) -> float: ...
    @property
    def formed_uS(self) -> float: ...
    @property
    def set_threshold_V(self) -> float: ...
    @property
    def reset_threshold_V(self) -> float: ...
    @property
    def form_threshold_V(self) -> float: ...
    @property
    def set_spread_V(self) -> float: ...
    @property
    def set_slope_V(self) -> float: ...
    @property
    def reset_slope_V(self) -> float: ...
    @property
    def set_rate(self) -> float: ...
    @property
    def reset_rate(self) -> float: ...
    @property
    def cycle_spread(self) -> float: ...


@dataclass(frozen=True, kw_only=True, eq=False)
class PulseTable:
    """Answer to pulses, as it is loaded.

    Attributes
    ----------
    parts
        The part of the way to the end of its window that a pulse moves a cell of the mean threshold, in 2**-14, of
        shape (3, 256): polarity, amplitude.
    ends
        Ends of the window in codes of a cell, of shape (3,): cells do not go up beyond those of SET and FORM, or down
        beyond that of RESET.
    cell_spread, pulse_spread
        Deviations of the threshold from cell to cell, and from pulse to pulse, in steps of the amplitude, 0..31.
    seed
        Of the draws, 32 bits.
    """

    parts: Codes
    ends: Codes
    cell_spread: int = 0
    pulse_spread: int = 0
    seed: int = 0

    @classmethod
    def of(
        cls, cfg: PinEmulatorConfig, law: PulseLaw, *, scales: Any, pulse_s: float, cycles: ArrayLike, seed: int = 0
    ) -> "PulseTable":
        """Answer of a device, the same law as that of ``macro_models.pulses``.

        Parameters
        ----------
        scales
            Has ``v_base_V``, ``v_step_V``, ``cycle_s`` and ``g_full_scale_uS``, as ``macro_models.pulses.PulseConfig``.
        pulse_s
            Width for which the rates of the device hold, in seconds.
        cycles
            Widths of the pulses of each polarity, which the emulator takes for granted, of shape (3,).

        Raises
        ------
        InputError
            If the device does not answer to pulses.
        """
        if not (law.set_rate > 0.0 and law.reset_rate > 0.0):
            raise InputError(
                "pulse.set_rate and pulse.reset_rate must be positive to program by pulses, "
                f"not {law.set_rate:g} and {law.reset_rate:g}"
            )
        volts = scales.v_base_V + scales.v_step_V * np.arange(2**AMPLITUDE_BITS)
        widths = np.asarray(cycles, dtype=np.float64) * scales.cycle_s / pulse_s
        rows = (
            (law.set_threshold_V, law.set_slope_V, law.set_rate * widths[Polarity.SET]),
            (law.reset_threshold_V, law.reset_slope_V, law.reset_rate * widths[Polarity.RESET]),
        )
        moved = [np.where(volts < v, 0.0, -np.expm1(-rate * np.exp((volts - v) / slope))) for v, slope, rate in rows]
        moved.append((volts >= law.form_threshold_V) * 1.0)
        ends = np.array([law.g_high_uS, law.g_low_uS, law.formed_uS]) * (2**cfg.g_bits - 1) / scales.g_full_scale_uS
        most = 2**SPREAD_BITS - 1
        return cls(
            parts=np.rint(np.stack(moved) * 2.0**PART_BITS).astype(np.int64),
            ends=np.clip(np.rint(ends), 0, 2 ** (cfg.g_bits + END_BITS) - 1).astype(np.int64),
            cell_spread=min(round(law.set_spread_V / scales.v_step_V), most),
            pulse_spread=min(round(law.cycle_spread * law.set_slope_V / scales.v_step_V), most),
            seed=seed & 0xFFFFFFFF,
        )


def pulse_loads(table: PulseTable) -> list[LoadWord]:
    """Words that load it."""
    words = [LoadWord(PULSES, index, int(part)) for index, part in enumerate(table.parts.ravel())]
    words += [LoadWord(PULSES, ENDS + kind, int(end)) for kind, end in enumerate(table.ends)]
    spread = table.cell_spread | table.pulse_spread << 8
    return [*words, LoadWord(PULSES, SEED, table.seed), LoadWord(PULSES, SPREAD, spread)]


def _deviation(bits: NDArray[np.int64]) -> Codes:
    """A binomial number of deviation 2 around 0 from 16 bits."""
    return np.bitwise_count(bits & 0xFFFF).astype(np.int64) - 8


class EmulatedCells:
    """Cells of :class:`hw.macro.emulator.PinLevelMacro` behind its programming pins, in one run of write-verify.

    This is a :class:`hw.core.write_verify.WriteMacro`. Cells do not relax. A pulse moves a cell by a part of the way to
    the end of its window, in whole codes, up or down at random for what is left. What is random follows from the seed,
    the cell, its code, the pulse and how many the cell had in this pass: no count is kept of a cell that is left.

    Parameters
    ----------
    cfg
        Configuration, with verify reads.
    cells
        Codes ``[bit line, source line]`` at the beginning, of shape (lines, lines).
    table
        Answer to pulses.
    """

    def __init__(self, cfg: PinEmulatorConfig, cells: NDArray[np.integer], table: PulseTable) -> None:
        self.cfg = cfg
        self.table = table
        self._codes = np.array(cells, dtype=np.int64).ravel()
        rows, columns = np.divmod(np.arange(cfg.lines**2), cfg.lines)
        self._hash = mix(mix(table.seed ^ (rows << 16 | columns)))
        self._count = np.zeros_like(rows)

    @property
    def cells(self) -> Codes:
        """Codes ``[bit line, source line]`` now, of shape (lines, lines)."""
        return self._codes.reshape(self.cfg.lines, self.cfg.lines).copy()

    def verify(self, cells: NDArray[np.int64]) -> Codes:
        """Verify reads, codes of shape (n,)."""
        return verify_code(self.cfg, self._codes[cells])

    def pulse(self, cells: NDArray[np.int64], polarity: Codes, amplitude: Codes, cycles: Codes) -> None:
        """One pulse for each cell; its width is that for which the table was made."""
        table, code, own = self.table, self._codes[cells], self._hash[cells]
        pulse = amplitude | polarity << AMPLITUDE_BITS | code << COUNT_PLACE - 16
        draw = mix(own ^ pulse ^ self._count[cells] % 2**COUNT_BITS << COUNT_PLACE)
        self._count[cells] += 1
        down = polarity == Polarity.RESET
        shift = _deviation(np.where(down, own >> 16, own)) * table.cell_spread
        shift = shift + _deviation(draw) * table.pulse_spread
        at = np.clip(amplitude + (shift >> 1), 0, 2**AMPLITUDE_BITS - 1)
        end = table.ends[polarity]
        way = np.maximum(np.where(down, code - end, end - code), 0)
        moved = way * table.parts[polarity, at] + (draw >> 16 & 2**PART_BITS - 1) >> PART_BITS
        self._codes[cells] = np.clip(np.where(down, code - moved, code + moved), 0, 2**self.cfg.g_bits - 1)

    def relax(self, write_pass: int) -> None:
        """The next pass begins; cells stay as they are."""
        self._count[:] = 0
