"""Reads of a tile's buffer with time: one a cycle, those for the core before those of the vector unit."""

from collections import deque

from mho.hw.tile.timing.clock import Clock, Process

_KEPT = 256
"""Reads that are remembered: more than two products have, and no vector operation waits for more."""


class BufferReads:
    """Who reads the buffer when.

    Attributes
    ----------
    operands_until
        The first cycle in which the vector unit does not read any more.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock, self._codes, self.operands_until = clock, deque([0], _KEPT), 0

    @property
    def codes_until(self) -> int:
        """The first cycle in which nothing is read for the core any more, of what is known."""
        return self._codes[-1] + 1

    def codes(self, count: int, first: int) -> None:
        """So many words are read for the core, one a cycle, behind those before and from a cycle on."""
        begin = max(first, self.codes_until)
        self._codes += range(begin, begin + count)

    def operands(self, count: int) -> Process:
        """The vector unit reads in so many cycles from the next one on in which nothing is read for the core."""
        while count:
            start = self._clock.now
            self.operands_until = start + 1 + count
            yield count
            # What was read for the core meanwhile may not have been known before.
            count = sum(start < read <= self._clock.now for read in self._codes)
