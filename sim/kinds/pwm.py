"""Phase-change macros of a simulation: one call of the model for each conversion, at the pins or behind C++."""

from collections.abc import Mapping
from ctypes import POINTER, Structure, c_int32, c_uint8, c_uint64
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mho.macro_models.errors import ToolError
from mho.macro_models.integer.pwm.converter import COUNTER_BITS, LEVEL_BITS, unpack_trim
from mho.macro_models.integer.pwm.operation import MAGNITUDE_BITS
from mho.macro_models.integer.pwm.programming import WriteParameters
from mho.macro_models.pwm.model import PwmModel
from mho.macro_models.pwm.programming import ProgrammedRows
from mho.sim.kinds import Body
from mho.sim.macros import SimulatedMacro
from mho.sim.pins import PinBody, Pins

if TYPE_CHECKING:
    from mho.hw.config import Chip

_LINES, _DEVICES = 256, 1024
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

    Raises ValueError if pulses are none of a product.

    Parameters
    ----------
    model
        The programmed macro. Its trim registers are from now on those at the pins.
    record
        The shim's ``Conversion``.
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
            counters = model.reference_counts(model.calibration.trim, *levels, record.op_id)
        else:
            if self._key is None or not record.same_lines:
                self._key = model.key(self._wl.astype(np.bool_))
            ids = np.array([record.op_id], dtype=np.uint64)
            counters = model.counters(self._key, self._inputs(record.shift)[None], ids, record.step_code)
        for answer, counted in zip(self._count, counters, strict=True):
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
        expected = np.zeros_like(self._width)
        # In the one window of a product of one all devices of the row are driven.
        expected[slice(2 * negative, 2 * negative + 2) if self._phases == 1 else 3 * negative, row] = (
            2**MAGNITUDE_BITS - 1
        ) * self.lsb_cycles
        if not np.array_equal(self._width, expected):
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


class PwmPins(PinBody):
    """Asked when counters are captured and when devices are pulsed; notes pulses where they begin and end."""

    _model: PwmModel | None = None

    def put_model(self, model: PwmModel) -> None:
        """Have this model answer from now on; trim registers and amplitudes are those of the macro."""
        if self._model is None:
            n, shape = model.config.lines, model.config.cell_map.shape
            self._record = Conversion(lines=n, devices=shape[0])
            self._fields = {
                name: np.frombuffer(getattr(self._record, name), dtype=kind)[:count] for name, kind, count in (
                    ("trim", np.int32, n), ("amplitude", np.int32, n), ("wl", np.uint8, shape[0]),
                )
            }
            self._width = np.frombuffer(self._record.width, dtype=np.int32).reshape(4, _LINES)[:, :n]
            self._count = np.frombuffer(self._record.count, dtype=np.int32).reshape(2, _LINES)[:, :n]
            self._rows, self._since = np.zeros((2, n), dtype=np.bool_), np.zeros((2, n), dtype=np.int64)
            self._driven, self._pulsing = np.zeros((2, 2, n), dtype=np.int64), False
        self._model, self._evaluator = model, Evaluator(model, self._record)

    def begin(self, *, keep_charges: bool = False) -> None:
        """Programming begins with the devices of the model again."""
        self._evaluator.forget()
        self._record.same_lines = self._record.same_trim = 0

    def strobe(self, pins: Pins) -> Mapping[str, int]:
        """Counters of the group of columns that is read."""
        record = self._record
        if pins["start"]:
            record.op_id, record.step_code, record.shift = pins["op_id"], pins["step_code"], pins["shift"]
            single = pins["verify"] if pins.has("verify") else 0
            record.reference = (
                pins["reference"] | pins["reference_pos"] << 1 | pins["reference_neg"] << 3 | single << 5
            )
            self._fields["wl"][:] = pins.bits("wl_en")
            self._width[:] = 0
        self._note_pulses(pins)
        if pins["capture"]:
            self._evaluator.lsb_cycles = pins["LSB_CYCLES"]
            self._ask()
        if pins["trim_write"]:
            self._fields["trim"][pins["trim_column"]] = pins["trim_data"]
        if pins.has("pulse"):
            self._program(pins)
        lanes = pins.width("count_pos") // COUNTER_BITS
        group = slice(lanes * (row := pins["count_row"]), lanes * (row + 1))
        return {
            pin: sum(count << COUNTER_BITS * k for k, count in enumerate(counts[group].tolist()))
            for pin, counts in zip(("count_pos", "count_neg"), self._count, strict=True)
        }

    def _note_pulses(self, pins: Pins) -> None:
        rows = np.stack([pins.bits("row_pos"), pins.bits("row_neg")])
        if np.array_equal(rows, self._rows):
            return
        if rows.all(axis=0).any():
            raise ToolError(f"row {int(np.argmax(rows.all(axis=0)))} is pulsed to both sides")
        cycle, began = pins["cycle"], rows & ~self._rows
        spent = np.where(self._rows & ~rows, cycle - self._since, 0)
        self._width += (spent[:, None] * self._driven).reshape(self._width.shape).astype(np.int32)
        self._since[began] = cycle
        devices = np.array([pins["device_pos"], pins["device_neg"]])
        self._driven = np.where(began[:, None], devices[None, :, None], self._driven)
        self._rows = rows

    def _program(self, pins: Pins) -> None:
        """Write the amplitude of a column; pulse the devices of the line that is on where a pulse begins."""
        if pins["amplitude_write"]:
            self._fields["amplitude"][pins["amplitude_column"]] = pins["amplitude_data"]
        pulsing = bool(pins["pulse"])
        if pulsing and not self._pulsing:
            self._fields["wl"][:] = pins.bits("wl_en")
            self._record.reference = PULSE
            self._ask()
        self._pulsing = pulsing

    def _ask(self) -> None:
        try:
            self._evaluator(self._record)
        except ValueError as error:
            raise ToolError(f"{error}") from None


