"""Processes that wait for cycles and for each other."""

from collections.abc import Callable, Generator
from heapq import heappop, heappush
from typing import Any

__all__ = ["Clock", "Notice", "Process"]

Process = Generator["int | Notice", None, None]
"""Yields cycles after which it goes on, or a notice that it waits for: then it goes on in that cycle, and asks anew."""

_CHANGES, _STATES, _SERVERS = range(3)
"""What happens in a cycle: changes of the cycle before are seen, then states of engines, then those that serve them."""


class Notice:
    """What processes wait for."""

    __slots__ = ("waiting",)

    def __init__(self) -> None:
        self.waiting: list[tuple[int, Process]] = []


class Clock:
    """Cycles, and what happens in them.

    Attributes
    ----------
    now
        The cycle.
    """

    def __init__(self) -> None:
        self.now = 0
        self._count = 0
        self._heap: list[tuple[int, int, int, Any]] = []

    def start(self, process: Process, *, serves: bool = False) -> None:
        """Let a process begin in this cycle; with ``serves`` it sees what all others ask for in a cycle."""
        self._put(self.now, _SERVERS if serves else _STATES, process)

    def at(self, cycle: int, change: Callable[[], None]) -> None:
        """A change that all see from ``cycle`` on."""
        self._put(cycle, _CHANGES, change)

    def tell(self, notice: Notice) -> None:
        """Those that wait for it go on in this cycle."""
        waiting, notice.waiting = notice.waiting, []
        for rank, process in waiting:
            self._put(self.now, rank, process)

    def run(self, until: Callable[[], bool], limit: int) -> bool:
        """Go on until ``until`` holds, nothing happens any more or cycle ``limit`` is reached; whether it holds."""
        while self._heap and not until():
            cycle, rank, _, what = heappop(self._heap)
            if cycle > limit:
                break
            self.now = cycle
            if rank == _CHANGES:
                what()
                continue
            found = next(what, None)
            if isinstance(found, Notice):
                found.waiting.append((rank, what))
            elif found is not None:
                self._put(cycle + found, rank, what)
        return until()

    def _put(self, cycle: int, rank: int, what: object) -> None:
        self._count += 1
        heappush(self._heap, (cycle, rank, self._count, what))
