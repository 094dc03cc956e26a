"""Cells that are programmed by pulses and read back: what stands behind the programming pins of a macro.

A pulse of amplitude V moves a cell towards the end of its window, if V is at least the cell's threshold V_th:

    SET:   g += (g_high - g) * (1 - exp(-a))        RESET: g -= (g - g_low) * (1 - exp(-a))
    ln a = ln(rate * width / pulse_s) + (V - V_th) / slope + spread * z

z is drawn for each pulse of each cell, so that a is log-normal from pulse to pulse; V_th, g_high and whether a cell is
weak are drawn once a cell. 1 - exp(-a) is taken from a table over ln a in steps of 1/64, and everything else is + - *
of doubles in a fixed order: a cell that is pulsed alone and one among thousands end equal.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from macro_models.devices.device import Device
from macro_models.devices.load import device_from_dict
from macro_models.errors import InputError
from macro_models.exact.pulse import Polarity
from macro_models.exact.random import NORMAL_ONE, Purpose, bits16, normal_blocks, normal_codes
from macro_models.settled import SettledCells

__all__ = ["MOVED", "PULSE_STEP", "TABLE_HIGH", "TABLE_LOW", "TABLE_STEPS", "VERIFY_STEP", "PulseArray", "PulseConfig"]

Cells = NDArray[np.int64]
Reals = NDArray[np.float64]

# Steps of the draws: once a cell, for each pulse, for each verify read; RELAX_STEP is the next.
_SET, _RESET, _HIGH, _INITIAL, _WEAK, _FORM, _FORMED, PULSE_STEP, VERIFY_STEP = range(9)

TABLE_STEPS = 64
"""Steps of the table of 1 - exp(-a), for each unit of ln a."""
TABLE_LOW, TABLE_HIGH = -16 * TABLE_STEPS, 4 * TABLE_STEPS
"""First and last step of the table."""
MOVED = -np.expm1(-np.exp(np.arange(TABLE_LOW, TABLE_HIGH + 1) / TABLE_STEPS))
# Rounded, so that it is the same on every machine.
MOVED = np.rint(MOVED * 2.0**40) / 2.0**40
"""The table: the part of the way to the end of its window that a pulse moves a cell."""


_STATE = {
    "g_uS": np.float64, "left_uS": np.float64, "formed": np.bool_, "stuck": np.bool_,
    "pulse_count": np.int64, "verify_count": np.int64, "waits": np.int64,
}  # fmt: skip
"""What changes as cells are programmed, and which of them answer."""


@dataclass(frozen=True, kw_only=True)
class PulseConfig:
    """Scales at the programming pins.

    Raises
    ------
    InputError
        If a value is out of range.
    """

    lines: int = 256
    """Bit lines and source lines."""
    v_base_V: float = 0.0
    """Amplitude of code 0, in V."""
    v_step_V: float = 0.02
    """Amplitude of a step of the code, in V."""
    verify_bits: int = 10
    """Width of the verify code."""
    g_full_scale_uS: float = 50.0
    """Conductance of the largest verify code, in uS."""
    cycle_s: float = 1e-8
    """Period of the clock in which widths of pulses are counted, in seconds."""
    wait_s: float = 1.0
    """Wait between two passes, in seconds."""
    temp_C: float = 25.0
    """Temperature, in degrees Celsius."""

    def __post_init__(self) -> None:
        if not 1 <= self.lines <= 1024:
            raise InputError(f"lines must be between 1 and 1024, not {self.lines!r}")
        if not 1 <= self.verify_bits <= 16:
            raise InputError(f"verify_bits must be between 1 and 16, not {self.verify_bits!r}")
        for name in ("v_step_V", "g_full_scale_uS", "cycle_s"):
            if not getattr(self, name) > 0.0:
                raise InputError(f"{name} must be positive, not {getattr(self, name)!r}")

    @property
    def verify_step_uS(self) -> float:
        """Conductance of a step of the verify code, in uS."""
        return self.g_full_scale_uS / (2**self.verify_bits - 1)

    def codes(self, g_uS: ArrayLike) -> Cells:
        """Verify codes of conductances, of the same shape."""
        top = 2**self.verify_bits - 1
        return np.clip(np.rint(np.asarray(g_uS, dtype=np.float64) / self.verify_step_uS), 0, top).astype(np.int64)


class PulseArray:
    """Cells of one core behind its programming pins.

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

    Raises
    ------
    InputError
        If the device has no pulse response.
    """

    g_uS: Reals
    """Conductances [bit line * lines + source line], in uS, of shape (lines**2,)."""

    def __init__(self, config: PulseConfig, *, device: Device, seed: int, core: int = 0, fresh: bool = False) -> None:
        law = device.pulse
        if not (law.set_rate > 0.0 and law.reset_rate > 0.0):
            raise InputError(
                f"{device.name}: pulse.set_rate and pulse.reset_rate must be positive to program by pulses, "
                f"not {law.set_rate:g} and {law.reset_rate:g}"
            )
        self.config, self.device, self.law = config, device, law
        self._seed, self._core = seed, core
        n = config.lines**2
        self.threshold_V = np.stack([
            law.set_threshold_V + law.set_spread_V * self._cell_normal(_SET),
            law.reset_threshold_V + law.reset_spread_V * self._cell_normal(_RESET),
            law.form_threshold_V + law.form_spread_V * self._cell_normal(_FORM),
        ])  # fmt: skip
        self.high_uS = law.g_high_uS * _exp(law.high_spread * self._cell_normal(_HIGH))
        self.formed_uS = law.formed_uS * _exp(law.initial_spread * self._cell_normal(_FORMED))
        self.formed = np.full(n, not fresh)
        initial = law.initial_uS * _exp(law.initial_spread * self._cell_normal(_INITIAL))
        self.g_uS = np.full(n, law.fresh_uS) if fresh else initial
        weak = bits16(Purpose.PULSE, seed=seed, core=core, items=n, step=_WEAK) < round(law.weak_fraction * 65536)
        self.weak: NDArray[np.bool_] = weak
        """Cells that move less."""
        self.log_weak = np.where(weak, math.log(law.weak_factor), 0.0)
        self.stuck = self._stick()
        """Cells that do not answer."""
        self.pulse_count = np.zeros(n, dtype=np.int64)
        """Pulses of each cell so far."""
        self.verify_count = np.zeros(n, dtype=np.int64)
        """Verify reads of each cell so far."""
        self.waits = np.zeros(n, dtype=np.int64)
        """Waits between passes since the last pulse of each cell."""
        self.left_uS = self.g_uS.copy()
        """Conductance that the last pulse of each cell left, in uS."""
        self._ahead: dict[int, tuple[int, int, NDArray[np.int16]]] = {}

    def _cell_normal(self, step: int) -> Reals:
        """One draw for each cell."""
        items = self.config.lines**2
        return normal_codes(Purpose.PULSE, seed=self._seed, core=self._core, items=items, step=step) / NORMAL_ONE

    def _stick(self) -> NDArray[np.bool_]:
        """Set stuck cells to their values: the same cells that are stuck in :mod:`macro_models.programming`."""
        stuck, n = self.device.stuck, self.config.lines**2
        draw = {"seed": self._seed, "core": self._core, "items": n}
        chosen = bits16(Purpose.STUCK, **draw) < round(stuck.fraction * 65536)
        values = np.array(stuck.values_uS)
        value = values[bits16(Purpose.STUCK_VALUE, **draw).astype(np.int64) * len(values) >> 16]
        self.g_uS = np.where(chosen, value, self.g_uS)
        return chosen

    def pulse(self, cells: Cells, polarity: Cells, amplitude: Cells, cycles: Cells) -> None:
        """One pulse for each of ``cells``, of shape (n,), no cell twice.

        ``polarity`` of :class:`Polarity`, ``amplitude`` in codes, ``cycles`` is the width; shapes (n,).
        """
        law, config = self.law, self.config
        self.pulse_count[cells] += 1
        z = self._draw(cells, self.pulse_count[cells], PULSE_STEP)
        volts = config.v_base_V + amplitude * config.v_step_V
        over = volts - self.threshold_V[polarity, cells]
        widths, inverse = np.unique(cycles, return_inverse=True)
        log_width = np.array([self.log_width(int(width)) for width in widths])[inverse]
        setting, forming = polarity == Polarity.SET, polarity == Polarity.FORM
        log_rate = np.where(setting, math.log(law.set_rate), math.log(law.reset_rate))
        slope = np.where(setting, law.set_slope_V, law.reset_slope_V)
        exponent = log_rate + log_width + over / slope + law.cycle_spread * z + self.log_weak[cells]
        at = np.clip(np.rint(exponent * TABLE_STEPS), TABLE_LOW, TABLE_HIGH).astype(np.int64) - TABLE_LOW
        g = self.g_uS[cells]
        end = np.where(setting, np.maximum(self.high_uS[cells], g), np.minimum(law.g_low_uS, g))
        moved = g + (end - g) * MOVED[at]
        answers = (over >= 0.0) & ~self.stuck[cells]
        forms = answers & forming & ~self.formed[cells]
        moves = answers & ~forming & self.formed[cells]
        self.formed[cells] |= forms
        self.g_uS[cells] = self.left_uS[cells] = np.where(forms, self.formed_uS[cells], np.where(moves, moved, g))
        self.waits[cells] = 0

    def log_width(self, cycles: int) -> float:
        """ln(width / pulse_s) of a pulse of ``cycles``."""
        return math.log(float(cycles) * self.config.cycle_s / self.device.programming.pulse_s)

    def verify(self, cells: Cells) -> Cells:
        """One verify read of each of ``cells``, of shape (n,), no cell twice: codes of the same shape."""
        self.verify_count[cells] += 1
        z = self._draw(cells, self.verify_count[cells], VERIFY_STEP)
        return self.config.codes(self.g_uS[cells] + self.law.verify_sigma_uS * z)

    def relax(self, write_pass: int = 0) -> None:
        """A wait between two passes. Its number does not matter: each cell relaxes since its own last pulse."""
        self.g_uS = self.relaxed_uS(self.config.wait_s, self.config.temp_C)
        self.waits += 1

    def relaxed_uS(self, time_s: float, temp_C: float = 25.0) -> Reals:
        """Conductances ``time_s`` seconds from now, in uS, if nothing is programmed until then."""
        return self.settled().relaxed_uS(self.device, time_s, temp_C)

    def settled(self) -> SettledCells:
        """The cells as they are left now, each since its own last pulse."""
        return SettledCells(
            left_uS=self.left_uS.copy(), waits=self.waits.copy(), wait_s=self.config.wait_s,
            pulses=self.pulse_count.copy(), moves=self.formed & ~self.stuck, seed=self._seed, core=self._core,
        )  # fmt: skip

    def _draw(self, cells: Cells, number: Cells, step: int) -> Reals:
        """Draws of the ``number``-th pulse or read of each cell: eight numbers of a cell share a block."""
        block, lane = number >> 3, number & 7
        if len(cells) == 1:
            cell, key = int(cells[0]), int(block[0])
            held = self._ahead.get(step)
            if held is None or held[:2] != (cell, key):
                held = self._ahead[step] = (cell, key, self.draws(cells, block, step)[0])
            return held[2][lane] / NORMAL_ONE
        return self.draws(cells, block, step)[np.arange(len(cells)), lane] / NORMAL_ONE

    def draws(self, cells: Cells, block: ArrayLike, step: int) -> NDArray[np.int16]:
        """Draws number 8 block to 8 block + 7 of each of ``cells`` for :data:`PULSE_STEP` or :data:`VERIFY_STEP`.

        Normal codes of shape (n, 8).
        """
        return normal_blocks(Purpose.PULSE, seed=self._seed, core=self._core, block=cells, op_id=block, step=step)

    def state(self) -> dict[str, Any]:
        """Everything that :meth:`from_state` needs: arrays of shape (lines**2,), the rest JSON types."""
        return {
            "config": asdict(self.config), "device": self.device.to_dict(), "seed": self._seed, "core": self._core,
            **self.changes(),
        }  # fmt: skip

    def changes(self) -> dict[str, Any]:
        """The arrays of :meth:`state`, each of shape (lines**2,)."""
        return {name: getattr(self, name) for name in _STATE}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> "PulseArray":
        """The array that :meth:`state` described: it goes on as the original would."""
        device = device_from_dict(state["device"])
        array = cls(PulseConfig(**state["config"]), device=device, seed=state["seed"], core=state["core"])
        array.set_state(state)
        return array

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Take over the :meth:`changes` of the same cells elsewhere."""
        for name, dtype in _STATE.items():
            setattr(self, name, np.array(state[name], dtype=dtype))
        self._ahead.clear()


def _exp(x: Reals) -> Reals:
    """exp, rounded so that it is the same on every machine."""
    return np.rint(np.exp(x) * 2.0**32) / 2.0**32
