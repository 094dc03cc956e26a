"""What a machine is made of: cores, a loop stack; what it says of itself: why it waits or stopped, what retired."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from mho.hw.core.layout import OpLayout, unpack_codes
from mho.hw.tile.isa import LOOP_DEPTH, STATUS, Cause, Engine, Op
from mho.macro_models.errors import InputError


class Core(Protocol):
    """What the tile needs of a core."""

    def product(self, op: int, op_id: int, first: int, codes: NDArray[np.uint8]) -> NDArray[np.integer]:
        """All output codes of an operation; ``codes`` are the bytes of its input words from word ``first`` on.

        Raises InputError if the operation is illegal: the tile traps.
        """
        ...

    def write_masks(self, block: bytes) -> None:
        """Writes a block of masks, pairs of 32-bit words: address and data.

        Raises InputError if the core has none, or the block no whole pairs: the tile traps.
        """
        ...


class Wait(NamedTuple):
    """What is waited for.

    ``why`` is ``blocks`` (``n`` are missing in ``stream``), ``room`` (``n`` do not fit there), ``send`` (the send
    engine has one already), ``members`` (a flow whose receivers have no room), ``root`` (an operand that is not taken),
    ``sum`` (operands of context ``n`` that are not there).
    """

    why: str
    stream: int = 0
    n: int = 0


@dataclass(frozen=True)
class Status:
    """Why a tile stopped, as the host reads it."""

    cause: Cause
    engine: Engine
    pc: int
    stream: int
    image: int

    def words(self) -> tuple[int, ...]:
        """Its two words."""
        return STATUS.pack({
            "cause": self.cause, "engine": self.engine, "pc": self.pc, "stream": self.stream, "image": self.image})


class TrapError(Exception):
    """A trap, on its way to the status."""

    def __init__(self, cause: Cause, stream: int = 0) -> None:
        super().__init__(cause.name)
        self.cause, self.stream = cause, stream


class Retired(NamedTuple):
    """An instruction that ended, as the trace port tells it.

    ``taken`` and ``shown`` are the blocks that it gave back and made, by stream, without those of 0; those of SEND are
    in an event of its own for each block. ``checksum`` is the sum of the bytes that it took to the core or sent, or of
    the results that it wrote, modulo 2**32; without data it is 0.
    """

    engine: Engine
    pc: int
    op: Op
    image: int
    taken: tuple[tuple[int, int], ...] = ()
    shown: tuple[tuple[int, int], ...] = ()
    op_id: int = 0
    checksum: int = 0


@dataclass
class _Loop:
    first: int
    last: int
    left: int | None


class LoopStack:
    """Loops that are open, and what follows an instruction.

    Parameters
    ----------
    size
        Words of the instruction memory.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._open: list[_Loop] = []

    @property
    def depth(self) -> int:
        """Loops that are open."""
        return len(self._open)

    def state(self) -> tuple[tuple[int, int, int | None], ...]:
        """All loops that are open, with what is left of them."""
        return tuple((loop.first, loop.last, loop.left) for loop in self._open)

    def open(self, pc: int, body: int, times: int | None) -> int:
        """The address after LOOP at ``pc``; ``times`` is None for ever. A loop of no times is passed.

        Raises
        ------
        TrapError
            ``LOOP`` if there are too many, or the body ends outside of the loop around it or of the memory.
        """
        last = pc + body
        around = self._open[-1].last if self._open else self._size - 1
        if len(self._open) == LOOP_DEPTH or last > around:
            raise TrapError(Cause.LOOP)
        if times == 0:
            return self.following(last)
        self._open.append(_Loop(pc + 1, last, times))
        return pc + 1

    def following(self, last: int) -> int:
        """The address after an instruction whose last word is at ``last``.

        Raises
        ------
        TrapError
            ``LOOP`` if the words of the instruction go beyond the loop.
        """
        while self._open:
            loop = self._open[-1]
            if last < loop.last:
                break
            if last > loop.last:
                raise TrapError(Cause.LOOP)
            if loop.left is None or loop.left > 1:
                loop.left = None if loop.left is None else loop.left - 1
                return loop.first
            self._open.pop()
        return last + 1


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
