"""The reduction cycle by cycle, in Python: what hardware is held to, and what predicts the time of sums."""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mho.hw.noc.config import LANE_BITS, MeshConfig
from mho.hw.noc.flit import OPPOSITE, STEP, Port
from mho.hw.noc.reduction.router import queue_depth
from mho.hw.noc.reduction.trees import Entry

__all__ = ["Operand", "ReductionModel", "Sum", "add_lanes"]


class Operand(NamedTuple):
    """An operand of a node: its context, its bits, and the first cycle in which it is offered."""

    context: int
    payload: int
    earliest: int = 0


class Sum(NamedTuple):
    """A result: cycle, root, context and bits."""

    cycle: int
    node: int
    context: int
    payload: int


class _Move(NamedTuple):
    """A flit that enters an input."""

    node: int
    port: Port
    context: int
    payload: int


def add_lanes(a: int, b: int, bits: int) -> int:
    """Sum of two payloads of ``bits`` bits, lane by lane and wrapping."""
    high = sum(1 << (lane + LANE_BITS - 1) for lane in range(0, bits, LANE_BITS))
    # The top bits of the lanes are added without their carries.
    return ((a & ~high) + (b & ~high)) ^ ((a ^ b) & high)


@dataclass
class _Router:
    entries: list[Entry]
    queues: dict[tuple[Port, int], deque[int]]
    turn: int = 0
    first: Port | None = None
    rest: list[Port] = field(default_factory=list)
    own: bool = False
    busy: bool = False
    accumulator: int = 0
    after: int = 0  # contexts that come first, a bit each

    def members(self, context: int) -> list[Port]:
        """Inputs that take part."""
        entry = self.entries[context]
        return [*sorted(entry.children), *([Port.LOCAL] if entry.local else [])]

    def there(self, context: int, come: Iterable[tuple[Port, int]] = ()) -> bool:
        """Whether all operands are there, with those that come in this cycle."""
        return all(self.queues[port, context] or (port, context) in come for port in self.members(context))


class ReductionModel:
    """A mesh of reduction routers without nodes, equal to that of Verilog in every cycle.

    Parameters
    ----------
    cfg
        The mesh, ``contexts`` being 1 at least.
    entries
        Entries of the routers by node and context (:func:`mho.hw.noc.reduction.trees.entries`).
    """

    def __init__(self, cfg: MeshConfig, entries: Mapping[tuple[int, int], Entry]) -> None:
        self.cfg = cfg
        self._depth = queue_depth(cfg)
        contexts = range(cfg.contexts)
        self._routers = [
            _Router(
                entries=[entries.get((node, c), Entry()) for c in contexts],
                queues={(port, c): deque() for port in Port for c in contexts},
            )
            for node in range(cfg.nodes)
        ]
        for router in self._routers:
            self._begin(router, 0)

    def run(
        self, operands: Mapping[int, Sequence[Operand]], *, cycles: int, accept: NDArray[np.bool_] | None = None,
        sums: int | None = None,
    ) -> list[Sum]:
        """Send operands.

        Parameters
        ----------
        operands
            Of each node. The first that has room goes, whatever its context: a node that insisted on an order could
            wait for another that insists on the opposite one.
        cycles
            Most cycles that are run.
        accept
            Whether a node takes results, of shape (cycles, nodes), repeated. By default they always do.
        sums
            Results after which the run ends.
        """
        left = {node: list(sent) for node, sent in operands.items()}
        results: list[Sum] = []
        for cycle in range(cycles):
            if sums is not None and len(results) >= sums:
                break
            takes = [accept is None or bool(accept[cycle % len(accept), node]) for node in range(self.cfg.nodes)]
            results += self._cycle(cycle, left, takes)
        return results

    def _cycle(self, cycle: int, left: dict[int, list[Operand]], takes: list[bool]) -> list[Sum]:
        room = [
            [self._room(node, context, takes[node]) for context in range(self.cfg.contexts)]
            for node in range(self.cfg.nodes)
        ]
        moves: list[_Move] = []
        results, goes, goes_on = [], {}, {}
        for node, router in enumerate(self._routers):
            context = router.turn
            able = room[node][context] and router.there(context)
            goes[node], goes_on[node] = able and not router.rest, able and bool(router.rest)
            total = self._add(router)
            if goes[node]:
                parent = router.entries[context].parent
                if parent is Port.LOCAL:
                    results.append(Sum(cycle, node, context, total))
                elif parent is not None:
                    moves.append(_Move(self._neighbour(node, parent), OPPOSITE[parent], context, total))
            router.accumulator = total
        for node, waiting in left.items():
            queues = self._routers[node].queues
            for operand in waiting:
                if operand.earliest <= cycle and len(queues[Port.LOCAL, operand.context]) < self._depth:
                    waiting.remove(operand)
                    moves.append(_Move(node, Port.LOCAL, operand.context, operand.payload))
                    break
        self._follow(room, moves, goes, goes_on)
        return results

    def _follow(
        self, room: list[list[bool]], moves: list[_Move], goes: dict[int, bool], goes_on: dict[int, bool]
    ) -> None:
        """State after a cycle."""
        for node, router in enumerate(self._routers):
            come = {(move.port, move.context) for move in moves if move.node == node}
            requests = [not goes_on[node] and room[node][c] and router.there(c, come) for c in range(self.cfg.contexts)]
            before = router.turn
            following = _arbitrate(router, requests)
            if goes[node]:
                for port in router.members(before):
                    router.queues[port, before].popleft()
            if goes_on[node]:
                router.first, router.rest, router.own, router.busy = router.rest[0], router.rest[1:], False, True
            else:
                self._begin(router, following)
        for move in moves:
            self._routers[move.node].queues[move.port, move.context].append(move.payload)

    def _begin(self, router: _Router, context: int) -> None:
        children = sorted(router.entries[context].children)
        router.turn, router.busy, router.own = context, False, router.entries[context].local
        router.first, router.rest = (children[0] if children else None), children[1:]

    def _add(self, router: _Router) -> int:
        bits, context = self.cfg.payload_bits, router.turn
        total = router.accumulator if router.busy else 0
        for port in ([] if router.first is None else [router.first]) + ([Port.LOCAL] if router.own else []):
            queue = router.queues[port, context]
            total = add_lanes(total, queue[0] if queue else 0, bits)
        return total

    def _room(self, node: int, context: int, takes: bool) -> bool:
        parent = self._routers[node].entries[context].parent
        if parent is None or parent is Port.LOCAL:
            return takes and parent is not None
        upstream = self._routers[self._neighbour(node, parent)]
        return len(upstream.queues[OPPOSITE[parent], context]) < self._depth

    def _neighbour(self, node: int, port: Port) -> int:
        x, y = self.cfg.position(node)
        return self.cfg.node(x + STEP[port][0], y + STEP[port][1])


def _arbitrate(router: _Router, wants: list[bool]) -> int:
    """Context of the next cycle: as :class:`mho.hw.noc.fifo.RoundRobin`, the same as before if none is wanted."""
    requests = [c for c, want in enumerate(wants) if want]
    if not requests:
        return router.turn
    late = [c for c in requests if router.after >> c & 1]
    chosen = (late or requests)[0]
    if len(wants) != 2 or len(requests) == 2:
        router.after = ~((2 << chosen) - 1)
    return chosen
