"""Phase-change macros of a simulation: one call of the model for each conversion."""

import ctypes
from collections.abc import Mapping
from ctypes import POINTER, Structure, c_char_p, c_int32, c_uint8, c_uint64, c_void_p
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mho.macro_models.integer.pwm.converter import LEVEL_BITS
from mho.macro_models.integer.pwm.operation import MAGNITUDE_BITS
from mho.macro_models.integer.pwm.programming import WriteParameters
from mho.macro_models.integer.pwm.trim_words import unpack_trim
from mho.macro_models.pwm.model import PwmModel
from mho.macro_models.pwm.programming import ProgrammedRows
from mho.sim.kinds import Body

if TYPE_CHECKING:
    from mho.hw.config import Chip

__all__ = ["BODY", "PULSE", "Conversion", "Evaluator", "PwmMacro"]

_LINES, _DEVICES = 256, 1024
_FAILED = -1
PULSE = 1 << 6
"""In ``Conversion.reference``: no conversion, but a pulse of programming."""
_PROGRAMMING = 1 << 5 | PULSE


class Conversion(Structure):
    """One conversion, as the evaluator sees and answers it: mirrors that in ``hdl/pwm_shim.cpp``."""

    _fields_ = [
        ("op_id", c_uint64),
        *((name, c_int32) for name in (
            "lines", "devices", "step_code", "shift", "reference", "same_lines", "same_trim",
        )),
        ("width", c_int32 * _LINES * 4), ("trim", c_int32 * _LINES),
        ("amplitude", c_int32 * _LINES), ("count", c_int32 * _LINES * 2),
        ("wl", c_uint8 * _DEVICES),
    ]


