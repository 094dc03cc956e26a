"""Tiles of a mesh with time: flits, credits, sums, and the host that sends as fast as it may."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from mho.hw.core.shape import Drain
from mho.hw.noc.config import MeshConfig
from mho.hw.noc.reduction.router import queue_depth
from mho.hw.noc.reduction.trees import Group, entries
from mho.hw.tile.interpreter.joined import HOST, Joined, Reduction, slots_of
from mho.hw.tile.interpreter.plans import Plan
from mho.hw.tile.timing.clock import Clock, Notice, Process
from mho.hw.tile.timing.core import Conversions, CoreTime
from mho.hw.tile.timing.engines import load, send, vector
from mho.hw.tile.timing.ring import Ring
from mho.hw.tile.timing.sequence import Sequence as Program
from mho.hw.tile.timing.state import TileState

_INJECT, _RECEIVE, _CREDIT = 2, 2, 2
"""Cycles beside those of the hops: from the node's port to the head of its router's queue; from there to the change of
the ring; from there to credits that count, the cycle behind included."""
_QUEUE = 1
"""Of these, for the queue: between the host and one node alone there is none."""
_STARTED = 400
"""Cycles after which the host sends: tiles then wait for it, as for the one of co-simulation (``mesh_host.cpp``)."""
_OUT, _BACK, _GIVEN = 1, 1, 2
"""The same at the host, whose registers are before and behind the corner's router; and from its port to the head of
that router's queue."""

Position = tuple[int, int]


@dataclass(frozen=True)
class Source:
    """Blocks that the host sends: to which streams of tiles, flits of a block, and how many blocks."""

    to: tuple[tuple[str, int], ...]
    flits: int
    blocks: int


@dataclass(eq=False)
class _Window:
    """Credits that are missing for the last two blocks of a flow."""

    members: int
    missing: list[int] = field(default_factory=lambda: [0, 0])
    odd: int = 0
    changed: Notice = field(default_factory=Notice)

    @property
    def open(self) -> bool:
        """The next block may start."""
        return not self.missing[self.odd]

    def start(self) -> None:
        """It does."""
        self.missing[self.odd] = self.members
        self.odd ^= 1


@dataclass(eq=False)
class _Sums:
    """A reduction: flits of each member that came to the root's queue, and how many members may send."""

    members: Mapping[str, int]
    came: dict[str, deque[int]]
    taken: int = 0
    sent: dict[str, int] = field(default_factory=dict)
    children: int = 1
    changed: Notice = field(default_factory=Notice)


