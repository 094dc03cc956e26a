"""Accesses of any length, cut into the commands of the host link."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from hw.host.link.format import Command, encode_command

__all__ = ["Piece", "Poll", "Read", "Task", "Write"]


@dataclass(frozen=True)
class Piece:
    """What one request can hold of an access: a command, where it begins and how far it steps, the words it moves."""

    data: bytes
    address: int
    step: int
    words: int
    reply_words: int


class Task(Protocol):
    """A command, of any length."""

    def pieces(self, write_words: int, read_words: int) -> Iterator[Piece]:
        """Cut for requests that hold ``write_words``, and replies that hold ``read_words``."""
        ...


@dataclass(frozen=True)
class Read:
    """Read ``count`` words from ``address`` on, or all from the same address."""

    address: int
    count: int = 1
    increment: bool = True

    def pieces(self, write_words: int, read_words: int) -> Iterator[Piece]:
        """As :class:`Task`."""
        step = 4 if self.increment else 0
        for first in range(0, self.count, most := min(read_words, 255)):
            count, address = min(most, self.count - first), self.address + step * first
            data = encode_command(Command.READ, address, count, increment=self.increment)
            yield Piece(data, address, step, count, count)


@dataclass(frozen=True)
class Write:
    """Write ``words`` from ``address`` on, or all to the same address; ``strobe``: which bytes of each word."""

    address: int
    words: ArrayLike
    increment: bool = True
    strobe: int = 0xF

    def pieces(self, write_words: int, read_words: int) -> Iterator[Piece]:
        """As :class:`Task`."""
        step = 4 if self.increment else 0
        words = np.atleast_1d(np.asarray(self.words)).astype("<u4", casting="unsafe")
        for first in range(0, len(words), most := min(write_words, 255)):
            part, address = words[first : first + most], self.address + step * first
            data = encode_command(
                Command.WRITE, address, len(part), part.tobytes(), increment=self.increment, strobe=self.strobe
            )
            yield Piece(data, address, step, len(part), 0)


@dataclass(frozen=True)
class Poll:
    """Read the word at ``address`` until it has a bit of ``mask``, at most ``256 * limit`` times (limit 1 to 255)."""

    address: int
    mask: int
    limit: int = 255

    def pieces(self, write_words: int, read_words: int) -> Iterator[Piece]:
        """As :class:`Task`."""
        data = encode_command(Command.POLL, self.address, self.limit, self.mask.to_bytes(4, "little"))
        yield Piece(data, self.address, 0, 1, 1)
