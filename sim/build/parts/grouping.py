"""Which nodes of an edge make a part.

A part costs some ns each time that it is run, and its statements cost theirs. So nodes are joined that change
together: what was seen to (:mod:`mho.sim.build.parts.together`), then what reads the same, or of which one reads what
the other writes, the smallest first, which is known without a simulation.
"""

import heapq
from collections.abc import Sequence

from mho.sim.build.parts.clusters import Clusters
from mho.sim.build.parts.nodes import Node
from mho.sim.build.parts.together import number_of

__all__ = ["LARGEST", "group"]

LARGEST = 80
"""Cost of the largest part that is joined of nodes that are alike. From 60 to 150 it hardly matters."""
_MANY = 40
"""Of a variable that more parts read or write it does not follow that these change together."""
_HALF = 50
"""Cost of both parts at which it counts half that they are alike."""


def group(clusters: Clusters, nodes: Sequence[Node], local: set[str]) -> None:
    """Join nodes that share locals, all that write a variable if they can be, and nodes that are alike."""
    touching: dict[str, list[int]] = {}
    writing: dict[str, list[int]] = {}
    for k, node in enumerate(nodes):
        for name in (node.reads | node.writes) & local:
            touching.setdefault(name, []).append(k)
        for name in node.writes:
            writing.setdefault(name, []).append(k)
    for some in touching.values():
        clusters.join(clusters.between(some))
    for some in writing.values():
        between = clusters.between(some)
        if len(between) <= len(some):
            clusters.join(between)
    _Alike(clusters, nodes, local, _join_seen(clusters, nodes)).join()


def _join_seen(clusters: Clusters, nodes: Sequence[Node]) -> set[int]:
    """Join what was seen to change together; the clusters that came of it."""
    seen: dict[int, list[int]] = {}
    for k, node in enumerate(nodes):
        for number in {number_of(name) for name in node.writes}:
            if number is not None:
                seen.setdefault(number, []).append(k)
    joined = list[int]()
    for some in seen.values():
        first = some[0]
        for k in some[1:]:
            one, other = clusters.of[first], clusters.of[k]
            if one != other and clusters.may_join(one, other):
                clusters.join([one, other])
        joined.append(first)
    return {clusters.of[k] for k in joined}


class _Alike:
    """Joins parts by how much alike they are."""

    def __init__(self, clusters: Clusters, nodes: Sequence[Node], local: set[str], done: set[int]) -> None:
        self._clusters, self._done = clusters, done
        self._reads, self._writes = dict[int, set[str]](), dict[int, set[str]]()
        self._cost, self._version = dict[int, int](), dict[int, int]()
        self._users: dict[str, set[int]] = {}
        self._heap: list[tuple[float, int, int, int, int]] = []
        for k, members in clusters.members.items():
            self._reads[k] = {name for n in members for name in nodes[n].reads} - local
            self._writes[k] = {name for n in members for name in nodes[n].writes} - local
            self._cost[k] = sum(nodes[n].cost for n in members)
            self._version[k] = 0
            for name in self._reads[k] | self._writes[k]:
                self._users.setdefault(name, set()).add(k)

    def join(self) -> None:
        for k in self._reads.keys() - self._done:
            for other in self._near(k):
                if other < k:
                    self._offer(k, other)
        while self._heap:
            _, one, other, *versions = heapq.heappop(self._heap)
            if [self._version.get(one), self._version.get(other)] != versions:
                continue
            if self._cost[one] + self._cost[other] > LARGEST or not self._clusters.may_join(one, other):
                continue
            self._join(one, other)

    def _near(self, k: int) -> set[int]:
        names = self._reads[k] | self._writes[k]
        some = (self._users[name] for name in names)
        return {one for users in some if len(users) <= _MANY for one in users} - {k} - self._done

    def _offer(self, one: int, other: int) -> None:
        reads, others = self._reads[one], self._reads[other]
        passed = len(self._writes[one] & others) + len(self._writes[other] & reads)
        alike = (len(reads & others) + 2 * passed) / (len(reads | others) or 1)
        alike /= 1 + (self._cost[one] + self._cost[other]) / _HALF
        if alike > 0:
            heapq.heappush(self._heap, (-alike, one, other, self._version[one], self._version[other]))

    def _join(self, one: int, other: int) -> None:
        into = self._clusters.join([one, other])
        gone = one if into == other else other
        for name in self._reads[gone] | self._writes[gone]:
            self._users[name].discard(gone)
            self._users[name].add(into)
        self._reads[into] |= self._reads.pop(gone)
        self._writes[into] |= self._writes.pop(gone)
        self._cost[into] += self._cost.pop(gone)
        del self._version[gone]
        self._version[into] += 1
        for near in self._near(into):
            self._offer(into, near)