class ChipTime:
    """All tiles of a chip, and the host.

    Parameters
    ----------
    joined
        The tiles, and what joins them.
    conversions
        How long products take, by tile.
    core
        Of cores: cycles of a conversion beyond those at the pins, of looking masks up, and how results leave.
    sources
        What the host sends.
    results
        Flits of an image that the host gets, by (tile, flow).
    images
        How many images.

    Attributes
    ----------
    tiles
        The tiles by name.
    first, ends
        Cycle of the host's first flit; those in which all of an image had come to the host.
    """

    def __init__(
        self, mesh: MeshConfig, joined: Joined, conversions: Callable[[str], Conversions], core: tuple[int, int, Drain],
        sources: Sequence[Source], results: Mapping[tuple[str, int], int], images: int,
    ) -> None:
        self.clock = clock = Clock()
        self._mesh, self._joined, self._images = mesh, joined, images
        self.cores = {name: CoreTime(clock, conversions(name), *core) for name in joined.tiles}
        self.tiles = {
            name: TileState(clock, name, place, self.cores[name], self) for name, place in joined.tiles.items()}
        for tile in self.tiles.values():
            for process in (Program(tile).run(), load(tile), vector(tile), send(tile)):
                clock.start(process)
        self._at = {name: _position(name) for name in joined.tiles}
        self._inject, self._given = (cycles - _QUEUE * mesh.alone for cycles in (_INJECT, _GIVEN))
        slots = {name: slots_of(place) for name, place in joined.tiles.items()}
        self._flows: dict[tuple[str, int], list[tuple[str, Ring]]] = {}
        self._windows: dict[tuple[str, int], _Window] = {}
        for flow in joined.flows:
            rings = [(n, self.tiles[n].rings[slots[n][flow.slot]]) for n in flow.to if n != HOST]
            self._flows[flow.sender, flow.number] = rings
            self._windows[flow.sender, flow.number] = window = _Window(len(rings))
            for name, ring in rings:
                ring.acknowledge = self._credit(window, self._at[name], self._at[flow.sender], _CREDIT)
        self._sums = {(r.context, r.root): self._reduction(r) for r in joined.reductions}
        self._operands = {(r.context, name): self._sums[r.context, r.root] for r in joined.reductions
                          for name in r.members}
        self._left = {key: deque([flits] * images) for key, flits in results.items()}
        self._arrived = dict.fromkeys(results, 0)
        self.ends: list[int] = []
        self.first = 0
        self._sources = list(sources)
        self._host_windows = [_Window(len(source.to)) for source in sources]
        for source, window in zip(sources, self._host_windows, strict=True):
            for name, stream in source.to:
                self.tiles[name].rings[stream].acknowledge = self._credit(window, self._at[name], (0, 0), _BACK)
        self._ready = Notice()
        # Images that each source may send: all, or as many as the host has got what it makes them of.
        self._steps = [
            (step, [s for s, source in enumerate(sources) if source.to[0] in step.gives]) for step in joined.host]
        self._allowed = [images] * len(sources)
        for _, fed in self._steps:
            for s in fed:
                self._allowed[s] = 0
        clock.start(self._host())

    def run(self, limit: int = 1 << 40) -> bool:
        """Go on until all images are done; whether they are."""
        return self.clock.run(lambda: len(self.ends) == self._images, limit)

    # --- what tiles see ---

    def flit(self, tile: str, plan: Plan, *, first: bool, last: bool) -> Process:
        """See :class:`mho.hw.tile.timing.state.Around`."""
        send, clock = plan.send, self.clock
        assert send is not None
        if send.reduce:
            yield from self._operand(self._operands[send.number, tile], tile)
            return
        key = tile, send.number
        if first and key in self._windows and self._flows[key]:
            window = self._windows[key]
            while not window.open:
                yield window.changed
            window.start()
        if key in self._left:
            self._to_host(key, clock.now + self._inject + _hops(self._at[tile], (0, 0)) + _OUT)
        if last:
            for name, ring in self._flows.get(key, ()):
                clock.at(clock.now + self._inject + _hops(self._at[tile], self._at[name]) + _RECEIVE, ring.come)
        yield 0

    def sums(self, tile: str, context: int, count: int) -> Process:
        """See :class:`mho.hw.tile.timing.state.Around`."""
        group, clock = self._sums[context, tile], self.clock
        yield 1
        for _ in range(count):
            while not all(group.came.values()):
                yield group.changed
            arrival = max(queue[0] for queue in group.came.values())
            yield max(0, arrival - clock.now)
            for queue in group.came.values():
                queue.popleft()
            group.taken += 1
            clock.tell(group.changed)
            yield 1 + group.children

    def _operand(self, group: _Sums, tile: str) -> Process:
        depth = queue_depth(self._mesh) * (1 + group.members[tile])
        while group.sent.get(tile, 0) - group.taken >= depth:
            yield group.changed
        group.sent[tile] = group.sent.get(tile, 0) + 1
        group.came[tile].append(self.clock.now + 2 + group.members[tile])
        self.clock.tell(group.changed)
        yield 0

    def _reduction(self, reduction: Reduction) -> _Sums:
        nodes = {name: self._mesh.node(*self._at[name]) for name in (*reduction.members, reduction.root)}
        members = tuple(nodes[name] for name in reduction.members)
        group = Group(name=reduction.root, members=members, root=nodes[reduction.root], context=reduction.context)
        children = max(len(entry.children) for entry in entries(self._mesh, [group]).values())
        hops = {name: _hops(self._at[name], self._at[reduction.root]) for name in reduction.members}
        return _Sums(hops, {name: deque() for name in hops}, children=children)

    def _credit(self, window: _Window, start: Position, end: Position, late: int) -> Callable[[], None]:
        """What an acknowledgement does: a flit takes it to the sender."""
        hops = _hops(start, end)

        def arrive(odd: int) -> Callable[[], None]:
            def come() -> None:
                window.missing[odd] -= 1
                self.clock.tell(window.changed)
                self.clock.tell(self._ready)

            return come

        turn = [0]

        def go() -> None:
            self.clock.at(self.clock.now + self._inject + hops + late, arrive(turn[0]))
            turn[0] ^= 1

        return go

    # --- the host ---

    def _host(self) -> Process:
        """Flits one a cycle, block by block, of those flows that may, in turn."""
        left, turn = [source.blocks * self._images for source in self._sources], 0
        yield _STARTED
        self.first = self.clock.now
        while any(left):
            count = len(self._sources)
            order = [(turn + k) % count for k in range(count)]
            free = [s for s in order if self._host_windows[s].open and
                    left[s] > self._sources[s].blocks * (self._images - self._allowed[s])]
            if not free:
                yield self._ready
                continue
            source, window = self._sources[free[0]], self._host_windows[free[0]]
            window.start()
            turn, left[free[0]] = free[0] + 1, left[free[0]] - 1
            yield source.flits - 1
            for name, stream in source.to:
                ring = self.tiles[name].rings[stream]
                self.clock.at(self.clock.now + self._given + _hops((0, 0), self._at[name]) + _RECEIVE, ring.come)
            yield 1

    def _to_host(self, key: tuple[str, int], cycle: int) -> None:
        def arrive() -> None:
            self._left[key][0] -= 1
            if not self._left[key][0]:
                self._left[key].popleft()
                self._answer(key)
                done = min(self._images - len(queue) for queue in self._left.values())
                if done > len(self.ends):
                    self.ends.append(self.clock.now)

        self.clock.at(cycle, arrive)

    def _answer(self, key: tuple[str, int]) -> None:
        """The host has another image of a flow."""
        for step, sources in self._steps:
            if key in step.takes:
                images = min(self._images - len(self._left[flow]) for flow in step.takes)
                for s in sources:
                    self._allowed[s] = images
                self.clock.tell(self._ready)


def _position(tile: str) -> Position:
    column, row = map(int, tile.split(","))
    return column, row


def _hops(start: Position, end: Position) -> int:
    return abs(start[0] - end[0]) + abs(start[1] - end[1])
