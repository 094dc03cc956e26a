"""Nodes that are put together such that there is still an order of all."""

import heapq
from collections.abc import Iterable, Iterator

from mho.sim.build.parts.nodes import Graph

__all__ = ["Clusters"]


def _bits(mask: int) -> Iterator[int]:
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


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
            for neighbour in graph.after[k]:
                self._behind[k] |= 1 << neighbour | self._behind[neighbour]
        for k in range(count):
            for neighbour in graph.before[k]:
                self._ahead[k] |= 1 << neighbour | self._ahead[neighbour]
        self._graph = graph

    def between(self, members: Iterable[int]) -> list[int]:
        """The clusters of some nodes, and all that must be both behind one of these and ahead of one."""
        mine = {self.of[k] for k in members}
        bits = behind = ahead = 0
        for member in mine:
            bits |= 1 << member
            behind |= self._behind[member]
            ahead |= self._ahead[member]
        return list(_bits(behind & ahead | bits))

    def may_join(self, first: int, second: int) -> bool:
        """Whether nothing must be between two clusters."""
        bits = 1 << first | 1 << second
        between = self._behind[first] & self._ahead[second] | self._behind[second] & self._ahead[first]
        return not between & ~bits

    def join(self, clusters: Iterable[int]) -> int:
        """Make one of clusters between which nothing must be; its number."""
        into, *rest = sorted(clusters)
        bits = behind = ahead = 0
        for cluster in (into, *rest):
            bits |= 1 << cluster
            behind |= self._behind[cluster]
            ahead |= self._ahead[cluster]
        gone, mine = bits & ~(1 << into), 1 << into
        behind &= ~bits
        ahead &= ~bits
        for cluster in _bits(ahead):
            self._behind[cluster] = (self._behind[cluster] | behind | mine) & ~gone
        for cluster in _bits(behind):
            self._ahead[cluster] = (self._ahead[cluster] | ahead | mine) & ~gone
        self._behind[into], self._ahead[into] = behind, ahead
        for cluster in rest:
            self.members[into] += self.members.pop(cluster)
        for k in self.members[into]:
            self.of[k] = into
        self.members[into].sort()
        return into

    def order(self) -> list[list[int]]:
        """The nodes of each cluster, each behind those that it must be behind; as early as they were otherwise."""
        before = self._graph.before
        left = {k: {self.of[node] for n in nodes for node in before[n]} - {k} for k, nodes in self.members.items()}
        behind: dict[int, list[int]] = {}
        for k, waiting in left.items():
            for cluster in waiting:
                behind.setdefault(cluster, []).append(k)
        ready = [(self.members[k][0], k) for k, waiting in left.items() if not waiting]
        heapq.heapify(ready)
        order = []
        while ready:
            _, k = heapq.heappop(ready)
            order.append(self.members[k])
            for cluster in behind.get(k, ()):
                left[cluster].discard(k)
                if not left[cluster]:
                    heapq.heappush(ready, (self.members[cluster][0], cluster))
        if len(order) != len(self.members):
            raise AssertionError("there is no order")
        return order
