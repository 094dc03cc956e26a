"""Macros whose rows are driven step by step and whose columns are converted: at their pins, and lazily behind C++.

A kind says how its strobes make conversions (:class:`RowSteps`) and what makes their codes. At the pins numpy is asked
strobe by strobe; in Verilator C++ takes the steps from the strobes, and is told once what conversions with some word
lines on, by one step code, are made of. Its structures are those of ``hdl/rows.h``.
"""

from abc import abstractmethod
from collections.abc import Mapping
from ctypes import Structure, c_double, c_int32, c_int64, c_uint8, c_uint32, c_void_p
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.macro_models.integer.random import NORMAL_ONE, NORMAL_TABLE, Purpose, philox_key
from mho.macro_models.macro.conversion import RowConversion
from mho.sim.pins import PinBody, Pins, packed

_LANES = 8
"""Columns that C++ computes at a time."""


@dataclass(frozen=True, kw_only=True)
class RowSteps:
    """How the strobes ``sample``, ``capture`` and another make conversions of ``row_pos`` and ``row_neg``.

    A step begins with ``sample``, which says its number ``plane``, and ends with the next strobe.
    """

    rows: int
    columns: int
    """Rows, and columns of which codes are read; of two arrays a column has both codes beside each other."""
    codes: str
    """Pin of the codes, shown from ``capture`` on."""
    code_bits: int
    convert: str = ""
    """Strobe at which the steps, each times what it counts, are converted together. Empty: each is, and shown from the
    next strobe on."""
    digit_bits: int = 1
    """Bits of what a row is driven with."""
    row_groups: int = 1
    """Steps of a digit, a power of two."""

    change: str = ""
    """Strobe at which cells change; empty: none."""

    def weight(self, step: int) -> int:
        """What the digit of a step counts."""
        return 1 << self.digit_bits * (step // self.row_groups)


class RowBody(PinBody):
    """See :class:`PinBody`."""

    def put_model(self, model: Any) -> None:
        """Have this model answer from now on."""
        self.model: Any = model
        self._step: int | None = None
        self._integrated: Any = 0
        self._result = self._shown = np.zeros(0, dtype=np.int64)

    @abstractmethod
    def steps(self, pins: Pins) -> RowSteps:
        """How strobes make conversions."""

    @abstractmethod
    def conversion(self, wl: NDArray[np.bool_], step_code: int) -> RowConversion:
        """What makes codes with these word lines on, by a step code."""

    def change(self, pins: Pins) -> None:
        """Do to the cells what the pins say at the strobe for it."""

    def codes(
        self, wl: NDArray[np.bool_], step_code: int, x: NDArray[np.int64], op_id: NDArray[np.uint64], step: int
    ) -> NDArray[np.int64]:
        """Codes of one conversion at the pins, of shape (1, conversions), where rows drive ``x``, (1, rows)."""
        conversion = self.conversion(wl, step_code)
        return conversion.codes_of(conversion.sums(x, op_id, step), op_id, step)

    def strobe(self, pins: Pins) -> Mapping[str, int]:
        """See :meth:`PinBody.strobe`."""
        steps = self.steps(pins)
        if steps.change and pins[steps.change]:
            self.change(pins)
        converts = bool(steps.convert and pins[steps.convert])
        if self._step is not None and (pins["sample"] or pins["capture"] or converts):
            driven = _digits(pins, "row_pos", steps) - _digits(pins, "row_neg", steps)
            if steps.convert:
                self._integrated = self._integrated + steps.weight(self._step) * driven
            else:
                self._result = self._codes(pins, steps, driven, self._step)
            self._step = None
        if converts:
            self._result = self._codes(pins, steps, self._integrated, 0)
            self._integrated = 0
        if pins["capture"] or (not steps.convert and pins["sample"]):
            self._shown = self._result
        if pins["sample"]:
            self._step = pins["plane"]
        return {steps.codes: packed(self._shown.reshape(-1, steps.columns).T, steps.code_bits)}

    def _codes(self, pins: Pins, steps: RowSteps, driven: Any, step: int) -> NDArray[np.int64]:
        on = pins.bits("wl_en") if pins.has("wl_en") else np.ones(steps.rows, dtype=np.bool_)
        x, op_id = np.broadcast_to(driven, (1, steps.rows)), np.array([pins["op_id"]], dtype=np.uint64)
        return self.codes(on, pins["step_code"], x, op_id, step)[0]


def _digits(pins: Pins, name: str, steps: RowSteps) -> NDArray[np.int64]:
    return pins.bits(name).reshape(steps.rows, -1) @ (1 << np.arange(steps.digit_bits))


class StrobedRows(Structure):
    """Where pins are among those that a strobe brings, and what strobes mean."""

    _fields_ = [(name, c_int32) for name in (
        "rows", "digit_bits", "row_groups", "each", "code_bits", "columns", "row_pos", "row_neg", "wl_en", "plane",
        "plane_bits", "step_code", "op_id", "sample", "capture", "convert", "change",
    )]

    @classmethod
    def of(cls, steps: RowSteps, places: Mapping[str, tuple[int, int]]) -> "StrobedRows":
        """For pins at (offset, width) of a strobe's bits."""
        first = {name: offset for name, (offset, _) in places.items()}
        names = ("row_pos", "row_neg", "plane", "step_code", "op_id", "sample", "capture")
        return cls(
            rows=steps.rows, digit_bits=steps.digit_bits, row_groups=steps.row_groups, each=not steps.convert,
            code_bits=steps.code_bits, columns=steps.columns, plane_bits=places["plane"][1],
            wl_en=first.get("wl_en", -1), convert=first.get(steps.convert, -1), change=first.get(steps.change, -1),
            **{name: first[name] for name in names},
        )


class _Conversion(Structure):
    _fields_ = [
        ("gated", c_int64), ("conversions", c_int64), ("width", c_int64),
        *((name, c_void_p) for name in ("single", "products", "variances")),
        ("variance_width", c_int64), ("unit", c_double), ("normals", c_void_p),
        ("read_key", c_uint32 * 2), ("output_key", c_uint32 * 2),
        *((name, c_int64) for name in ("step", "bits", "full_code")),
        *((name, c_void_p) for name in ("offset", "gain", "bow")), ("noise", c_double),
    ]


class RowQuestion(Structure):
    """What C++ asks: which conversions it means, behind ``known`` others, and room for what they are made of.

    Less than none of them are known where the pins say that cells change.
    """

    _fields_ = [("known", c_int32), ("step_code", c_int32), ("wl", c_uint8 * 1024), ("conversion", _Conversion)]


class KeptConversion:
    """A :class:`RowConversion` as C++ takes it, and the arrays that this points to: it must live as long as C++ may."""

    def __init__(self, conversion: RowConversion) -> None:
        self._arrays: list[NDArray[Any]] = []
        products, variances, converter = conversion.products, conversion.variances, conversion.converter
        single = products.dtype == np.float32
        gated = conversion.on is not None
        self.record = record = _Conversion(gated=gated, conversions=products.shape[1], unit=conversion.unit)
        setattr(record, "single" if single else "products", self._at(_wide(products), np.float32 if single else float))
        record.width = self._arrays[-1].shape[1]
        if variances is not None:
            variances = np.repeat(variances, _LANES, axis=1) if variances.shape[1] == 1 else _wide(variances)
            record.variances, record.variance_width = self._at(variances, np.int32), variances.shape[1]
        record.normals = self._at(NORMAL_TABLE, np.int16)
        for name, purpose in (("read_key", Purpose.READ_NOISE), ("output_key", Purpose.OUTPUT_NOISE)):
            getattr(record, name)[:] = philox_key(purpose, conversion.seed, conversion.core)
        if converter is None:
            return
        record.step, record.bits, record.full_code = converter.step, converter.bits, converter.full_code
        if converter.errors is not None:
            for name in ("offset", "gain", "bow"):
                setattr(record, name, self._at(_wide(getattr(converter.errors, name)[None]), float))
            record.noise = converter.errors.noise / NORMAL_ONE

    def _at(self, values: NDArray[Any], dtype: type) -> int:
        self._arrays.append(np.ascontiguousarray(values, dtype=dtype))
        return self._arrays[-1].ctypes.data


def _wide(matrix: NDArray[Any]) -> NDArray[Any]:
    more = -matrix.shape[1] % _LANES
    return np.pad(matrix, ((0, 0), (0, more))) if more else matrix
