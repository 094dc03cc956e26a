"""The cells behind the programming pins (``hdl/cells.cpp``) from inside the simulator process, through ctypes.

The arrays stay those of :class:`mho.macro_models.cells.pulses.PulseArray`; C++ works on them, so that what it leaves is
at once what the array holds.
"""

import ctypes
from collections.abc import Callable
from ctypes import POINTER, Structure, byref, c_char_p, c_int16, c_int32, c_int64, c_uint32, c_void_p
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.hw.core.write_verify.reference import PULSE
from mho.macro_models.cells.pulses import PulseArray
from mho.macro_models.integer import pulse

_STEPS = (pulse.PULSE_STEP, pulse.VERIFY_STEP)
_FAILED = -1


_ARRAYS = (
    "g", "left", "threshold", "high", "formed_g", "formed", "stuck", "weak", "pulse_count", "verify_count", "waits",
    "disturbed",
)
_LAW = ("slope", "spread", "log_weak", "low", "verify_sigma")
_FORMAT = {
    "verify_shift": pulse.SIGMA_BITS + pulse.DRAW_BITS - pulse.SCALE_BITS, "scale_bits": pulse.SCALE_BITS,
    "threshold_bits": pulse.THRESHOLD_BITS, "draw_bits": pulse.DRAW_BITS, "rate_bits": pulse.RATE_BITS,
    "moved_bits": pulse.MOVED_BITS, "table_low": pulse.TABLE_LOW,
    "table_high": pulse.TABLE_HIGH,
}


class _Cells(Structure):
    _fields_ = [
        *((name, c_void_p) for name in (*_ARRAYS, "moved")),
        ("log_rate", c_int64 * 9), ("slope", c_int64 * 3),
        *((name, c_int64) for name in _LAW[1:]),
        ("width", c_int64 * 3),
        *((name, c_int32) for name in ("biased", "columns", "cells", "verify_top", *_FORMAT)),
    ]


class _Pulse(Structure):
    _fields_ = [(name, c_uint32) for name in ("write_pass", "row", "col", "kind", "amplitude", "width")]


_FETCH_DRAWS = ctypes.CFUNCTYPE(c_int32, c_int32, c_int32, c_int32, c_int64, POINTER(c_int16))
_RELAX = ctypes.CFUNCTYPE(c_int32, c_int32, c_int32)
_SNEAK = ctypes.CFUNCTYPE(c_int64, c_int32, c_int32)


class _Loan:
    """An array behind the pins of one macro."""

    def __init__(self, array: PulseArray, widths: NDArray[np.int64]) -> None:
        self.array, self.widths = array, widths
        self.errors: list[BaseException] = []


class CellShim:
    """Lends arrays to the pins of macros, one at a time to each.

    Parameters
    ----------
    library
        The simulator's own functions.
    used
        Called with the path of a macro when pulses or reads of its cells begin, or go on in another row.
    """

    def __init__(self, library: Any, used: Callable[[str], None] | None = None) -> None:
        self._library, self._used = library, used
        library.mho_cells_path.restype = library.mho_cells_failure.restype = c_char_p
        library.mho_cells_pulses.restype = c_int64
        library.mho_cells_log.restype = POINTER(_Pulse)
        self._callbacks = _FETCH_DRAWS(self._fetch_draws), _RELAX(self._relax), _SNEAK(self._sneak)
        library.mho_cells_callbacks(*self._callbacks)
        self._index = {library.mho_cells_path(k).decode(): k for k in range(library.mho_cells_count())}
        self._loans: dict[int, _Loan] = {}
        self._moved = np.ascontiguousarray(pulse.MOVED)

    def programs(self, macro: str) -> bool:
        """Whether the macro with this path has pins by which its cells are programmed."""
        return macro in self._index

    def lend(self, macro: str, array: PulseArray, pins: NDArray[np.int64], widths: NDArray[np.int64]) -> None:
        """Put ``array`` behind the pins.

        Parameters
        ----------
        macro
            Path of the macro.
        pins
            Cycles that a SET, RESET and FORM pulse must last at the pins.
        widths
            Cycles for which each stands.
        """
        index = self._index[macro]
        self._loans[index] = _Loan(array, widths)
        laws = [array.law((width,) * len(pulse.Polarity)) for width in widths.tolist()]
        law = laws[0]
        record = _Cells(
            **{name: getattr(array, name).ctypes.data for name in _ARRAYS}, moved=self._moved.ctypes.data,
            **{name: getattr(law, name) for name in _LAW}, width=tuple(pins.tolist()), biased=bool(array.config.bias),
            log_rate=tuple(rate for each in laws for rate in each.log_rate),
            columns=array.config.shape[1], cells=array.config.cells, verify_top=2**law.verify_bits - 1, **_FORMAT,
        )
        self._library.mho_cells_lend(index, byref(record))

    def take_back(self, macro: str) -> tuple[NDArray[np.void], str]:
        """End the loan: the pulses that were seen at the pins, of type :data:`PULSE`, and why the cells gave up."""
        index = self._index[macro]
        loan = self._loans.pop(index)
        count = self._library.mho_cells_pulses(index)
        pulses = np.zeros(count, dtype=PULSE)
        if count:
            log = np.ctypeslib.as_array(self._library.mho_cells_log(index), shape=(count,))
            for ours, name in zip(PULSE.names or (), log.dtype.names or (), strict=True):
                pulses[ours] = log[name]
            # A pulse stands for the width that the cells have seen.
            pulses["cycles"] = loan.widths[pulses["polarity"]]
        sentence = self._failure(index, loan)
        self._library.mho_cells_return(index)
        return pulses, sentence

    def failure(self, macro: str) -> str:
        """Why the cells of a macro, which are lent, gave up; nothing if they did not."""
        index = self._index[macro]
        return self._failure(index, self._loans[index])

    def _failure(self, index: int, loan: _Loan) -> str:
        failure = self._library.mho_cells_failure(index)
        return (failure.decode() if failure else "") + (f": {loan.errors[0]!r}" if loan.errors else "")

    def _fetch_draws(self, macro: int, draw: int, row: int, block: int, draws: Any) -> int:
        loan = self._loans[macro]
        try:
            if self._used is not None:
                self._used(self._library.mho_cells_path(macro).decode())
            columns = loan.array.config.shape[1]
            cells = np.arange(row * columns, (row + 1) * columns)
            values = loan.array.draws.draws(cells, np.full(columns, block), _STEPS[draw])
            np.ctypeslib.as_array(draws, shape=(columns, 8))[:] = values
        except BaseException as error:  # a callback from C++ has nobody to raise to
            loan.errors.append(error)
            return _FAILED
        return 0

    def _relax(self, macro: int, write_pass: int) -> int:
        loan = self._loans[macro]
        try:
            loan.array.relax(write_pass)
        except BaseException as error:
            loan.errors.append(error)
            return _FAILED
        return 0

    def _sneak(self, macro: int, cell: int) -> int:
        loan = self._loans[macro]
        try:
            return int(loan.array.seen(np.array([cell]))[0])
        except BaseException as error:
            loan.errors.append(error)
            return _FAILED
