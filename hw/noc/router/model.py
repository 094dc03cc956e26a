"""The mesh cycle by cycle, in Python: what hardware is held to, and what predicts the time of traffic.

Flits are numbers; where they go, and when they may leave, is known beforehand. All routers take a step at once.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mho.hw.noc.config import MeshConfig
from mho.hw.noc.flit import OPPOSITE, STEP, TURNS, WANTS, Port

Ints = NDArray[np.int64]
Bits = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """Flits of a run."""

    source: Ints
    """Node of each flit, of shape (flits,). Flits of a node leave in the order of their numbers."""
    columns: Ints
    rows: Ints
    """Bit masks of the destinations, of shape (flits,)."""
    tag: Ints
    """Of shape (flits,)."""
    earliest: Ints
    """First cycle in which the flit is offered, of shape (flits,)."""


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """What left the mesh."""

    cycle: Ints
    node: Ints
    flit: Ints
    """Of each ejection, in order of the cycles, then of the nodes."""
    injected: Ints
    """Cycle in which each flit was taken from its source, of shape (flits,); -1 if it was not."""
    unroutable: Ints
    """Flits that were dropped since they want no output, of shape (nodes,)."""
    cycles: int
    """Cycles that were run."""


class MeshModel:
    """A mesh of routers (:class:`mho.hw.noc.router.network.Network`), equal to the hardware in every cycle."""

    def __init__(self, cfg: MeshConfig) -> None:
        self.cfg = cfg
        self._neighbour = np.full((cfg.nodes, 5), -1, dtype=np.int64)
        for node in range(cfg.nodes):
            x, y = cfg.position(node)
            for port, (dx, dy) in STEP.items():
                if 0 <= x + dx < cfg.columns and 0 <= y + dy < cfg.rows:
                    self._neighbour[node, port] = cfg.node(x + dx, y + dy)

    def run(self, traffic: Traffic, *, cycles: int, accept: NDArray[np.bool_] | None = None) -> Delivery:
        """Run an empty mesh until everything has arrived.

        Parameters
        ----------
        traffic
            What is sent.
        cycles
            Most cycles that are run.
        accept
            Whether nodes take what arrives, of shape (cycles, nodes). By default they always do.
        """
        nodes = self.cfg.nodes
        order = np.argsort(traffic.source, kind="stable")
        first = np.searchsorted(traffic.source[order], np.arange(nodes + 1))
        place, end = first[:-1].copy(), first[1:]
        mesh = _Routers(self.cfg, self._neighbour, traffic)
        injected = np.full(len(order), -1, dtype=np.int64)
        everyone = np.ones(nodes, dtype=np.bool_)
        left, cycle = list[Ints](), 0
        while cycle < cycles and ((place < end).any() or mesh.length.any()):
            sends = np.flatnonzero(place < end)
            flits = order[place[sends]]
            goes = (traffic.earliest[flits] <= cycle) & (mesh.length[sends, Port.LOCAL] < self.cfg.depth)
            sends, flits = sends[goes], flits[goes]
            place[sends] += 1
            injected[flits] = cycle
            arrived, ejected = mesh.step(everyone if accept is None else accept[cycle % len(accept)], sends, flits)
            left.append(np.stack([np.full(len(arrived), cycle), arrived, ejected]))
            cycle += 1
        ejections = np.concatenate([np.zeros((3, 0), dtype=np.int64), *left], axis=1)
        return Delivery(
            cycle=ejections[0], node=ejections[1], flit=ejections[2], injected=injected, unroutable=mesh.unroutable,
            cycles=cycle,
        )


class _Routers:
    """All routers, and what their inputs hold: of shape (nodes, inputs) or (nodes, inputs, outputs)."""

    def __init__(self, cfg: MeshConfig, neighbour: Ints, traffic: Traffic) -> None:
        self._depth, self._neighbour, self._traffic = cfg.depth, neighbour, traffic
        node = np.arange(cfg.nodes)
        self._x, self._y = node[:, None] % cfg.columns, node[:, None] // cfg.columns
        self._store = np.zeros((cfg.nodes, 5, cfg.depth), dtype=np.int64)
        self._head, self.length = np.zeros((2, cfg.nodes, 5), dtype=np.int64)
        self._served = np.zeros((cfg.nodes, 5, 5), dtype=np.bool_)
        self._after = {leave: np.zeros((cfg.nodes, len(TURNS[leave])), dtype=np.bool_) for leave in Port}
        self._allowed = np.array([[leave in WANTS[entry] for leave in Port] for entry in Port])
        self.unroutable = np.zeros(cfg.nodes, dtype=np.int64)

    def step(self, accept: Bits, sends: Ints, flits: Ints) -> tuple[Ints, Ints]:
        """A cycle, in which nodes ``accept`` what arrives and some of them send flits; where which ones arrive."""
        valid = self.length > 0
        heads = np.take_along_axis(self._store, self._head[:, :, None], axis=2)[:, :, 0]
        want = self._wants(heads) & valid[:, :, None]
        requests = want & ~self._served & self._room(accept)[:, None, :]
        moves = [(sends, Port.LOCAL, flits)]
        arrived = sends[:0], flits[:0]
        for leave in Port:
            granted, entry = self._grant(leave, requests)
            self._served[granted, entry, leave] = True
            taken = heads[granted, entry]
            if leave is Port.LOCAL:
                arrived = granted, taken
            else:
                moves.append((self._neighbour[granted, leave], OPPOSITE[leave], taken))
        self.unroutable += valid[:, Port.LOCAL] & ~want[:, Port.LOCAL].any(axis=1)
        gone = valid & ~(want & ~self._served).any(axis=2)
        self._served[gone] = False
        self._head[gone] = (self._head[gone] + 1) % self._depth
        self.length[gone] -= 1
        for node, port, flit in moves:
            self._store[node, port, (self._head[node, port] + self.length[node, port]) % self._depth] = flit
            self.length[node, port] += 1
        return arrived

    def _wants(self, flits: Ints) -> Bits:
        """Outputs that the heads want, if there are any."""
        columns, rows, x, y = self._traffic.columns[flits], self._traffic.rows[flits], self._x, self._y
        along = np.array([port not in (Port.NORTH, Port.SOUTH) for port in Port])
        here = (columns >> x & 1 == 1) | ~along
        leaves = {
            Port.NORTH: here & (rows & (1 << y) - 1 != 0), Port.SOUTH: here & (rows >> y + 1 != 0),
            Port.LOCAL: here & (rows >> y & 1 == 1), Port.WEST: along & (columns & (1 << x) - 1 != 0),
            Port.EAST: along & (columns >> x + 1 != 0),
        }
        return np.stack([leaves[port] for port in Port], axis=2) & self._allowed

    def _room(self, accept: Bits) -> Bits:
        """Whether there is room beyond each output, (nodes, outputs)."""
        room = [
            (self._neighbour[:, leave] >= 0) & (self.length[self._neighbour[:, leave], OPPOSITE[leave]] < self._depth)
            for leave in STEP
        ]
        return np.stack([*room, accept], axis=1)

    def _grant(self, leave: Port, requests: Bits) -> tuple[Ints, Ints]:
        """Nodes where an output takes a head, and of which inputs, by round robin (:class:`mho.hw.noc.fifo`)."""
        turns, after = np.array(TURNS[leave]), self._after[leave]
        asked = requests[:, turns, leave]
        late = asked & after
        first = np.where(late.any(axis=1, keepdims=True), late, asked).argmax(axis=1)
        turned = asked.all(axis=1) if len(turns) == 2 else asked.any(axis=1)
        after[turned] = np.arange(len(turns)) > first[turned, None]
        granted = np.flatnonzero(asked.any(axis=1))
        return granted, turns[first[granted]]
