"""What an engine has taken and not yet carried out, with time."""

from collections import deque
from dataclasses import dataclass
from typing import Generic, TypeVar

from mho.hw.tile.timing.clock import Clock, Notice, Process

T = TypeVar("T")


@dataclass
class _Entry(Generic[T]):
    what: T
    reads: int
    there: int


class Queue(Generic[T]):
    """A row of registers, as :class:`mho.hw.tile.rtl.engines.issue_queue.IssueQueue`.

    Parameters
    ----------
    clock, depth
        The clock, and how many there are.

    Attributes
    ----------
    changed
        One came or went.
    """

    def __init__(self, clock: Clock, depth: int) -> None:
        self._clock, self._depth = clock, depth
        self._entries: deque[_Entry[T]] = deque()
        self._gone = -1
        self.changed = Notice()

    @property
    def busy(self) -> bool:
        """There is one."""
        return bool(self._entries)

    @property
    def full(self) -> bool:
        """No room for another."""
        return len(self._entries) >= self._depth

    @property
    def reads(self) -> int:
        """Streams that they read, a bit each."""
        streams = 0
        for entry in self._entries:
            streams |= entry.reads
        return streams

    def put(self, what: T, reads: int) -> None:
        """One is taken in this cycle."""
        now = self._clock.now
        self._entries.append(_Entry(what, reads, now + self._depth))
        self._clock.tell(self.changed)

    def oldest(self) -> "Process":
        """Wait until the oldest one is at the front."""
        while not self._entries:
            yield self.changed
        yield max(0, self._entries[0].there - self._clock.now, self._gone + 1 - self._clock.now)

    @property
    def front(self) -> T:
        """The oldest one."""
        return self._entries[0].what

    def go(self) -> None:
        """The oldest one goes in this cycle."""
        self._gone = self._clock.now
        self._entries.popleft()
        self._clock.tell(self.changed)
