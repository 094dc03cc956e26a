"""The lazy evaluator: what conversions of one key are made of, told once, or one call of the model for each of them.

Its structures are those of ``hdl/conversion.h``.
"""

from ctypes import Structure, c_float, c_int32, c_int64, c_uint8, c_uint32, c_uint64, c_void_p
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.macro_models.integer.random import NORMAL_TABLE, Purpose, philox_key
from mho.macro_models.tnsa.model import TnsaModel
from mho.macro_models.tnsa.sensing import Key, Product

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
