"""Cells that are programmed by pulses and read back: what stands behind the programming pins of a macro.

A pulse of amplitude V moves a cell towards the end of its window, if V is at least the cell's threshold V_th:

    SET:   g += (g_high - g) * (1 - exp(-a))        RESET: g -= (g - g_low) * (1 - exp(-a))
    ln a = ln(rate * width / pulse_s) + (V - V_th) / slope + spread * z

z is drawn for each pulse of each cell, so that a is log-normal from pulse to pulse; V_th, g_high and whether a cell is
weak are drawn once a cell. Where cells have no transistors, others see a part of the pulse of a selected one
(:mod:`mho.macro_models.cells.bias`) and answer to that as to any pulse. All of it is computed in integers
(:mod:`mho.macro_models.integer.pulse`), so that a cell that is pulsed alone, one among thousands, one in a simulator
and one in an FPGA end equal.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mho.macro_models.cells.bias import seen_codes, sneak_paths
from mho.macro_models.cells.programming import CellDraws, SettledCells, stuck_cells
from mho.macro_models.cells.pulse_draws import PulseDraws
from mho.macro_models.cells.pulse_scales import PulseConfig, check_pulse_device, integer_law
from mho.macro_models.devices.device import Device
from mho.macro_models.devices.load import device_from_dict
from mho.macro_models.integer.pulse import (
    CONDUCTANCE_MAX,
    FORMED_BIT,
    PULSE_STEP,
    RECORD_WORDS,
    STUCK_BIT,
    THRESHOLD_BITS,
    VERIFY_STEP,
    WEAK_BIT,
    Polarity,
    PulseLaw,
    PulseRecord,
)
from mho.macro_models.integer.random import NORMAL_ONE, Purpose, bits16, normal_codes, philox_key
from mho.macro_models.types import Array, Flags, Integers, Reals

Cells = Integers

# Steps of the draws once a cell; those of each pulse and each verify read follow.
_SET, _RESET, _HIGH, _INITIAL, _WEAK, _FORM, _FORMED = range(PULSE_STEP)

_STATE = {
    "g": np.int64, "left": np.int64, "formed": np.bool_, "stuck": np.bool_,
    "pulse_count": np.int64, "verify_count": np.int64, "waits": np.int64, "disturbed": np.int64,
}
"""What changes as cells are programmed, and which of them answer."""


class PulseArray:
    """Cells of one core behind its programming pins; cell ``bit line * source lines + source line``.

    Raises InputError if the device has no pulse response, or one out of the range of the verify reads.

    Parameters
    ----------
    config
        Scales at the pins.
    device
        With a section ``[pulse]``. Its stuck cells do not answer to pulses.
    seed, core
        Address of the draws.
    fresh
        The cells have not been formed.

    Attributes
    ----------
    g, left
        Conductances now, and what the last pulse of each cell left, in steps of ``config.g_step_uS``,
        0..:data:`mho.macro_models.integer.pulse.CONDUCTANCE_MAX`, of shape (cells,), int64.
    threshold
        Thresholds of SET, RESET and FORM above ``config.v_base_V``, in 2**-16 steps of the amplitude, of magnitude up
        to :data:`mho.macro_models.integer.pulse.THRESHOLD_MAX`, of shape (3, cells), int64.
    high, formed_g
        Conductances to which SET pulses tend and that forming leaves, as ``g``.
    formed, stuck, weak
        Cells that have a filament, that do not answer, that move less, of shape (cells,), bool.
    pulse_count, verify_count, waits
        Pulses and verify reads of each cell so far, and waits between passes since its last pulse, of shape
        (cells,), int64.
    disturbed
        How often each cell was moved by a pulse for another one, of shape (cells,), int64.
    draws
        Their random numbers.
    share
        Part of a pulse that reaches each cell when it is selected, of shape (cells,); None: all of it.
    """

    def __init__(self, config: PulseConfig, *, device: Device, seed: int, core: int = 0, fresh: bool = False) -> None:
        check_pulse_device(config, device)
        self.config, self.device = config, device
        self._seed, self._core = seed, core
        law, n = device.pulse, config.cells
        share, up, down = law.threshold_share, self._cell_normal(_SET), self._cell_normal(_RESET)
        down = share * up + math.sqrt(1.0 - share**2) * down if share else down
        self.threshold = np.stack([
            config.thresholds(law.set_threshold_V + law.set_spread_V * up),
            config.thresholds(law.reset_threshold_V + law.reset_spread_V * down),
            config.thresholds(law.form_threshold_V + law.form_spread_V * self._cell_normal(_FORM)),
        ])
        self.high = config.conductances(law.g_high_uS * np.exp(law.high_spread * self._cell_normal(_HIGH)))
        self.formed_g = config.conductances(law.formed_uS * np.exp(law.initial_spread * self._cell_normal(_FORMED)))
        self.formed = np.full(n, not fresh)
        initial = law.initial_uS * np.exp(law.initial_spread * self._cell_normal(_INITIAL))
        self.stuck, value = stuck_cells(device, CellDraws(seed, core, (n,)))
        self.g = config.conductances(np.where(self.stuck, value, law.fresh_uS if fresh else initial))
        self.left = self.g.copy()
        weak = bits16(Purpose.PULSE, seed=seed, core=core, items=n, step=_WEAK) < round(law.weak_fraction * 65536)
        self.weak: Flags = weak
        self.pulse_count, self.verify_count, self.waits, self.disturbed = np.zeros((4, n), dtype=np.int64)
        self.share: Reals | None = None
        self._laws: dict[tuple[int, ...], PulseLaw] = {}
        self.draws = PulseDraws(seed, core, n)

    def _cell_normal(self, step: int) -> Reals:
        """One draw for each cell."""
        items = self.config.cells
        return normal_codes(Purpose.PULSE, seed=self._seed, core=self._core, items=items, step=step) / NORMAL_ONE

    @property
    def g_uS(self) -> Reals:
        """Conductances in uS, of shape (cells,), read-only.

        Set, they are rounded to steps of ``config.g_step_uS``, and each cell is at rest with what it was given.
        """
        return _read_only(self.g * self.config.g_step_uS)

    @g_uS.setter
    def g_uS(self, value: ArrayLike) -> None:
        self.g[:] = self.left[:] = self.config.conductances(value)
        self.waits[:] = 0

    @property
    def left_uS(self) -> Reals:
        """Conductances that the last pulse of each cell left, in uS, of shape (cells,), read-only."""
        return _read_only(self.left * self.config.g_step_uS)

    def law(self, widths: Sequence[int]) -> PulseLaw:
        """What the cells have in common for SET, RESET and FORM pulses of ``widths`` cycles."""
        widths = tuple(int(width) for width in widths)
        if widths not in self._laws:
            self._laws[widths] = integer_law(self.config, self.device, widths)
        return self._laws[widths]

    def law_words(self, widths: Sequence[int]) -> list[int]:
        """:meth:`law` and the key of the draws, as words of 32 bits (two's complement).

        Log rates and slopes (three each), spread, logarithm of the weak factor, lower end, deviation of a verify read,
        two words of the key.
        """
        return self.law(widths).words(philox_key(Purpose.PULSE, self._seed, self._core))

    def pulse(self, cells: Cells, polarity: Cells, amplitude: Cells, cycles: Cells) -> None:
        """One pulse for each of ``cells``, of shape (n,), no cell twice.

        ``polarity`` of :class:`Polarity`, ``amplitude`` in codes, ``cycles`` is the width; shapes (n,). Those of cells
        without transistors come one after the other.
        """
        if self.config.bias and len(cells) > 1:
            for one in zip(cells, polarity, amplitude, cycles, strict=True):
                self.pulse(*(np.array([value]) for value in one))
            return
        reaching = amplitude if self.share is None else (amplitude * self.share[cells]).astype(np.int64)
        self._pulse(cells, polarity, reaching, cycles)
        if self.config.bias and len(cells):
            self._disturb(int(cells[0]), int(polarity[0]), int(amplitude[0]), int(cycles[0]))

    def _disturb(self, cell: int, polarity: int, amplitude: int, width: int) -> None:
        """Let the others of a cell's lines, or of the array, see their part of its pulse."""
        grid = np.arange(self.config.cells).reshape(self.config.shape)
        row, column = divmod(cell, grid.shape[1])
        seen = seen_codes(self.config.bias, polarity, amplitude)
        for group, (places, code) in enumerate(zip((grid[row], grid[:, column], grid.ravel()), seen, strict=True)):
            # Nothing but a part of a FORM pulse makes a filament.
            kinds = () if code == 0 else (Polarity.RESET,) if code < 0 else (Polarity.SET, Polarity.FORM)
            for kind in kinds[: 2 if polarity == Polarity.FORM else 1]:
                reached = places[self.threshold[kind, places] <= abs(code) << THRESHOLD_BITS]
                if group > 1:  # neither in the row nor in the column
                    reached = reached[(reached // grid.shape[1] != row) & (reached % grid.shape[1] != column)]
                able = (self.formed[reached] == (kind != Polarity.FORM)) & ~self.stuck[reached]
                self._move_others(reached[able & (reached != cell)], kind, abs(code), width)

    def _move_others(self, cells: Cells, polarity: int, amplitude: int, width: int) -> None:
        if not len(cells):
            return
        before = self.g[cells]
        self._pulse(cells, *(np.full(len(cells), value) for value in (polarity, amplitude, width)))
        self.disturbed[cells] += self.g[cells] != before

    def _pulse(self, cells: Cells, polarity: Cells, amplitude: Cells, cycles: Cells) -> None:
        """What :meth:`pulse` does to the cells themselves."""
        self.pulse_count[cells] += 1
        z = self.draws.draw(cells, self.pulse_count[cells], PULSE_STEP)
        polarity, amplitude, cycles = (np.asarray(value, dtype=np.int64) for value in (polarity, amplitude, cycles))
        for width in sorted(set(cycles.tolist())):
            at = cycles == width
            self._apply(self.law((width,) * len(Polarity)), cells[at], polarity[at], amplitude[at], z[at])

    def _apply(self, law: PulseLaw, cells: Cells, polarity: Cells, amplitude: Cells, z: Cells) -> None:
        over, g = law.over(amplitude, self.threshold[polarity, cells]), self.g[cells]
        moved = law.move(polarity, g, self.high[cells], law.step(polarity, over, z, self.weak[cells]))
        answers, forming = (over >= 0) & ~self.stuck[cells], polarity == Polarity.FORM
        forms = answers & forming & ~self.formed[cells]
        moves = answers & ~forming & self.formed[cells]
        self.formed[cells] |= forms
        self.g[cells] = self.left[cells] = np.where(forms, self.formed_g[cells], np.where(moves, moved, g))
        self.waits[cells] = 0

    def verify(self, cells: Cells) -> Cells:
        """One verify read of each of ``cells``, of shape (n,), no cell twice: codes of the same shape."""
        self.verify_count[cells] += 1
        # Widths do not matter to a read.
        law = self.law((1,) * len(Polarity))
        return law.read(self.seen(cells), self.draws.draw(cells, self.verify_count[cells], VERIFY_STEP))

    def seen(self, cells: Cells) -> Cells:
        """What verify reads of ``cells``, of shape (n,), find between their lines: as :attr:`g`, without noise."""
        if not self.config.float_lines:
            return self.g[cells]
        grid = self.g.reshape(self.config.shape)
        return np.array([sneak_paths(grid, *divmod(cell, grid.shape[1])) for cell in cells.tolist()], dtype=np.int64)

    def relax(self, write_pass: int = 0) -> None:
        """A wait between two passes. Its number does not matter: each cell relaxes since its own last pulse."""
        config = self.config
        self.g[:] = config.conductances(self.settled().relaxed_uS(self.device, config.wait_s, config.temp_C))
        self.waits += 1

    def relaxed_uS(self, time_s: float, temp_C: float = 25.0) -> Reals:
        """Conductances ``time_s`` seconds from now, in uS, if nothing is programmed until then; not rounded."""
        return self.settled().later_uS(self.g_uS, self.device, time_s, temp_C)

    def settled(self) -> SettledCells:
        """The cells as they are left now, each since its own last pulse."""
        return SettledCells(
            left_uS=self.left_uS, waits=self.waits.copy(), wait_s=self.config.wait_s,
            pulses=self.pulse_count.copy(), moves=self.formed & ~self.stuck, seed=self._seed, core=self._core,
        )

    def state(self) -> dict[str, Any]:
        """Everything that :meth:`from_state` needs: arrays of shape (cells,), the rest JSON types."""
        return {
            "config": asdict(self.config), "device": self.device.to_dict(), "seed": self._seed, "core": self._core,
            **self.changes(),
        }

    def changes(self) -> dict[str, Any]:
        """The arrays of :meth:`state`, each of shape (cells,)."""
        return {name: getattr(self, name) for name in _STATE}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> "PulseArray":
        """The array that :meth:`state` described: it goes on as the original would."""
        device = device_from_dict(state["device"])
        array = cls(PulseConfig(**state["config"]), device=device, seed=state["seed"], core=state["core"])
        array.set_state(state)
        return array

    def __reduce__(self) -> tuple[Any, ...]:
        return PulseArray.from_state, (self.state(),)

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Take over the :meth:`changes` of the same cells elsewhere."""
        for name, dtype in _STATE.items():
            setattr(self, name, np.array(state[name], dtype=dtype))

    def records(self) -> NDArray[np.uint32]:
        """All that distinguishes the cells, as words of shape (cells, RECORD_WORDS).

        Their order is :class:`mho.macro_models.integer.pulse.PulseRecord`.
        """
        words = np.empty((len(self.g), RECORD_WORDS), dtype=np.int64)
        flags = self.formed << FORMED_BIT | self.stuck << STUCK_BIT | self.weak << WEAK_BIT
        words[:, PulseRecord.STATE] = self.g | flags
        words[:, PulseRecord.PULSES] = self.pulse_count
        words[:, PulseRecord.READS] = self.verify_count
        words[:, PulseRecord.THRESHOLD : PulseRecord.HIGH] = self.threshold.T
        words[:, PulseRecord.HIGH] = self.high
        words[:, PulseRecord.FORMED] = self.formed_g
        return np.asarray(words & 0xFFFFFFFF, dtype=np.uint32)

    def set_records(self, words: NDArray[np.uint32]) -> None:
        """Take over what became of the same cells elsewhere, from :meth:`records` of them; without waits meanwhile."""
        state, count, reads = (
            words[:, place].astype(np.int64) for place in (PulseRecord.STATE, PulseRecord.PULSES, PulseRecord.READS)
        )
        g = state & CONDUCTANCE_MAX
        pulsed = (count != self.pulse_count) | (g != self.g)
        self.left[pulsed] = g[pulsed]
        self.waits[pulsed] = 0
        self.g[:], self.pulse_count[:], self.verify_count[:] = g, count, reads
        self.formed[:] = state >> FORMED_BIT & 1


def _read_only(values: Array) -> Reals:
    values.flags.writeable = False
    return values
