"""Processes that wait for cycles and for each other."""

from collections.abc import Callable, Generator
from heapq import heappop, heappush
from typing import Any

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
        # Cycles in which something happens, and what, of each rank in the order in which it was asked for.
        self._heap: list[int] = []
        self._cycles: dict[int, tuple[list[Any], ...]] = {}

    def start(self, process: Process, *, serves: bool = False) -> None:
        """Let a process begin in this cycle; with ``serves`` it sees what all others ask for in a cycle."""
        self._in(self.now)[_SERVERS if serves else _STATES].append(process)

    def at(self, cycle: int, change: Callable[[], None]) -> None:
        """A change that all see from ``cycle`` on."""
        if cycle not in self._cycles:
            self._in(cycle)
        changes = self._cycles[cycle][_CHANGES]
        changes += [change]

    def tell(self, notice: Notice) -> None:
        """Those that wait for it go on in this cycle."""
        if notice.waiting:
            waiting, notice.waiting = notice.waiting, []
            if self.now not in self._cycles:
                self._in(self.now)
            these = self._cycles[self.now]
            for rank, process in waiting:
                later = these[rank]
                later += [process]

    def run(self, until: Callable[[], bool], limit: int) -> bool:
        """Go on until ``until`` holds, nothing happens any more or cycle ``limit`` is reached; whether it holds."""
        heap, cycles = self._heap, self._cycles
        while heap and not until() and heap[0] <= limit:
            self.now = cycle = heappop(heap)
            changes, states, servers = cycles[cycle]
            state = server = 0
            # What comes for this cycle meanwhile is done in it, the lower ranks first. A prediction spends most of its
            # time here: nothing is called in this loop but changes and processes.
            while True:
                for change in changes:
                    change()
                del changes[:]
                try:
                    process, rank, state = states[state], _STATES, state + 1
                except IndexError:
                    try:
                        process, rank, server = servers[server], _SERVERS, server + 1
                    except IndexError:
                        break
                for wakes in process:
                    if wakes.__class__ is Notice:
                        wakes.waiting += [(rank, process)]
                    else:
                        if (at := cycle + wakes) not in cycles:
                            self._in(at)
                        later = cycles[at][rank]
                        later += [process]
                    break
            del cycles[cycle]
        return until()

    def _in(self, cycle: int) -> tuple[list[Any], ...]:
        """What happens in a cycle."""
        these = self._cycles.get(cycle)
        if these is None:
            self._cycles[cycle] = these = [], [], []
            heappush(self._heap, cycle)
        return these
