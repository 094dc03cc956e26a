"""The loop stack, which sees no data."""

from dataclasses import dataclass

from mho.hw.tile.interpreter.state import TrapError
from mho.hw.tile.isa import LOOP_DEPTH, Cause


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
