"""What each operator of the domain ``ai.onnx.ml`` makes at most, and costs: see :mod:`.bounds`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mho.compiler.model.operators.bounds import LOOP, Array, Bound, Rule, Taken, size_of, solid
from mho.compiler.model.operators.rules import made

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

    Raises ValueError if a walk does not end, or not soon.
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

    Raises ValueError if a walk does not end, or not soon.
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


def _rows(x: Array) -> int:
    return solid(x.shape[:1]) if x.ndim > 1 else 1


def _of_classes(t: Taken) -> Bound:
    """Scores of classes, or targets, for each row: products with what the attributes hold."""
    longest = max((len(v) for v in t.attrs.values() if isinstance(v, (list, tuple))), default=1)
    targets = max(1, int(t.attrs.get("targets", 1)))
    if targets > 1 + longest:
        raise ValueError(f"it has {targets} targets and fewer numbers")
    size = _rows(t[0]) * max(longest, targets)
    return Bound(2 * size, LOOP * size, 3 * size + size_of(t[0]))


def _support_vectors(t: Taken) -> Bound:
    vectors = max(1, len(t.attrs.get("support_vectors", ())), len(t.attrs.get("coefficients", ())))
    labels = len(t.attrs.get("classlabels_ints", ())) + len(t.attrs.get("classlabels_strings", ()))
    size = _rows(t[0]) * (1 + max(labels, 1) ** 2)
    return Bound(size, 4 * LOOP * (_rows(t[0]) * vectors + size), size + _rows(t[0]) * vectors)


def _per_element(ns: float, growth: Callable[[Taken], int] = lambda t: 1) -> Rule:
    def rule(t: Taken) -> Bound:
        size = size_of(t[0]) * max(1, growth(t))
        return Bound(16 * size, ns * size, 2 * size)
    return rule


def _longest(*names: str) -> Callable[[Taken], int]:
    """Of attributes with these names how long the longest is."""
    return lambda t: max((len(t.attrs.get(name, ())) for name in names), default=1)


def _trees(t: Taken) -> Bound:
    if t.node.op_type == "TreeEnsemble":
        steps, targets = steps_of_indexed_trees(t.attrs), max(1, int(t.attrs.get("n_targets", 1)))
    else:
        steps, targets = steps_of_trees(t.attrs), max(1, int(t.attrs.get("n_targets", 1)),
                                                      _longest("classlabels_int64s", "classlabels_strings")(t))
    size = _rows(t[0]) * targets
    return Bound(2 * size, LOOP * _rows(t[0]) * steps.walked + 1000.0 * steps.nodes + 10 * size, 3 * size + steps.nodes)


BOUNDS_ML: dict[str, Rule] = {
    **dict.fromkeys(("LinearClassifier", "LinearRegressor"), _of_classes),
    **dict.fromkeys(("SVMClassifier", "SVMRegressor"), _support_vectors),
    **dict.fromkeys(("TreeEnsemble", "TreeEnsembleClassifier", "TreeEnsembleRegressor"), _trees),
    "ArrayFeatureExtractor": made(lambda t: _rows(t[0]) * size_of(t[1]), 100),
    "Binarizer": _per_element(200), "Normalizer": _per_element(200), "LabelEncoder": _per_element(2 * LOOP),
    "Imputer": _per_element(200, _longest("imputed_value_floats", "imputed_value_int64s")),
    "Scaler": _per_element(200, _longest("offset", "scale")),
    "OneHotEncoder": _per_element(LOOP, _longest("cats_int64s", "cats_strings")),
    "FeatureVectorizer": made(lambda t: max(map(_rows, t.there)) * solid(
        [sum(abs(int(n)) for n in t.attrs.get("inputdimensions", ()))]) + size_of(*t.there), 100),
}
"""Operators that may run: what each makes at most."""
