"""Trees of ``ai.onnx.ml`` before they are walked: that each walk ends, and after how many nodes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Walks", "steps_of_indexed_trees", "steps_of_trees"]

DEEPEST = 500
"""Nodes from a root to a leaf: evaluations of some go down by calls of calls."""
MOST_NODES = 1 << 22
"""Nodes of all trees, where those that several branches share count for each."""


@dataclass(frozen=True)
class Walks:
    """Nodes of all trees, and those that one row of features meets at most."""

    nodes: int
    walked: int


def _walks(roots: Sequence[int], children: Callable[[int], Sequence[int]]) -> Walks:
    """Of trees whose nodes are numbers, leaves those without children."""
    depth: dict[int, int] = {}
    size: dict[int, int] = {}
    for root in roots:
        stack, within = [(root, False)], set[int]()
        while stack:
            node, done = stack.pop()
            if done:
                below = children(node)
                depth[node] = 1 + max((depth[c] for c in below), default=0)
                size[node] = 1 + sum(size[c] for c in below)
                within.discard(node)
                if depth[node] > DEEPEST or size[node] > MOST_NODES:
                    raise ValueError(f"a tree has more than {DEEPEST} nodes one below the other or {MOST_NODES} in all")
            elif node in within:
                raise ValueError("a node of its trees is below itself")
            elif node not in depth:
                within.add(node)
                stack.append((node, True))
                stack += [(child, False) for child in children(node)]
    nodes = sum(size[root] for root in roots)
    if nodes > MOST_NODES:
        raise ValueError(f"its trees have {nodes} nodes; at most {MOST_NODES} are supported")
    return Walks(nodes, sum(depth[root] for root in roots))


def steps_of_trees(attrs: Mapping[str, Any]) -> Walks:
    """Of TreeEnsembleClassifier and TreeEnsembleRegressor, whose nodes have the numbers of a tree and a node.

    Raises
    ------
    ValueError
        If a walk does not end, or not soon.
    """
    trees, names, modes, yes, no = (
        list(attrs.get(f"nodes_{name}", ())) for name in ("treeids", "nodeids", "modes", "truenodeids", "falsenodeids")
    )
    if len({len(trees), len(names), len(modes), len(yes), len(no)}) != 1:
        raise ValueError("its nodes have not as many numbers each")
    place = {pair: k for k, pair in enumerate(zip(trees, names, strict=True))}
    roots: dict[int, int] = {}
    for k, tree in enumerate(trees):
        roots.setdefault(tree, k)

    def children(k: int) -> list[int]:
        if modes[k] in (b"LEAF", "LEAF"):
            return []
        return [place[trees[k], to] for to in (yes[k], no[k]) if (trees[k], to) in place]

    return _walks(list(roots.values()), children)


def steps_of_indexed_trees(attrs: Mapping[str, Any]) -> Walks:
    """Of TreeEnsemble, whose branches are numbers of nodes or of leaves. It makes each tree anew: see :func:`_walks`.

    Raises
    ------
    ValueError
        If a walk does not end, or not soon.
    """
    yes, no, yes_leaf, no_leaf = (
        [int(v) for v in attrs.get(f"nodes_{name}", ())]
        for name in ("truenodeids", "falsenodeids", "trueleafs", "falseleafs")
    )
    if len({len(yes), len(no), len(yes_leaf), len(no_leaf)}) != 1:
        raise ValueError("its nodes have not as many numbers each")

    def children(k: int) -> list[int]:
        branches = ((yes[k], yes_leaf[k]), (no[k], no_leaf[k]))
        if any(not leaf and not 0 <= to < len(yes) for to, leaf in branches):
            raise ValueError("a branch of its trees leads to a node that there is not")
        return [to for to, leaf in branches if not leaf]

    roots = [int(v) for v in attrs.get("tree_roots", ())]
    if any(not 0 <= root < len(yes) for root in roots):
        raise ValueError("a root of its trees is a node that there is not")
    return _walks(roots, children)
