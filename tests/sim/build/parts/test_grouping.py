"""Parts that nodes are joined to, in an order that keeps that of their statements."""

import random

import pytest

from mho.sim.build.parts.grouping import Clusters, group
from mho.sim.build.parts.nodes import Node, graph_of


def some_nodes(seed: int, count: int = 60) -> list[Node]:
    """Each reads and writes a few of twenty variables."""
    rng = random.Random(seed)
    names = [f"v{k}" for k in range(20)]

    def some(size: int) -> frozenset[str]:
        return frozenset(rng.sample(names, size))

    return [Node(k, frozenset({0}), some(2), some(1), 1, rng.random() < 0.05) for k in range(count)]


@pytest.mark.parametrize("seed", range(20))
def test_parts_keep_the_order_of_what_depends_on_each_other(seed: int) -> None:
    nodes = some_nodes(seed)
    graph = graph_of(nodes)
    clusters = Clusters(graph)
    group(clusters, nodes, {"v3"})
    parts = clusters.order()
    place = {k: (n, k) for n, part in enumerate(parts) for k in part}
    assert sorted(place) == list(range(len(nodes)))
    assert len(parts) < len(nodes)
    assert all(place[earlier] < place[k] for k, part in enumerate(graph.before) for earlier in part)
    assert all(part == sorted(part) for part in parts)
    local = {place[k][0] for k, node in enumerate(nodes) if "v3" in node.reads | node.writes}
    assert len(local) == 1


def test_what_must_be_between_two_keeps_them_apart() -> None:
    def node(reads: str, writes: str) -> Node:
        return Node(0, frozenset({0}), frozenset(reads), frozenset(writes), 1, False)

    clusters = Clusters(graph_of([node("a", "b"), node("b", "c"), node("c", "d")]))
    assert not clusters.may_join(0, 2)
    assert clusters.between([0, 2]) == [0, 1, 2]
    assert clusters.join([0, 1]) == 0
    assert clusters.may_join(0, 2)
