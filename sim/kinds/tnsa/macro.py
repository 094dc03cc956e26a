"""Transposable macros behind the C++ of ``hdl/tnsa_shim.cpp``, whose structures are mirrored here."""

import ctypes
from collections.abc import Mapping, Sequence
from ctypes import POINTER, Structure, c_int32, c_int64, c_uint32, c_uint64
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mho.macro_models.errors import ToolError
from mho.macro_models.kinds import pin_level_macro
from mho.macro_models.tnsa.model import TnsaModel
from mho.sim.kinds.tnsa.evaluator import LINES, Conversion, Evaluator
from mho.sim.macros import SimulatedMacro
from mho.sim.pins import PinBody, Pins


class TnsaPins(PinBody):
    """Asked at each strobe; the comparators are what it answers with.

    The model is a programmed core, or a body of the user's own with the methods of
    :class:`mho.macro_models.macro.PinLevelMacro`.
    """

    def put_model(self, model: Any) -> None:
        """Have this model answer from now on."""
        self._macro: Any = pin_level_macro(model) if hasattr(model, "config") else model

    def begin(self, *, keep_charges: bool = False) -> None:
        """Forget decrements and charges."""
        self._decrements: list[int] = []
        self._charges: list[NDArray[np.int64]] | None = [] if keep_charges else None

    def strobe(self, pins: Pins) -> Mapping[str, int]:
        """What the comparators say from now on."""
        macro = self._macro
        if pins["precharge"]:
            self._decrements.append(0)
            macro.precharge()
        elif pins["sample"]:
            backward = bool(pins["backward"])
            side = "sl" if backward else "bl"
            macro.sample(backward, pins.bits(f"{side}_pos"), pins.bits(f"{side}_neg"), pins.bits("wl_en"))
        elif pins["compare"]:
            return {"cmp": self._compare(pins)}
        elif pins["decrement"]:
            self._decrements[-1] += 1
            macro.decrement(pins["dec_scale"], pins["step_code"])
        return {}

    def _compare(self, pins: Pins) -> int:
        lines = pins.width("cmp")
        negative = np.asarray(self._macro.compare(bool(pins["latch"]), pins["op_id"]), dtype=np.bool_)
        if negative.shape != (lines,):
            raise ToolError(
                f"compare() of the macro's body must give {lines} truth values, a line each, not "
                f"shape {list(negative.shape)}"
            )
        if self._charges is not None and len(self._charges) < len(self._decrements):
            self._charges.append(self._macro.charge)
        return int.from_bytes(np.packbits(negative, bitorder="little").tobytes(), "little")

    def finish(self, result: Any, conversions: int) -> None:
        """Decrements of each conversion, and charges."""
        result.decrements = np.array(self._decrements, dtype=np.int64)
        if self._charges:
            result.charges = np.array(self._charges)


_STROBES = ("precharge", "sample", "compare", "decrement")
_WORDS = LINES // 32


class _StrobedPins(Structure):
    _fields_ = [
        ("op_id", c_uint64),
        *((name, c_int32) for name in ("backward", "plane", "latch", "dec_scale", "step_code", "lines")),
        *((name, c_uint32 * _WORDS) for name in ("bl_pos", "bl_neg", "sl_pos", "sl_neg", "wl_en", "cmp")),
    ]


class _PinsAtStrobe(Pins):
    """The pins as C++ has them at a strobe."""

    def __init__(self, values: Any) -> None:
        self._values, self.strobe = values, ""

    def __getitem__(self, name: str) -> int:
        return int(name == self.strobe) if name in _STROBES else getattr(self._values, name)

    def has(self, name: str) -> bool:
        """Whether C++ has it."""
        return name in _STROBES or hasattr(self._values, name)

    def width(self, name: str) -> int:
        """Bits of the lines."""
        return self._values.lines

    def bits(self, name: str) -> NDArray[np.bool_]:
        """The lines that a pin is of."""
        packed = np.frombuffer(getattr(self._values, name), dtype=np.uint8)
        return np.unpackbits(packed, count=self._values.lines, bitorder="little").astype(np.bool_)

    def answer(self, values: Mapping[str, int]) -> None:
        """Drive the comparators."""
        for name, value in values.items():
            answer = np.frombuffer(getattr(self._values, name), dtype=np.uint8)
            answer[:] = np.frombuffer(value.to_bytes(len(answer), "little"), dtype=np.uint8)


_ON_STROBE = ctypes.CFUNCTYPE(c_int32, c_int32, c_int32)


class TnsaMacro(SimulatedMacro):
    """A macro that C++ answers for, lazily or strobe by strobe."""

    prefix = "tnsa"

    def __init__(self, library: Any, index: int) -> None:
        super().__init__(library, index)
        self.conversion = self.call("conversion").contents
        self._pins = _PinsAtStrobe(self.call("pins").contents)
        self._model: TnsaModel | None = None

    @classmethod
    def declare(cls, library: Any) -> None:
        """Say what other functions of the library give."""
        library.mho_tnsa_conversion.restype = POINTER(Conversion)
        library.mho_tnsa_pins.restype = POINTER(_StrobedPins)
        library.mho_tnsa_decrements.restype = POINTER(c_int32)
        library.mho_tnsa_charge_count.restype = c_int64
        library.mho_tnsa_charges.restype = POINTER(c_int64)

    @classmethod
    def all_of(cls, library: Any) -> Sequence[Self]:
        """All macros of this kind in the simulation."""
        macros = super().all_of(library)
        if macros:
            on_strobe = _ON_STROBE(lambda index, strobe: macros[index].guarded(macros[index].strobe, strobe))
            cls._callbacks.append(on_strobe)
            library.mho_tnsa_set_strobe(on_strobe)
        return macros

    def put_model(self, model: TnsaModel) -> None:
        """Put this model behind the pins from the next batch on."""
        if model.config.lines != self.conversion.lines:
            raise ValueError(f"{self.path} must get a model of {self.conversion.lines} lines, not {model.config.lines}")
        if model is not self._model:
            self._model, self._evaluator, self._body = model, Evaluator(model, self.conversion), TnsaPins(model)

    def start(self, mode: int, *, keep_charges: bool = False, pauses: int | None = None) -> None:
        """Forget what was, before a batch."""
        if self._model is not None:
            self._evaluator.forget()
        super().start(mode, keep_charges=keep_charges, pauses=pauses)

    def evaluate(self) -> int:
        """Answer a conversion."""
        return self._evaluator(self.conversion)

    def strobe(self, strobe: int) -> int:
        """Answer a strobe at pin level."""
        self._pins.strobe = _STROBES[strobe]
        self._pins.answer(self._body.strobe(self._pins))
        return 0

    def finish(self, result: Any, conversions: int) -> None:
        """Take what the batch left."""
        if count := self.call("conversions"):
            result.decrements = _copied(self.call("decrements"), count).astype(np.int64)
        if charges := self.call("charge_count"):
            result.charges = _copied(self.call("charges"), charges).reshape(-1, self.conversion.lines)
        result.failure = self.failure


def _copied(log: Any, count: int) -> NDArray[Any]:
    return np.ctypeslib.as_array(log, shape=(count,)).copy()