PINS = PwmPins


class PwmMacro(SimulatedMacro):
    """A macro that C++ answers for, which asks once a conversion."""

    prefix = "pwm"

    def __init__(self, library: Any, index: int) -> None:
        super().__init__(library, index)
        self.conversion = self.call("conversion").contents
        self._evaluator: Evaluator | None = None
        self._model: PwmModel | None = None

    @classmethod
    def declare(cls, library: Any) -> None:
        """Say what other functions of the library give."""
        library.mho_pwm_conversion.restype = POINTER(Conversion)

    def put_model(self, model: PwmModel) -> None:
        """Put this model behind the pins from the next batch on."""
        if model.config.lines != self.conversion.lines:
            raise ValueError(f"{self.path} must get a model of {self.conversion.lines} lines, not {model.config.lines}")
        if model is not self._model:
            self._model, self._evaluator = model, Evaluator(model, self.conversion)
            self._evaluator.lsb_cycles = self.call("lsb_cycles")

    def start(self, mode: int, *, keep_charges: bool = False, pauses: int | None = None) -> None:
        """Forget what was, before a batch."""
        if self._evaluator is not None:
            self._evaluator.forget()
        super().start(mode, keep_charges=keep_charges, pauses=pauses)

    def evaluate(self) -> int:
        """Answer a conversion, or a pulse."""
        assert self._evaluator is not None
        return self._evaluator(self.conversion)

    @property
    def programmed(self) -> NDArray[np.int64] | None:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Codes of the devices as the last pulses left them; None if there were none."""
        return None if self._evaluator is None else self._evaluator.programmed

    def finish(self, result: Any, conversions: int) -> None:
        """A conversion makes no decrements; devices are as the last pulses left them."""
        if self.programmed is not None:
            result.cells = self.programmed
        result.decrements = np.zeros(self.call("conversions"), dtype=np.int64)
        result.failure = self.failure


def _defines(chip: "Chip") -> Mapping[str, object]:
    # Imported here: the process of a simulator needs no hardware.
    from mho.hw.kinds import core_blocks

    cfg = core_blocks(chip).cfg
    sizes = {"MHO_DEVICE_LINES": cfg.mask_lines, "MHO_LANES": cfg.lanes, "MHO_LSB_CYCLES": cfg.lsb_cycles}
    return {**sizes, **({"MHO_ENGINE": ""} if cfg.engine else {})}


BODY = Body(hdl="pwm_macro.sv", sources=("pwm_shim.cpp",), defines=_defines, macro=PwmMacro)
