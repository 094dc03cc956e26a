"""The cells behind the programming pins (``hdl/cells.cpp``) from inside the simulator process, through ctypes.

The arrays stay those of :class:`macro_models.pulses.PulseArray`; C++ works on them, so that what it leaves is at once
what the array holds.
"""

import ctypes
import math
from ctypes import POINTER, Structure, byref, c_char_p, c_double, c_int16, c_int32, c_int64, c_uint32, c_void_p
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw.core.write_verify import PULSE
from macro_models.pulses import MOVED, PULSE_STEP, TABLE_HIGH, TABLE_LOW, TABLE_STEPS, VERIFY_STEP, PulseArray

__all__ = ["CellShim"]

_STEPS = (PULSE_STEP, VERIFY_STEP)
_FAILED = -1


class _Cells(Structure):
    _fields_ = [
        *((name, c_void_p) for name in (
            "g_uS", "left_uS", "threshold_V", "high_uS", "formed_uS", "log_weak", "moved", "formed", "stuck",
            "pulse_count", "verify_count", "waits",
        )),
        *((name, c_double) for name in (
            "v_base_V", "v_step_V", "g_low_uS", "cycle_spread", "verify_sigma_uS", "verify_step_uS",
        )),
        ("log_rate", c_double * 3), ("slope_V", c_double * 3), ("log_width", c_double * 3), ("width", c_int64 * 3),
        *((name, c_int32) for name in ("lines", "verify_top", "table_steps", "table_low", "table_high")),
    ]  # fmt: skip


class _Pulse(Structure):
    _fields_ = [(name, c_uint32) for name in ("write_pass", "row", "col", "kind", "amplitude", "width")]


_FETCH_DRAWS = ctypes.CFUNCTYPE(c_int32, c_int32, c_int32, c_int64, POINTER(c_int16))
_RELAX = ctypes.CFUNCTYPE(c_int32, c_int32)


class CellShim:
    """Lends one array at a time to the pins.

    Parameters
    ----------
    library
        The simulator's own functions.
    """

    def __init__(self, library: Any) -> None:
        self._library = library
        library.mho_cells_failure.restype = c_char_p
        library.mho_cells_pulses.restype = c_int64
        library.mho_cells_log.restype = POINTER(_Pulse)
        library.mho_cells_moved.argtypes = [c_void_p]
        self._callbacks = _FETCH_DRAWS(self._fetch_draws), _RELAX(self._relax)
        self._array: PulseArray | None = None
        self._widths = np.zeros(3, dtype=np.int64)
        self._moved = np.ascontiguousarray(MOVED)
        self.errors: list[BaseException] = []

    def lend(self, array: PulseArray, pins: NDArray[np.int64], widths: NDArray[np.int64]) -> None:
        """Put ``array`` behind the pins.

        Parameters
        ----------
        pins
            Cycles that a SET, RESET and FORM pulse must last at the pins.
        widths
            Cycles for which each stands.
        """
        self._array, self._widths = array, widths
        self.errors.clear()
        law, config = array.law, array.config
        set_rate, reset_rate = math.log(law.set_rate), math.log(law.reset_rate)
        record = _Cells(
            **{name: getattr(array, name).ctypes.data for name in (
                "g_uS", "left_uS", "threshold_V", "high_uS", "formed_uS", "log_weak", "formed", "stuck",
                "pulse_count", "verify_count", "waits",
            )},
            moved=self._moved.ctypes.data,
            v_base_V=config.v_base_V, v_step_V=config.v_step_V, g_low_uS=law.g_low_uS, cycle_spread=law.cycle_spread,
            verify_sigma_uS=law.verify_sigma_uS, verify_step_uS=config.verify_step_uS,
            log_rate=(set_rate, reset_rate, reset_rate),
            slope_V=(law.set_slope_V, law.reset_slope_V, law.reset_slope_V),
            log_width=tuple(array.log_width(int(width)) for width in widths), width=tuple(int(width) for width in pins),
            lines=config.lines, verify_top=2**config.verify_bits - 1,
            table_steps=TABLE_STEPS, table_low=TABLE_LOW, table_high=TABLE_HIGH,
        )  # fmt: skip
        self._library.mho_cells_lend(byref(record), *self._callbacks)

    def take_back(self) -> tuple[NDArray[np.void], str]:
        """End the loan: the pulses that were seen at the pins, of type :data:`PULSE`, and why the cells gave up."""
        count = self._library.mho_cells_pulses()
        pulses = np.zeros(count, dtype=PULSE)
        if count:
            log = np.ctypeslib.as_array(self._library.mho_cells_log(), shape=(count,))
            for ours, name in zip(PULSE.names or (), log.dtype.names or (), strict=True):
                pulses[ours] = log[name]
            # A pulse stands for the width that the cells have seen.
            pulses["cycles"] = self._widths[pulses["polarity"]]
        failure = self._library.mho_cells_failure()
        sentence = failure.decode() if failure else ""
        if self.errors:
            sentence += f": {self.errors[0]!r}"
        self._library.mho_cells_return()
        self._array = None
        return pulses, sentence

    def _fetch_draws(self, draw: int, row: int, block: int, draws: Any) -> int:
        try:
            assert self._array is not None
            lines = self._array.config.lines
            cells = np.arange(row * lines, (row + 1) * lines)
            values = self._array.draws(cells, np.full(lines, block), _STEPS[draw])
            np.ctypeslib.as_array(draws, shape=(lines, 8))[:] = values
        except BaseException as error:  # a callback from C++ has nobody to raise to
            self.errors.append(error)
            return _FAILED
        return 0

    def _relax(self, write_pass: int) -> int:
        try:
            assert self._array is not None
            self._array.relax(write_pass)
            self._library.mho_cells_moved(self._array.g_uS.ctypes.data)
        except BaseException as error:
            self.errors.append(error)
            return _FAILED
        return 0
