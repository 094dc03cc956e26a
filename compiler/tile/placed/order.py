"""In which order a tile carries out its nodes: that of an untimed run, in loops.

One run of the whole graph fires the node that is furthest behind the input as soon as what it takes is there. A layer
waits for a little more than it needs of what is made on its own tile (:func:`_early`): its products then need nothing
that is computed behind those of the position before, and the core goes on while vectors of that position are computed.
Every tile takes its part of that order: since the run got to its end, nothing gets stuck in it, and rings hold little.
The order is then written in loops; where that takes more instructions than a tile has, it does its nodes one after the
other, each for a whole image, and the run is made anew.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from compiler.program import Call
from compiler.tile.graph.graph import Graph
from hw.tile.walk import Walk

__all__ = ["MOST_DEPTH", "Loop", "Steps", "firings", "in_loops", "unrolled"]

MOST_DEPTH = 3
"""Loops within each other, without the one that never ends."""
ALL = 1 << 30
"""More pixels than an image has."""
MOST_PERIOD = 48
"""Steps of the longest body that is looked for."""


@dataclass(frozen=True)
class Loop:
    """Steps that come ``times`` times; a step is the number of a node, or a loop."""

    times: int
    body: "Steps"


Steps = tuple["int | Loop", ...]


def firings(graph: Graph, members: Sequence[tuple[str, ...]], whole: frozenset[str] = frozenset()) -> Mapping[
        str, list[int]]:
    """The nodes of each tile in the order of an untimed run of an image; tiles in ``whole`` do them one by one.

    Behind the last position of a node that holds a value comes its number and that of all nodes: it gives it back.
    """
    makers = {v: k for k, node in enumerate(graph.nodes) for v in node.values}
    needs = [_needs(graph, k, makers, members) for k in range(len(graph.nodes))]
    positions = [node.firings for node in graph.nodes]
    before = [[j for j in range(k) if whole & set(members[j]) & set(members[k])] for k in range(len(graph.nodes))]
    fired, made = [0] * len(graph.nodes), [0] * len(graph.nodes)
    order: dict[str, list[int]] = {tile: [] for some in members for tile in some}

    def ready(k: int) -> bool:
        at = fired[k]
        return at < positions[k] and all(made[j] >= need[at] for j, need in needs[k]) and all(
            fired[j] == positions[j] for j in before[k])

    left = sum(positions)
    while left:
        k = next(k for k in reversed(range(len(positions))) if ready(k))
        fired[k], left = fired[k] + 1, left - 1
        made[k] = ALL if graph.nodes[k].whole else made[k] + 1
        for tile in members[k]:
            order[tile].append(k)
        if fired[k] == positions[k] and graph.held(k):
            order[members[k][0]].append(len(positions) + k)
    return order


def _needs(
    graph: Graph, k: int, makers: Mapping[int, int], members: Sequence[tuple[str, ...]]
) -> list[tuple[int, list[int]]]:
    """Nodes that make what a node takes, and how many pixels of it each of its firings waits for."""
    node, walk, found = graph.nodes[k], graph.nodes[k].walk, list[tuple[int, list[int]]]()
    each = np.arange(1, walk.positions + 1)
    # What it gives back has to have come.
    main = np.maximum(walk.need, walk.low[1:]) if node.head is not None else each
    maker = makers.get(node.source)
    layer = node.head is not None and isinstance(graph.program.stages[node.head].operation, Call)
    if layer and maker is not None and not graph.nodes[maker].whole and set(members[k]) & set(members[maker]):
        main = _early(walk, main)
    for n, v in enumerate(node.taken):
        pixels = graph.values[v].image.pixels
        if v in makers and node.whole:
            found.append((makers[v], [pixels]))
        elif v in makers:
            of = main.tolist() if n == 0 else each.tolist() if pixels > 1 else [1] * walk.positions
            found.append((makers[v], of))
    return found


def _early(walk: Walk, needs: NDArray[np.integer]) -> NDArray[np.integer]:
    """Pixels that are there before each position of a layer, more than it needs.

    Where there are as many positions as pixels, they are made one at a position: those that the next row begins with
    are made in time. Else as many more as the window is wide.
    """
    if walk.positions == walk.image:
        places = np.arange(walk.positions)
        needs = places + (needs - places).max() + 1
    else:
        needs = needs + walk.kernel_x
    return np.minimum(needs, walk.image)


def in_loops(order: Sequence[int], depth: int = MOST_DEPTH) -> Steps:
    """The same order with what repeats in loops, at most ``depth`` within each other."""
    runs = [(number, len(list(same))) for number, same in groupby(order)]
    steps: Steps = tuple(Loop(times, (number,)) if times > 1 else number for number, times in runs)
    # What is too long for a body may be short once it is folded itself.
    while (made := _folded(steps, depth)) != steps:
        steps = made
    return steps


def unrolled(steps: Steps) -> list[int]:
    """The order that loops stand for."""
    found: list[int] = []
    for step in steps:
        found += unrolled(step.body) * step.times if isinstance(step, Loop) else [step]
    return found


def _depth(step: int | Loop) -> int:
    return 1 + max(map(_depth, step.body)) if isinstance(step, Loop) else 0


def _folded(steps: Steps, depth: int) -> Steps:
    """Repetitions side by side as loops: the one that holds most steps first, then what is around and in it."""
    numbers: dict[int | Loop, int] = {}
    keys = [numbers.setdefault(step, len(numbers)) for step in steps]
    at, size, times = _longest(keys, [_depth(step) < depth for step in steps])
    if times < 2:
        return steps
    loop = Loop(times, _folded(steps[at : at + size], depth - 1))
    return (*_folded(steps[:at], depth), loop, *_folded(steps[at + size * times :], depth))


def _longest(keys: Sequence[int], fit: Sequence[bool]) -> tuple[int, int, int]:
    """Place, size and times of the repetition that holds most; of several the shortest body, the earliest place.

    Steps that do not ``fit`` are loops within as many others as there may be.
    """
    best = (0, 1, 1)
    for size in range(1, min(MOST_PERIOD, len(keys) // 2) + 1):
        alike = 0
        for at in range(len(keys) - size - 1, -1, -1):
            alike = alike + 1 if keys[at] == keys[at + size] and fit[at] else 0
            times = 1 + alike // size
            held = size * times
            if times > 1 and (held > best[1] * best[2] or (held == best[1] * best[2] and size == best[1])):
                best = at, size, times
    return best
