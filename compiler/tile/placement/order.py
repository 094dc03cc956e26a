"""In which order a tile carries out its nodes: that of an untimed run, in loops.

One run of the whole graph fires the node that is furthest behind the input as soon as what it takes is there. A layer
waits for a little more than it needs of what is made on its own tile (:func:`early`): its products then need nothing
that is computed behind those of the position before, and the core goes on while vectors of that position are computed.
Every tile takes its part of that order: since the run got to its end, nothing gets stuck in it, and rings hold little.
The order is then written in loops; where that takes more instructions than a tile has, it does its nodes one after the
other, each for a whole image, and the run is made anew.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import groupby

import numpy as np

from mho.compiler.tile.graph.graph import Graph, Node
from mho.hw.tile.isa.window import SlidingWindow
from mho.macro_models.types import Integral

MOST_DEPTH = 3
"""Loops within each other, without the one that never ends."""
HELD = 2048
"""Bytes of a ring up to which pixels are made in step with a layer that takes several rows at a time."""
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


class Part(IntEnum):
    """What of a node fires: all of a position, its products, the rest; what was held is given back.

    Pixels that a walk leaves out are given back at the beginning of an image; from ``TURN`` on are the values whose
    pixels are taken in turn, and the copies to which images are dealt, each a part of its own.
    """

    ALL, RELEASE, PRODUCTS, REST, BEGIN, TURN = range(6)


IMAGE = -1
"""Number of what ends an image, in an order of several."""
MOST_AHEAD = 2
"""Products that a tile may have begun and not drained."""


def firings(
    graph: Graph, members: Sequence[tuple[str, ...]], whole: frozenset[str] = frozenset(),
    joined: frozenset[str] = frozenset(), image: int = 0,
) -> Mapping[str, list[int]]:
    """What each tile does in the order of an untimed run of an image: numbers of nodes, with their part.

    Which ``image`` it is counts where copies of a layer are dealt images.

    A number is that of the node and so many times that of all nodes as its part says. Tiles in ``whole`` do nodes one
    by one. Where nothing else speaks against it (:func:`_apart`; ``joined`` are tiles that have no room for it),
    products are begun ahead of what finishes the one before, so that the array does not wait for vectors. Behind the
    last position of a node that holds a value comes its :attr:`Part.RELEASE`.
    """
    return _Run(graph, members, whole, joined, image).order()


class _Run:
    """An untimed run of an image: what is ready and furthest behind the input fires."""

    def __init__(
        self, graph: Graph, members: Sequence[tuple[str, ...]], whole: frozenset[str], joined: frozenset[str],
        image: int,
    ) -> None:
        makers = {v: k for k, node in enumerate(graph.nodes) for v in node.values}
        nodes = range(len(graph.nodes))
        self.graph, self.members = graph, members
        self.needs = [_needs(graph, k, makers, members, image) for k in nodes]
        # Copies that are dealt images do nothing in those of others.
        self.positions = [node.firings if _own(graph, k, image) else 0 for k, node in enumerate(graph.nodes)]
        self.before = [[j for j in range(k) if whole & set(members[j]) & set(members[k])] for k in nodes]
        self.apart = [_apart(graph, k) and not (whole | joined) & set(members[k]) for k in nodes]
        self.layers = [graph.call(k) is not None for k in nodes]
        self.taken = [_taken(graph.nodes[k], image) for k in nodes]
        self.begun, self.fired, self.made = ([0] * len(nodes) for _ in range(3))
        self.ahead: dict[str, list[int]] = {tile: [] for tiles in members for tile in tiles}
        self.found: dict[str, list[int]] = {tile: [] for tiles in members for tile in tiles}

    def order(self) -> Mapping[str, list[int]]:
        """Until all have fired."""
        nodes = range(len(self.positions))
        left = sum(self.positions)
        while left:
            part, k = next(
                ((part, k) for late in (False, True) for k in reversed(nodes) if (part := self._ready(k, late=late))
                 is not None), (None, 0))
            assert part is not None
            left -= part != Part.PRODUCTS
            self._fire(k, part)
        return self.found

    def _ready(self, k: int, *, late: bool) -> "Part | None":
        """What a node may do; ``late``: finish a product though its tile could begin another one."""
        begun, tiles = self.begun[k], self.members[k]
        can = begun < self.positions[k] and all(self.fired[j] == self.positions[j] for j in self.before[k])
        if not self.apart[k]:
            free = not self.layers[k] or not any(self.ahead[tile] for tile in tiles)
            return Part.ALL if can and free and self._there(k, self.needs[k], begun) else None
        room = all(len(self.ahead[tile]) < MOST_AHEAD for tile in tiles)
        if can and room and self._there(k, self.needs[k][:1], begun):
            return Part.PRODUCTS
        oldest = all(self.ahead[tile] and self.ahead[tile][0] == k for tile in tiles)
        full = late or any(len(self.ahead[tile]) == MOST_AHEAD for tile in tiles)
        return Part.REST if oldest and full and self._there(k, self.needs[k][1:], self.fired[k]) else None

    def _there(self, k: int, needs: Sequence["_Need"], at: int) -> bool:
        return all(self.made[maker] >= pixels[at] for need in needs for maker, pixels in need.of)

    def _fire(self, k: int, part: "Part") -> None:
        tiles, count = self.members[k], len(self.positions)
        turns = self.taken[k]
        number = k + count * (Part.TURN + turns[self.fired[k]] if turns else part)
        begins = [k + count * Part.BEGIN] if not self.begun[k] and self.graph.left_out(k) else []
        for tile in tiles:
            self.found[tile] += [*begins, number]
        if part != Part.REST:
            self.begun[k] += 1
        for tile in tiles if self.apart[k] else ():
            if part == Part.PRODUCTS:
                self.ahead[tile].append(k)
            else:
                self.ahead[tile].pop(0)
        if part == Part.PRODUCTS:
            return
        self.fired[k] += 1
        self.made[k] = ALL if self.graph.nodes[k].whole else self.made[k] + 1
        if self.fired[k] == self.positions[k] and self.graph.held(k):
            self.found[tiles[0]].append(k + count * Part.RELEASE)


def _taken(node: Node, image: int) -> Sequence[int]:
    """Which of its values, or of the pixels of one, a node takes at each position, where that differs."""
    if node.pixels:
        return range(node.walk.positions)
    count = node.dealt or node.deals
    return node.turns or ((image % count,) * node.firings if count else ())


def _own(graph: Graph, k: int, image: int) -> bool:
    """Whether a node has a part in an image."""
    call = graph.dealt(k)
    return call is None or image % call.turns == call.turn


def _apart(graph: Graph, k: int) -> bool:
    """Whether the products of a node may begin ahead: one on each tile, at several positions."""
    call = graph.call(k)
    if call is None or graph.nodes[k].walk.positions == 1:
        return False
    mvms = graph.program.layers[call.layer].mvms
    return len({mvm.core for mvm in mvms}) == len(mvms)


@dataclass(frozen=True)
class _Need:
    """How many pixels of which nodes each firing of a node waits for, so that it has one of its values.

    Of the network's input there is all. What the host makes on the way is there when all is that the host takes.
    """

    of: tuple[tuple[int, Sequence[int]], ...]


def _needs(
    graph: Graph, k: int, makers: Mapping[int, int], members: Sequence[tuple[str, ...]], image: int
) -> list[_Need]:
    """What a node waits for, of each value that it takes."""
    node, walk, needs = graph.nodes[k], graph.nodes[k].walk, list[_Need]()
    positions = np.arange(1, walk.positions + 1)
    # What it gives back has to have come.
    main = np.maximum(walk.need, walk.low[1:]) if node.head is not None else positions
    maker = makers.get(node.source)
    beside = maker is not None and not graph.nodes[maker].whole and bool(set(members[k]) & set(members[maker]))
    if graph.call(k) is not None and beside:
        main = early(walk, main, HELD // graph.values[node.source].block)
    main = main + graph.left_out(k)
    for n, v in enumerate(node.sources[: node.dealt]):
        needs.append(_Need(((makers[v], [int(n == image % node.dealt)] * walk.positions),)))
    for n, v in enumerate(node.sources if node.turns else ()):
        # Values of a single pixel are there as a whole.
        local = bool(set(members[k]) & set(members[makers[v]])) and graph.values[v].image.pixels > 1
        needs.append(_Need(((makers[v], _in_turn(node.turns, n, local=local)),)))
    for n, v in enumerate(node.taken):
        if v in node.sources:
            continue
        pixels = graph.values[v].image.pixels
        of = main.tolist() if n == 0 else positions.tolist() if pixels > 1 else [1] * walk.positions
        if v in makers and graph.nodes[makers[v]].pixels:
            needs.append(_Need(((makers[v], [_all(graph, makers, v)] * node.firings),)))
        elif v in makers:
            needs.append(_Need(((makers[v], [pixels] if node.whole else of),)))
        else:
            needs.append(_Need(tuple((makers[r], [_all(graph, makers, r)] * node.firings)
                                     for r in graph.split.waits.get(v, ()))))
    return needs


def _all(graph: Graph, makers: Mapping[int, int], value: int) -> int:
    """Positions of the node that makes a value behind which all of it is there."""
    at = graph.nodes[makers[value]].made_at(value)
    return graph.values[value].image.pixels if at is None else at + 1


def _in_turn(turns: Sequence[int], number: int, *, local: bool) -> list[int]:
    """Pixels of one of the values that are taken in turn which are there before each position.

    Of what the ``local`` tile makes there is a row more, and the rest in step with what is taken: its array then works
    while rows of others are taken.
    """
    mine = np.array(turns) == number
    needs = np.cumsum(mine)
    if local:
        row = next((n for n, turn in enumerate(turns) if turn != turns[0]), len(turns))
        needs = np.maximum(needs, row + (np.arange(len(turns)) + 1) * mine.sum() // len(turns))
    return np.minimum(needs, mine.sum()).tolist()


def early(walk: SlidingWindow, needs: Integral, limit: int) -> Integral:
    """Pixels that are there before each position of a layer, more than it needs.

    Where there are as many positions as pixels, they are made one at a position: those that the next row begins with
    are made in time. Else as many more as the window is wide, and with a stride, or of a copy that has every so many
    rows, those that the next row begins with in step with this one, if no more than ``limit`` have to be held for that.
    """
    if walk.positions == walk.image:
        places = np.arange(walk.positions)
        needs = places + (needs - places).max() + 1
    else:
        needs = np.minimum(needs + walk.kernel_x, walk.image)
        rows = needs.reshape(-1, walk.positions_x)
        more = np.append(rows[1:, 0], rows[-1, -1]) - rows[:, 0]
        spread = rows[:, :1] + more[:, None] * np.arange(1, walk.positions_x + 1) // walk.positions_x
        spread = np.maximum(rows, spread).ravel()
        needs = spread if (spread - walk.low[:-1]).max() <= limit else needs
    return np.minimum(needs, walk.image)


def in_loops(order: Sequence[int]) -> Steps:
    """The same order with what repeats in loops."""
    runs = [(number, len(list(same))) for number, same in groupby(order)]
    steps: Steps = tuple(Loop(times, (number,)) if times > 1 else number for number, times in runs)
    # What is too long for a body may be short once it is folded itself.
    while (folded := _folded(steps, MOST_DEPTH)) != steps:
        steps = folded
    return steps


def unrolled(steps: Steps) -> list[int]:
    """The order that loops stand for."""
    numbers: list[int] = []
    for step in steps:
        numbers += unrolled(step.body) * step.times if isinstance(step, Loop) else [step]
    return numbers


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
            covered = size * times
            if times > 1 and (covered > best[1] * best[2] or (covered == best[1] * best[2] and size == best[1])):
                best = at, size, times
    return best