class Evaluator:
    """Answers the conversions of one macro model.

    Parameters
    ----------
    model
        The programmed macro. Its trim registers are from now on those at the pins.
    record
        The shim's ``Conversion``.

    Raises
    ------
    ValueError
        If pulses are none of a product.
    """

    def __init__(self, model: PwmModel, record: Any) -> None:
        n = model.config.lines
        self._model, self._phases = model, model.config.phases
        self._key: Any = None
        self._width = np.frombuffer(record.width, dtype=np.int32).reshape(4, _LINES)[:, :n]
        self._trim = np.frombuffer(record.trim, dtype=np.int32)[:n]
        self._amplitude = np.frombuffer(record.amplitude, dtype=np.int32)[:n]
        self._rows: ProgrammedRows | None = None
        self._count = np.frombuffer(record.count, dtype=np.int32).reshape(2, _LINES)[:, :n]
        self._wl = np.frombuffer(record.wl, dtype=np.uint8)[: record.devices]
        self.lsb_cycles = 1

    def forget(self) -> None:
        """The next conversion looks its word lines up; programming begins with the devices of the model again."""
        self._key = self._rows = None

    def __call__(self, record: Any) -> int:
        """Answer one conversion."""
        model = self._model
        if not record.same_trim:
            model.calibration = replace(model.calibration, trim=unpack_trim(self._trim.astype(np.int64)))
        if record.reference & _PROGRAMMING:
            return self._program(record)
        if record.reference & 1:
            if self._width.any():
                raise ValueError("no row may be pulsed in a conversion of reference currents")
            low = (model.config.top_counts << LEVEL_BITS) // 4
            levels = (record.reference >> 1 & 3) * low, (record.reference >> 3 & 3) * low
            found = model.reference_counts(model.calibration.trim, *levels, record.op_id)
        else:
            if self._key is None or not record.same_lines:
                self._key = model.key(self._wl.astype(np.bool_))
            ids = np.array([record.op_id], dtype=np.uint64)
            found = model.counters(self._key, self._inputs(record.shift)[None], ids, record.step_code)
        for answer, counted in zip(self._count, found, strict=True):
            answer[:] = counted.reshape(-1)
        return 0

    @property
    def programmed(self) -> NDArray[np.int64] | None:
        """Codes of the devices after commands that program; None if there were none."""
        return None if self._rows is None else self._rows.cells

    def _program(self, record: Any) -> int:
        """Pulse the devices of the line that is on, or read them; products see those of the model."""
        if self._rows is None:
            self._rows = ProgrammedRows(self._model, WriteParameters())
        (line,) = np.flatnonzero(self._wl).tolist()
        if record.reference & PULSE:
            amplitude = self._amplitude.astype(np.int64)
            self._rows.pulse(line, amplitude & 0xFF, amplitude > 0xFF)
        else:
            self._check_read(line)
            self._count[0] = self._rows.read_numbered(line, record.op_id, record.step_code)
            self._count[1] = 0
        return 0

    def _check_read(self, line: int) -> None:
        """A read of one device is the longest pulse of its row, of the sign of the device, and no other."""
        row, cell = divmod(line, len(self._wl) // self._width.shape[1])
        negative = int(2 * cell >= len(self._wl) // self._width.shape[1])
        wanted = np.zeros_like(self._width)
        # In the one window of a product of one all devices of the row are driven.
        wanted[slice(2 * negative, 2 * negative + 2) if self._phases == 1 else 3 * negative, row] = (
            2**MAGNITUDE_BITS - 1
        ) * self.lsb_cycles
        if not np.array_equal(self._width, wanted):
            raise ValueError(f"a read of the devices of word line {line} must be the longest pulse of row {row} alone")

    def _inputs(self, shift: int) -> NDArray[np.int64]:
        """Inputs of the rows from the widths of their pulses, which are those of all devices."""
        width = self._width.astype(np.int64)
        if not np.array_equal(width[0::2], width[1::2]):
            raise ValueError("pulses of a row must be equally wide for all devices")
        x, left = np.divmod(width[0] - width[2], self.lsb_cycles << shift)
        if left.any():
            raise ValueError(f"pulses must be multiples of {self.lsb_cycles << shift} cycles wide")
        return x


class PwmMacro:
    """One macro of the simulation; see :class:`mho.sim.kinds.SimulatedMacro`."""

    def __init__(self, library: Any, index: int) -> None:
        self._library, self._index = library, index
        self.path: str = library.mho_pwm_path(index).decode()
        self.conversion = library.mho_pwm_conversion(index).contents
        self.evaluator: Evaluator | None = None
        self.errors: list[BaseException] = []
        self._model: PwmModel | None = None

    def put_model(self, model: PwmModel) -> None:
        """Put this model behind the pins from the next batch on."""
        if model.config.lines != self.conversion.lines:
            raise ValueError(f"{self.path} must get a model of {self.conversion.lines} lines, not {model.config.lines}")
        if model is not self._model:
            self._model, self.evaluator = model, Evaluator(model, self.conversion)
            self.evaluator.lsb_cycles = self._library.mho_pwm_lsb_cycles(self._index)

    def start(self, mode: int, *, keep_charges: bool = False, pauses: int | None = None) -> None:
        """Forget what was, before a batch."""
        self.errors.clear()
        if self.evaluator is not None:
            self.evaluator.forget()
        self._library.mho_pwm_start(self._index, int(mode), c_void_p(pauses))

    @property
    def failure(self) -> str:
        """What went wrong in the batch, nothing if all is well."""
        failure = self._library.mho_pwm_failure(self._index)
        said = failure.decode() if failure else ""
        return f"{said}: {self.errors[0]!r}" if self.errors else said

    @property
    def programmed(self) -> NDArray[np.int64] | None:
        """Codes of the devices as the last pulses left them; None if there were none."""
        return None if self.evaluator is None else self.evaluator.programmed

    def finish(self, result: Any) -> None:
        """A conversion makes no decrements; devices are as the last pulses left them."""
        if self.programmed is not None:
            result.cells = self.programmed
        result.decrements = np.zeros(self._library.mho_pwm_conversions(self._index), dtype=np.int64)
        result.failure = self.failure


_EVALUATE = ctypes.CFUNCTYPE(c_int32, c_int32)
_callbacks: list[Any] = []
"""ctypes keeps no reference to a callback; there is one simulation in a process."""


def _macros(library: Any) -> list[PwmMacro]:
    library.mho_pwm_conversion.restype = POINTER(Conversion)
    library.mho_pwm_path.restype = library.mho_pwm_failure.restype = c_char_p
    found = [PwmMacro(library, index) for index in range(library.mho_pwm_macros())]

    def evaluate(index: int) -> int:
        macro = found[index]
        try:
            assert macro.evaluator is not None
            return macro.evaluator(macro.conversion)
        except BaseException as error:  # a callback from C++ has nobody to raise to
            macro.errors.append(error)
            return _FAILED

    _callbacks[:] = [_EVALUATE(evaluate)]
    library.mho_pwm_set_evaluate(_callbacks[0])
    return found


def _defines(chip: "Chip") -> Mapping[str, object]:
    # Imported here: the process of a simulator needs no hardware.
    from mho.rtl_gen.kinds import macro_texts_of

    return macro_texts_of(chip).defines(chip)


BODY = Body(hdl="pwm_macro.sv", sources=("pwm_shim.cpp",), defines=_defines, macros=_macros)
