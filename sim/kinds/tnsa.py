"""Transposable macros of a simulation: at their pins, and lazily, told once what conversions of one key are made of.

Structures are those of ``hdl/conversion.h`` and ``hdl/tnsa_shim.cpp``.
"""

import ctypes
from collections.abc import Mapping, Sequence
from ctypes import POINTER, Structure, c_float, c_int32, c_int64, c_uint8, c_uint32, c_uint64, c_void_p
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from mho.macro_models.errors import ToolError
from mho.macro_models.integer.random import NORMAL_TABLE, Purpose, philox_key
from mho.macro_models.kinds import pin_level_macro
from mho.macro_models.tnsa.model import TnsaModel
from mho.macro_models.tnsa.sensing import Key, Product
from mho.sim.kinds import Body
from mho.sim.macros import SimulatedMacro
from mho.sim.pins import PinBody, Pins

if TYPE_CHECKING:
    from mho.hw.config import Chip

__all__ = ["BODY", "BOUND", "CHARGE", "LINES", "PINS", "Bound", "BoundKey", "Conversion", "Evaluator", "Seen"]

CHARGE, BOUND = 0, 1
"""What the shim finds: charges, or what it makes them of, for this conversion and others with the same key."""

_KEPT = 64  # keys of which C++ knows

LINES = 256
"""Most lines of a macro."""


class Seen(Structure):
    """An array as some inputs see it: its physical lines, or differential pairs of them."""

    _fields_ = [
        ("inputs", c_int64), ("matrix", c_void_p), ("square", c_void_p), ("cross", c_void_p),
    ]


class Bound(Structure):
    """What conversions in one direction, with some word lines on, by one step code, have in common."""

    _fields_ = [
        ("lines", c_int64), ("by_line", Seen), ("by_pair", Seen),
        *((name, c_void_p) for name in ("offset", "s_pos", "s_neg")),
        *((name, c_void_p) for name in ("inverse", "total", "output_noise")),
        ("normals", c_void_p), ("read_key", c_uint32 * 2), ("output_key", c_uint32 * 2),
    ]


class Conversion(Structure):
    """One conversion, as the evaluator sees and answers it."""

    _fields_ = [
        ("op_id", c_uint64),
        *((name, c_int32) for name in ("backward", "step_code", "lines", "same_key", "paired", "samples", "kept")),
        ("x", c_float * LINES), ("pairs", c_float * (LINES // 2)), ("wl", c_uint8 * LINES),
        ("charge", c_int64 * LINES), ("s_pos", c_int64 * LINES), ("s_neg", c_int64 * LINES), ("bound", Bound),
    ]


class BoundKey:
    """A :class:`Bound`, and the arrays that it points to: it must live as long as C++ may use them.

    Parameters
    ----------
    model
        The programmed macro.
    key
        The direction and the word lines.
    step_code
        Of the conversions.
    """

    def __init__(self, model: TnsaModel, key: Key, step_code: int) -> None:
        self._arrays: list[NDArray[Any]] = []
        steps = model.answer_steps(key, step_code)
        self.record = Bound(lines=len(key.sum_g), by_line=self._seen(key.lines))
        self.record.normals = self._at(NORMAL_TABLE, np.int16)
        if key.pairs is not None:
            self.record.by_pair = self._seen(key.pairs)
        for name, values in (("offset", key.offset), ("s_pos", steps.pos), ("s_neg", steps.neg)):
            setattr(self.record, name, self._at(values, np.int64))
        for name, values in (("inverse", key.inverse), ("total", key.total), ("output_noise", key.output_noise)):
            setattr(self.record, name, None if values is None else self._at(values, np.float64))
        self.record.read_key[:] = philox_key(Purpose.READ_NOISE, model.seed, model.core)
        self.record.output_key[:] = philox_key(Purpose.OUTPUT_NOISE, model.seed, model.core)

    @staticmethod
    def takes(model: TnsaModel, key: Key) -> bool:
        """Whether C++ has all that makes the charges: sums in single precision, read noise of cells, output noise."""
        products = [key.lines] if key.pairs is None else [key.lines, key.pairs]
        plain = model.neuron is None and key.register is None and key.traps is None
        return plain and all(product.matrix.dtype == np.float32 for product in products)

    def _seen(self, product: Product) -> Seen:
        shape, spread = product.matrix.shape, product.spread
        record = Seen(inputs=shape[0], matrix=self._at(product.matrix, np.float32))
        if spread is not None:
            record.square = self._at(np.broadcast_to(spread.square, shape), np.float32)
            if spread.cross is not None:
                record.cross = self._at(np.broadcast_to(spread.cross, shape), np.float32)
        return record

    def _at(self, values: NDArray[Any], dtype: type) -> int:
        self._arrays.append(np.ascontiguousarray(values, dtype=dtype))
        return self._arrays[-1].ctypes.data


class Evaluator:
    """Answers the shim's conversions of one macro model.

    Where C++ has all that makes the charges it is told so at the first conversion with a key, and asks no more.

    Parameters
    ----------
    model
        The programmed macro.
    record
        The shim's ``Conversion`` structure, of which the buffers are views.
    """

    def __init__(self, model: TnsaModel, record: Any) -> None:
        lines = model.config.lines
        self._model = model

        def view(name: str, dtype: type) -> NDArray[Any]:
            return np.frombuffer(getattr(record, name), dtype=dtype, count=lines)

        self._x, self._wl = view("x", np.float32), view("wl", np.uint8)
        self._charge, self._s_pos, self._s_neg = (view(name, np.int64) for name in ("charge", "s_pos", "s_neg"))
        self._key: Key | None = None
        self._kept: list[BoundKey] = []

    def forget(self) -> None:
        """The next conversion looks its key up, whatever the shim says, which forgets what it knows."""
        self._key = None
        self._kept.clear()

    def __call__(self, record: Any) -> int:
        """Answer one conversion; returns :data:`CHARGE` or :data:`BOUND`."""
        if self._key is None or not record.same_key:
            self._key = self._model.key(bool(record.backward), self._wl.astype(np.bool_))
            if BoundKey.takes(self._model, self._key):
                return self._bind(record, self._key)
        x, of = self._x.astype(np.int64), (record.op_id, record.step_code, record.samples)
        self._charge[:], self._s_pos[:], self._s_neg[:] = self._model.conversion(self._key, x, *of)
        return CHARGE

    def _bind(self, record: Any, key: Key) -> int:
        if len(self._kept) == _KEPT:
            self._kept.clear()
        self._kept.append(BoundKey(self._model, key, record.step_code))
        record.bound, record.kept = self._kept[-1].record, len(self._kept)
        return BOUND


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


PINS = TnsaPins

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


def _defines(chip: "Chip") -> Mapping[str, object]:
    # Imported here: the process of a simulator needs no hardware.
    from mho.hw.kinds import core_blocks
    from mho.hw.kinds.tnsa.bring_up.trim import TrimLayout
    from mho.hw.kinds.tnsa.config import LIMITS

    blocks = core_blocks(chip)
    if blocks.trim is None:
        return {}
    # The bench asks for all that the hardware can.
    layout = TrimLayout(blocks.cfg, blocks.write)
    return {"MHO_TRIM": f"{layout.size}'h{layout.pack(LIMITS):x}"}


BODY = Body(
    hdl="tnsa_macro.sv", sources=("tnsa_shim.cpp", "charges.cpp"), defines=_defines, macro=TnsaMacro,
)
