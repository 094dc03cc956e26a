"""Claims of a whole mesh of routers under any traffic: something always moves; and a flit arrives in bounded time."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Signal, Value
from amaranth.lib import data

from mho.hw.noc.config import HOST_POSITION, MeshConfig
from mho.hw.noc.flit import STEP, ChannelLayout, Port
from tests.proofs.harness import Harness, State, assume, claim, constant, drive_freely, free, witness
from tests.proofs.queue import Queue, fifo_holds, input_queue, word_behind
from tests.proofs.router.routes import wanted_at, well_formed

__all__ = ["TAIL_BIT", "ArrivalClaims", "HeadClaims", "MeshHarness", "ProgressClaims", "StuckClaims"]

TAIL_BIT = 1
"""Bit of the tag that says that a flit is the last of its packet, where there are packets."""

Places = list[tuple[tuple[int, int], Port]]


class MeshHarness(Harness):
    """A mesh whose nodes and host take whatever arrives and send anything at any time, to any set of nodes.

    Nodes send to the host too.
    """

    def surround(self, m: Module) -> None:
        """Drive all inputs."""
        cfg = self.dut.cfg
        for node in range(cfg.nodes):
            inject, eject = self.node(node)
            # Payloads go along and decide nothing.
            drive_freely(m, inject.valid, Value.cast(inject.payload)[cfg.payload_bits :])
            m.d.comb += eject.ready.eq(-1)
            assume(m, ~inject.valid | well_formed(cfg, inject.payload, Port.LOCAL))
        host = self.dut.host_i
        drive_freely(m, host.valid, Value.cast(host.payload)[cfg.payload_bits :])
        m.d.comb += self.dut.host_o.ready.eq(-1)
        with m.If(host.valid):
            # Claimed of the host's port.
            flit = host.payload.flit
            assume(m, host.ready & well_formed(cfg, flit, Port.WEST) & ~flit.host)
            assume(m, host.payload.want.any())
            assume(m, host.payload.want == wanted_at(cfg, 0, 0, flit, Port.WEST))

    def node(self, node: int) -> tuple[Any, Any]:
        """Injection and ejection of a node."""
        return getattr(self.dut, f"inject_{node}"), getattr(self.dut, f"eject_{node}")

    @property
    def inputs(self) -> Places:
        """All inputs of all routers: position, port."""
        cfg = self.dut.cfg
        return [(cfg.position(node), port) for node in range(cfg.nodes) for port in Port]

    @staticmethod
    def path(place: tuple[int, int], part: str) -> str:
        """Path of a part of the router at a place."""
        return f"router_{place[0]}_{place[1]}.{part}"

    def queue(self, state: State, place: tuple[int, int], port: Port) -> Queue:
        """FIFO of an input."""
        return input_queue(state, self.path(place, f"{port.name.lower()}_input"))

    def moves(self, m: Module, state: State) -> tuple[Value, Value]:
        """Whether some flit waits in the mesh; whether an output takes one in this cycle, or it leaves its queue."""
        waits, goes = Signal(name="some"), Signal(name="goes")
        fifos = [self.queue(state, place, port).fifo for place, port in self.inputs]
        transfers = Cat(
            state.part(self.path(place, f"{port.name.lower()}_input")).grant.any() for place, port in self.inputs
        )
        m.d.comb += [
            waits.eq(Cat(fifo.valid for fifo in fifos).any()),
            goes.eq(transfers.any() | Cat(fifo.take for fifo in fifos).any()),
        ]
        return waits, goes

    def holds(self, m: Module, state: State) -> None:
        """Claim what is true of all queues at any time: what is in them belongs there and wants what it carries."""
        for place, port in self.inputs:
            self._queue_holds(m, place, port, self.queue(state, place, port))

    def _queue_holds(self, m: Module, place: tuple[int, int], port: Port, queue: Queue) -> None:
        cfg = self.dut.cfg
        name = f"{place} {port.name}"
        count = fifo_holds(m, queue.fifo, queue.state, name)
        for behind in range(cfg.depth):
            word = word_behind(m, queue.fifo, queue.state, behind, f"{name} {behind}".replace(" ", "_"))
            view: Any = data.View(ChannelLayout(cfg, port), word)
            flit = view.flit
            outputs = wanted_at(cfg, *place, flit, port)
            fits = well_formed(cfg, flit, port)
            if place[0] and port in (Port.NORTH, Port.SOUTH):
                fits = fits & ~flit.host
            if place == HOST_POSITION and port is Port.WEST:
                fits = fits & ~flit.host  # the host does not send to itself
            with m.If(count > behind):
                claim(m, f"{name}: what it holds is wanted", view.want == outputs)
                claim(m, f"{name}: it holds flits to the mesh", fits)
                if port is not Port.LOCAL:
                    claim(m, f"{name}: what it holds wants something", outputs.any())
            if not behind:
                with m.If(queue.fifo.valid):
                    claim(m, f"{name}: only what is wanted is served", (queue.served & ~outputs) == 0)
                    claim(m, f"{name}: what has had all leaves", ((outputs & ~queue.served) != 0) | (queue.served == 0))
        with m.If(~queue.fifo.valid):
            claim(m, f"{name}: nothing is served of an empty queue", queue.served == 0)


class ProgressClaims(MeshHarness):
    """While a flit is in the mesh, some flit moves in every cycle, for all runs of any length."""

    def specify(self, m: Module, state: State) -> None:
        self.surround(m)
        waits, goes = self.moves(m, state)
        claim(m, "where something waits, something moves", ~waits | goes)
        self.holds(m, state)
        for place, port in self.inputs:
            exists = port is Port.LOCAL or self._has(place, port)
            if exists:
                witness(m, f"{place} {port.name} is full", ~self.queue(state, place, port).fifo.ready)

    def _has(self, place: tuple[int, int], port: Port) -> bool:
        """Whether there is a neighbour at a port."""
        x, y = place[0] + STEP[port][0], place[1] + STEP[port][1]
        return 0 <= x < self.dut.cfg.columns and 0 <= y < self.dut.cfg.rows


class HeadClaims(MeshHarness):
    """The head of every queue has gone ``cycles`` cycles after it came there, for all runs of any length.

    So a flit is at all its destinations after as many times as it passes routers, wherever the solver begins.

    Parameters
    ----------
    dut
        The mesh.
    cycles
        The bound.
    """

    def __init__(self, dut: Any, cycles: int) -> None:
        super().__init__(dut)
        self.cycles = cycles

    def specify(self, m: Module, state: State) -> None:
        self.surround(m)
        self.holds(m, state)
        for place, _ in self.inputs[:: len(Port)]:
            for port in Port:
                path = self.path(place, f"{port.name.lower()}_arbiter.after")
                if path in state:
                    after = state[path]
                    claim(m, f"{place} {port.name}: turns", ((after << 1)[: len(after)] & ~after) == 0)
        queues = [self.queue(state, place, port) for place, port in self.inputs]
        which = constant(m, range(len(queues)), "any_queue")
        waits, age = Signal(name="waits"), Signal(range(self.cycles + 1))
        m.d.comb += waits.eq(Cat(queue.fifo.valid & ~queue.fifo.take for queue in queues).bit_select(which, 1))
        m.d.sync += age.eq(0)
        with m.If(waits & (age != self.cycles)):
            m.d.sync += age.eq(age + 1)
        claim(m, "a head has gone in time", age != self.cycles)
        witness(m, "a head waits", age == self.cycles // 2)


class StuckClaims(MeshHarness):
    """The mesh is never still for ``cycles`` cycles with flits in it, though nodes take all that arrives.

    This asks nothing of how routers work: it is put to routers with packets too. A node that has begun a packet goes on
    with it; the host sends nothing.

    Parameters
    ----------
    dut
        The mesh.
    cycles
        Cycles without movement.
    """

    def __init__(self, dut: Any, cycles: int = 4) -> None:
        super().__init__(dut)
        self.cycles = cycles

    def specify(self, m: Module, state: State) -> None:
        cfg: MeshConfig = self.dut.cfg
        self.surround(m)
        assume(m, ~self.dut.host_i.valid)
        for node in range(cfg.nodes):
            inject, _ = self.node(node)
            within, to = Signal(name=f"within_{node}"), Signal(1 + cfg.rows + cfg.columns, name=f"to_{node}")
            destinations = Value.cast(inject.payload)[-len(to) :]
            with m.If(inject.valid & inject.ready):
                m.d.sync += [within.eq(~inject.payload.tag[TAIL_BIT]), to.eq(destinations)]
            with m.If(within):
                assume(m, inject.valid & (destinations == to))
        waits, goes = self.moves(m, state)
        transfers = Cat(self.node(node)[0].valid & self.node(node)[0].ready for node in range(cfg.nodes)).any()
        still = Signal(range(self.cycles + 1))
        m.d.sync += still.eq(0)
        with m.If(waits & ~goes & ~transfers):
            m.d.sync += still.eq(still + 1)
        claim(m, "the mesh does not stand still with flits in it", still != self.cycles)


class ArrivalClaims(MeshHarness):
    """A flit that the solver picks is at all its destinations ``cycles`` cycles after ``node`` injected it.

    Parameters
    ----------
    dut
        The mesh.
    node
        The node that injects it.
    cycles
        The bound.
    """

    def __init__(self, dut: Any, node: int, cycles: int) -> None:
        super().__init__(dut)
        self.node_number, self.cycles = node, cycles

    def specify(self, m: Module, state: State) -> None:
        cfg: MeshConfig = self.dut.cfg
        self.surround(m)
        pick, picked = free(m, 1, "pick"), Signal()
        age, left, here = Signal(range(self.cycles + 1)), Signal(cfg.nodes + 1), Signal(cfg.nodes + 1)
        # The last is the host.
        m.d.comb += [
            self.dut.host_i.payload.flit.payload[0].eq(0),
            here[-1].eq(self.dut.host_o.valid & self.dut.host_o.payload.flit.payload[0]),
        ]
        for node in range(cfg.nodes):
            inject, eject = self.node(node)
            takes = pick & ~picked & inject.valid & inject.ready if node == self.node_number else Const(0, 1)
            m.d.comb += [inject.payload.payload[0].eq(takes), here[node].eq(eject.valid & eject.payload.payload[0])]
            if node == self.node_number:
                members = Cat(
                    *(
                        Const(0, 1) if k == node else inject.payload.columns[x] & inject.payload.rows[y]
                        for k, (x, y) in enumerate(map(cfg.position, range(cfg.nodes)))
                    ),
                    inject.payload.host,
                )
                with m.If(takes):
                    m.d.sync += [picked.eq(1), left.eq(members)]
        with m.If(picked):
            m.d.sync += left.eq(left & ~here)
            with m.If(age != self.cycles):
                m.d.sync += age.eq(age + 1)
            claim(m, "it arrives in time", (age != self.cycles) | (left == 0))
            claim(m, "it arrives at its members, once at each", (here & ~left) == 0)
            witness(m, "it has arrived at all others", (left == 0) & (age == self.cycles))
            witness(m, "it has arrived at the host", here[-1])
        with m.Else():
            claim(m, "it arrives after it was sent", here == 0)
