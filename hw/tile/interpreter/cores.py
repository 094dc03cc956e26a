"""Cores behind a tile: a function of codes, or the reference of a core of any kind with a model of its macro."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.hw.core.layout import OpLayout, unpack_codes
from mho.macro_models.errors import InputError

_OP_BITS = 38


class FunctionCore:
    """A core that is a function of its input codes.

    Parameters
    ----------
    compute
        Output codes, in half steps, of all lines for input codes: int8 where the operation takes signed ones
        (``in_signed``), else uint8.
    """

    def __init__(self, compute: Callable[[NDArray[Any]], NDArray[np.integer]]) -> None:
        self._compute = compute

    def product(self, op: int, op_id: int, first: int, codes: NDArray[np.uint8]) -> NDArray[np.integer]:
        """Output codes; input words before ``first`` are 0."""
        whole = np.concatenate([np.zeros(4 * first, np.uint8), codes])
        return self._compute(whole.view(np.int8) if OpLayout().from_bits(op)["in_signed"] else whole)

    def write_masks(self, block: bytes) -> None:
        """There are none."""
        raise InputError("this core has no masks")


class ReferenceCore:
    """A core, its macro a model: the bits and noise of the functional backend.

    A block of ``masks`` is a row of pairs of 32-bit words, address and data of a mask write; of the address the bits
    that the core has count.

    Parameters
    ----------
    core
        Its reference, as :class:`mho.hw.core.reference.CoreReference`.
    """

    def __init__(self, core: Any) -> None:
        self.core = core

    def product(self, op: int, op_id: int, first: int, codes: NDArray[np.uint8]) -> NDArray[np.integer]:
        """Output codes of all lines."""
        operation, _ = self.core.operation(op)
        code_words, count = codes.view("<u4"), self.core.cfg.input_words(operation)
        if op >> _OP_BITS or first + len(code_words) > count:
            last = first + len(code_words) - 1
            raise InputError(f"the operation takes {count} words, not those from {first} to {last}")
        words = np.zeros(count, dtype="<u4")
        words[first : first + len(code_words)] = code_words
        return unpack_codes(self.core.run(op | op_id << _OP_BITS, words.tolist()))

    def write_masks(self, block: bytes) -> None:
        """Writes masks."""
        if len(block) % 8:
            raise InputError(f"masks are written in pairs of 8 bytes, not in {len(block)} bytes")
        bits = self.core.address_bits
        for address, data in np.frombuffer(block, "<u4").reshape(-1, 2).tolist():
            self.core.masks.write(address & (1 << bits) - 1, data)
