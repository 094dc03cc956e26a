"""What a machine says of itself: why it waits, why it stopped, what retired; and its loop stack, which sees no data."""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from mho.hw.tile.isa import LOOP_DEPTH, STATUS, Cause, Engine, Op


class Core(Protocol):
    """What the tile needs of a core."""

    def product(self, op: int, op_id: int, first: int, codes: NDArray[np.uint8]) -> NDArray[np.integer]:
        """All output codes of an operation; ``codes`` are the bytes of its input words from word ``first`` on.

        Raises
        ------
        InputError
            If the operation is illegal: the tile traps.
        """
        ...

    def write_masks(self, block: bytes) -> None:
        """Writes a block of masks, pairs of 32-bit words: address and data.

        Raises
        ------
        InputError
            If the core has none, or the block no whole pairs: the tile traps.
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
