"""Which nodes of an edge make a part.

A part costs some ns each time that it is run, and its statements cost theirs. So nodes are joined that are
likely to change together: what reads the same, or of which one reads what the other writes, the smallest first.
"""

import heapq
from collections.abc import Iterable, Iterator, Sequence

from mho.sim.build.parts.nodes import Graph, Node


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
    for numbers in touching.values():
        clusters.join(clusters.between(numbers))
    for numbers in writing.values():
        between = clusters.between(numbers)
        if len(between) <= len(numbers):
            clusters.join(between)
    _Alike(clusters, nodes, local).join()


class _Alike:
    """Joins parts by how much alike they are."""

    def __init__(self, clusters: Clusters, nodes: Sequence[Node], local: set[str]) -> None:
        self._clusters = clusters
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
        for k in self._reads:
            for right in self._near(k):
                if right < k:
                    self._offer(k, right)
        while self._heap:
            _, left, right, *versions = heapq.heappop(self._heap)
            if [self._version.get(left), self._version.get(right)] != versions:
                continue
            if self._cost[left] + self._cost[right] > LARGEST or not self._clusters.may_join(left, right):
                continue
            self._join(left, right)

    def _near(self, k: int) -> set[int]:
        names = self._reads[k] | self._writes[k]
        users_of = (self._users[name] for name in names)
        return {user for users in users_of if len(users) <= _MANY for user in users} - {k}

    def _offer(self, left: int, right: int) -> None:
        reads, right_reads = self._reads[left], self._reads[right]
        passed = len(self._writes[left] & right_reads) + len(self._writes[right] & reads)
        alike = (len(reads & right_reads) + 2 * passed) / (len(reads | right_reads) or 1)
        alike /= 1 + (self._cost[left] + self._cost[right]) / _HALF
        if alike > 0:
            heapq.heappush(self._heap, (-alike, left, right, self._version[left], self._version[right]))

    def _join(self, left: int, right: int) -> None:
        into = self._clusters.join([left, right])
        gone = left if into == right else right
        for name in self._reads[gone] | self._writes[gone]:
            self._users[name].discard(gone)
            self._users[name].add(into)
        self._reads[into] |= self._reads.pop(gone)
        self._writes[into] |= self._writes.pop(gone)
        self._cost[into] += self._cost.pop(gone)
        del self._version[gone]
        self._version[into] += 1
        for right in self._near(into):
            self._offer(into, right)
