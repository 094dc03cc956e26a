"""Nodes that are put together such that there is still an order of all."""

import heapq
from collections.abc import Iterable, Iterator

from mho.sim.build.parts.nodes import Graph

__all__ = ["Clusters"]


def _bits(some: int) -> Iterator[int]:
    while some:
        low = some & -some
        yield low.bit_length() - 1
        some ^= low


class Clusters:
    """A partition of the nodes of a graph without cycles, such that that of the clusters has none, either.

    Each cluster goes by the number of one of its nodes.
    """

    def __init__(self, graph: Graph) -> None:
        count = len(graph.after)
        self.members = {k: [k] for k in range(count)}
        self.of = list(range(count))
        self._behind, self._ahead = [0] * count, [0] * count
        for k in reversed(range(count)):
            for one in graph.after[k]:
                self._behind[k] |= 1 << one | self._behind[one]
        for k in range(count):
            for one in graph.before[k]:
                self._ahead[k] |= 1 << one | self._ahead[one]
        self._graph = graph

    def between(self, some: Iterable[int]) -> list[int]:
        """The clusters of some nodes, and all that must be both behind one of these and ahead of one."""
        mine = {self.of[k] for k in some}
        own = behind = ahead = 0
        for one in mine:
            own |= 1 << one
            behind |= self._behind[one]
            ahead |= self._ahead[one]
        return list(_bits(behind & ahead | own))

    def may_join(self, one: int, other: int) -> bool:
        """Whether nothing must be between two clusters."""
        own = 1 << one | 1 << other
        between = self._behind[one] & self._ahead[other] | self._behind[other] & self._ahead[one]
        return not between & ~own

    def join(self, some: Iterable[int]) -> int:
        """Make one of clusters between which nothing must be; its number."""
        into, *rest = sorted(some)
        own = behind = ahead = 0
        for one in (into, *rest):
            own |= 1 << one
            behind |= self._behind[one]
            ahead |= self._ahead[one]
        gone, mine = own & ~(1 << into), 1 << into
        behind &= ~own
        ahead &= ~own
        for one in _bits(ahead):
            self._behind[one] = (self._behind[one] | behind | mine) & ~gone
        for one in _bits(behind):
            self._ahead[one] = (self._ahead[one] | ahead | mine) & ~gone
        self._behind[into], self._ahead[into] = behind, ahead
        for one in rest:
            self.members[into] += self.members.pop(one)
        for k in self.members[into]:
            self.of[k] = into
        self.members[into].sort()
        return into

    def order(self) -> list[list[int]]:
        """The nodes of each cluster, each behind those that it must be behind; as early as they were otherwise."""
        before = self._graph.before
        left = {k: {self.of[one] for n in some for one in before[n]} - {k} for k, some in self.members.items()}
        behind: dict[int, list[int]] = {}
        for k, some in left.items():
            for one in some:
                behind.setdefault(one, []).append(k)
        ready = [(self.members[k][0], k) for k, some in left.items() if not some]
        heapq.heapify(ready)
        found = []
        while ready:
            _, k = heapq.heappop(ready)
            found.append(self.members[k])
            for one in behind.get(k, ()):
                left[one].discard(k)
                if not left[one]:
                    heapq.heappush(ready, (self.members[one][0], one))
        if len(found) != len(self.members):
            raise AssertionError("there is no order")
        return found
