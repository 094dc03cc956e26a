"""The cells behind the programming pins (``hdl/cells.cpp``) from inside the simulator process, through ctypes.

The arrays stay those of :class:`macro_models.cells.pulses.PulseArray`; C++ works on them, so that what it leaves is at
once what the array holds.
"""

import ctypes
from ctypes import POINTER, Structure, byref, c_char_p, c_int16, c_int32, c_int64, c_uint32, c_void_p
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw.core.write_verify import PULSE
from macro_models.cells.pulses import PulseArray
from macro_models.exact.pulse import (
    DRAW_BITS,
    MOVED,
    MOVED_BITS,
    PULSE_STEP,
    RATE_BITS,
    SCALE_BITS,
    SIGMA_BITS,
    TABLE_HIGH,
    TABLE_LOW,
    THRESHOLD_BITS,
    VERIFY_STEP,
)

__all__ = ["CellShim"]

_STEPS = (PULSE_STEP, VERIFY_STEP)
_FAILED = -1


_ARRAYS = (
    "g", "left", "threshold", "high", "formed_g", "formed", "stuck", "weak", "pulse_count", "verify_count", "waits",
)
_LAW = ("log_rate", "slope", "spread", "log_weak", "low", "verify_sigma")
_FORMAT = {
    "verify_shift": SIGMA_BITS + DRAW_BITS - SCALE_BITS, "scale_bits": SCALE_BITS, "threshold_bits": THRESHOLD_BITS,
    "draw_bits": DRAW_BITS, "rate_bits": RATE_BITS, "moved_bits": MOVED_BITS, "table_low": TABLE_LOW,
    "table_high": TABLE_HIGH,
}


class _Cells(Structure):
    _fields_ = [
        *((name, c_void_p) for name in (*_ARRAYS, "moved")),
        ("log_rate", c_int64 * 3), ("slope", c_int64 * 3),
        *((name, c_int64) for name in _LAW[2:]),
        ("width", c_int64 * 3),
        *((name, c_int32) for name in ("lines", "verify_top", *_FORMAT)),
    ]


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
        law = array.law(widths.tolist())
        record = _Cells(
            **{name: getattr(array, name).ctypes.data for name in _ARRAYS}, moved=self._moved.ctypes.data,
            **{name: getattr(law, name) for name in _LAW}, width=tuple(pins.tolist()), lines=array.config.lines,
            verify_top=2**law.verify_bits - 1, **_FORMAT,
        )
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
        except BaseException as error:
            self.errors.append(error)
            return _FAILED
        return 0
