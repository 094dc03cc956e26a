"""What a machine says of itself: why it waits, why it stopped, what retired."""

from dataclasses import dataclass
from typing import NamedTuple

from mho.hw.tile.isa import STATUS, Cause, Engine, Op

__all__ = ["Retired", "Status", "TrapError", "Wait"]


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
    the results that it wrote, modulo 2**32.
    """

    engine: Engine
    pc: int
    op: Op
    image: int
    taken: tuple[tuple[int, int], ...] = ()
    shown: tuple[tuple[int, int], ...] = ()
    op_id: int = 0
    checksum: int = 0

    @property
    def tokens(self) -> tuple[object, ...]:
        """What the token machine knows of it."""
        return self.pc, self.op, self.image, self.taken, self.shown
