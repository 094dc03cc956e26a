"""Accesses of any length, cut into the commands of the host link."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from mho.hw.host.link.format import Command, encode_command


@dataclass(frozen=True)
class Piece:
    """What one request can hold of an access: a command, where it begins and how far it steps, the words it moves."""

    data: bytes
    address: int
    step: int
    words: int
    reply_words: int


@dataclass(frozen=True)
class Read:
    """Read ``count`` words from ``address`` on, or all from the same address."""

    address: int
    count: int = 1
    increment: bool = True

    @property
    def size(self) -> int:
        """Words that it moves."""
        return self.count

    def pieces(self, limit: Callable[[], int]) -> Iterator[Piece]:
        """Cut into commands that each move at most as many words as ``limit()`` then says."""
        step, first = 4 if self.increment else 0, 0
        while first < self.count:
            count, address = min(limit(), 255, self.count - first), self.address + step * first
            data = encode_command(Command.READ, address, count, increment=self.increment)
            yield Piece(data, address, step, count, count)
            first += count


@dataclass(frozen=True)
class Write:
    """Write ``words`` from ``address`` on, or all to the same address; ``strobe``: which bytes of each word."""

    address: int
    words: ArrayLike
    increment: bool = True
    strobe: int = 0xF

    @property
    def size(self) -> int:
        """Words that it moves."""
        return np.size(self.words)

    def pieces(self, limit: Callable[[], int]) -> Iterator[Piece]:
        """Cut into commands that each move at most as many words as ``limit()`` then says."""
        step, first = 4 if self.increment else 0, 0
        words = np.atleast_1d(np.asarray(self.words)).astype("<u4", casting="unsafe")
        while first < len(words):
            part, address = words[first : first + min(limit(), 255)], self.address + step * first
            data = encode_command(
                Command.WRITE, address, len(part), part.tobytes(), increment=self.increment, strobe=self.strobe
            )
            yield Piece(data, address, step, len(part), 0)
            first += len(part)


@dataclass(frozen=True)
class Poll:
    """Read the word at ``address`` until it has a bit of ``mask``, at most ``256 * limit`` times (limit 1 to 255)."""

    address: int
    mask: int
    limit: int = 255

    @property
    def size(self) -> int:
        """Words that it moves."""
        return 1

    def pieces(self, limit: Callable[[], int]) -> Iterator[Piece]:
        """Cut into commands that each move at most as many words as ``limit()`` then says."""
        data = encode_command(Command.POLL, self.address, self.limit, self.mask.to_bytes(4, "little"))
        yield Piece(data, self.address, 0, 1, 1)


Task = Read | Write | Poll
"""A command, of any length."""
