"""Bits of an operation's descriptor."""

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
from amaranth.hdl import Value
from amaranth.lib import data
from numpy.typing import ArrayLike, NDArray

from mho.macro_models.errors import InputError
from mho.macro_models.integer.operation import STEP_WIDTH, MvmOperation

OP_ID_WIDTH = 64
"""Width of the number of a conversion, {image, static operation}."""


class OpLayout(data.StructLayout):
    """Layout of an :class:`MvmOperation` and its number, least significant field first.

    ``mode`` must be 0, the other values are reserved. ``backward``, ``binary`` and ``early_stop`` are a kind's own:
    what its operation has under these names, or 0 (:attr:`MvmOperation.reserved`).
    """

    def __init__(self) -> None:
        super().__init__({
            "backward": 1, "in_bits": 4, "in_signed": 1, "out_bits": 4, "binary": 1, "relu": 1, "early_stop": 1,
            "wl_select": 3, "line_select": 3, "step_code": STEP_WIDTH, "mode": 3, "op_id": OP_ID_WIDTH,
        })

    @property
    def operation(self) -> tuple[str, ...]:
        """Fields that the register ``operation`` of a host has: all that have no register of their own."""
        return tuple(name for name, _ in self if name not in ("step_code", "op_id"))


class WordsLayout(data.StructLayout):
    """A range of the ``output_words`` words of a result: the ``first`` one and the ``last`` one, not before it."""

    def __init__(self, output_words: int) -> None:
        super().__init__({"first": range(output_words), "last": range(output_words)})


def pack(op: object, op_id: int = 0) -> int:
    """The descriptor of an operation as an integer, whose attributes have the names of the fields; others are 0.

    Raises InputError if ``op_id`` is not a number of 64 bits.
    """
    if not 0 <= op_id < 2**OP_ID_WIDTH:
        raise InputError(f"op_id must be between 0 and 2**{OP_ID_WIDTH} - 1, not {op_id!r}")
    layout = OpLayout()
    return layout.const({**{name: int(getattr(op, name, 0)) for name, _ in layout}, "op_id": op_id}).as_bits()


def unreserved(op: Any, kind: type[MvmOperation]) -> list[Value]:
    """Whether the bits of a descriptor are 0 that no operation of a kind has."""
    return [~op[name] for name in kind.reserved]


Operation = TypeVar("Operation", bound=MvmOperation)


def unpack(descriptor: int, kind: type[Operation]) -> tuple[Operation, int]:
    """The operation and its number from a descriptor. Inverse of :func:`pack`; ``kind`` is its class.

    Raises InputError if the descriptor is illegal: no operation has these values, or ``mode`` is reserved.
    """
    fields = OpLayout().from_bits(descriptor)
    if fields["mode"] != 0:
        raise InputError(f"mode must be 0, the others are reserved, not {fields['mode']!r}")
    return kind.from_bits({name: fields[name] for name, _ in fields.shape()}), fields["op_id"]


INPUTS_PER_WORD, INPUT_WIDTH = 4, 8
"""Input codes in a word, and the bits of one."""

OUTPUTS_PER_WORD, CODE_WIDTH = 2, 16
"""Output codes in a word, and the bits of one."""


def pack_inputs(x: ArrayLike) -> list[int]:
    """Words of the input stream for the codes of one vector, 8-bit two's complement, lowest code in the lowest byte."""
    return np.asarray(x).astype(np.uint8).view("<u4").tolist()


def unpack_inputs(op: MvmOperation, words: Sequence[int]) -> NDArray[np.int64]:
    """The codes of one vector from its words. Inverse of :func:`pack_inputs` for codes in the range of ``op``."""
    return np.asarray(words, dtype="<u4").view(np.int8 if op.in_signed else np.uint8).astype(np.int64)


def pack_codes(codes: ArrayLike) -> list[int]:
    """Words of the output stream for the codes of one vector: two 16-bit codes a word, lowest first."""
    return np.asarray(codes).astype("<i2").view("<u4").tolist()


def unpack_codes(words: ArrayLike) -> NDArray[np.int16]:
    """Codes of shape (..., lines) from words of shape (..., lines // 2). Inverse of :func:`pack_codes`."""
    return np.ascontiguousarray(np.asarray(words, dtype="<u4")).view("<i2").astype(np.int16, copy=False)
