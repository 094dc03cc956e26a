"""The host's port of the mesh, beside the node at (0, 0)."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.noc.arbiter import RoundRobin
from hw.noc.channel import Channel
from hw.noc.config import MeshConfig
from hw.noc.fifo import FlitFifo
from hw.noc.flit import BodyLayout, FlitLayout
from hw.noc.interface.tables import legal

__all__ = ["HostPort"]


class HostPort(wiring.Component):
    """Sits between a router and its node, and sends and receives flits of the host.

    What the host sends goes to the router, by turns with the node, and to the node at once, by turns with the router.
    What is for the host is what arrives with ``host`` set, from the router or from the node, the router first.

    Parameters
    ----------
    cfg
        The mesh.

    Members
    -------
    host_i, host_o : In(stream of FlitLayout(cfg)), Out(stream of BodyLayout(cfg))
        The host. While it does not take what is for it, everything that the router has for this node waits.
    node_i, node_o : In(Channel(FlitLayout(cfg))), Out(Channel(BodyLayout(cfg)))
        The node.
    router_i, router_o : In(Channel(BodyLayout(cfg))), Out(Channel(FlitLayout(cfg)))
        The router.
    lost : Out(1)
        Strobe: a flit of the host was dropped, since its destinations are none, outside the mesh, or the host.
    """

    host_i: stream.Interface
    host_o: stream.Interface
    node_i: Any
    node_o: Any
    router_i: Any
    router_o: Any
    lost: Value

    def __init__(self, cfg: MeshConfig) -> None:
        self.cfg = cfg
        flit, body = Channel(FlitLayout(cfg), cfg.queues), Channel(BodyLayout(cfg), cfg.queues)
        super().__init__({
            "host_i": In(stream.Signature(FlitLayout(cfg))), "host_o": Out(stream.Signature(BodyLayout(cfg))),
            "node_i": In(flit), "node_o": Out(body), "router_i": In(body), "router_o": Out(flit), "lost": Out(1),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        cfg = self.cfg
        m.submodules.sent = sent = FlitFifo(FlitLayout(cfg).size, max(2, cfg.depth))
        m.submodules.received = received = FlitFifo(BodyLayout(cfg).size, max(2, cfg.depth))
        head = data.View(FlitLayout(cfg), sent.o)
        to_node, to_router = Signal(), Signal()  # what the head still wants
        near, far = Signal(), Signal()  # what has taken it
        ok = legal(cfg, sent.o[BodyLayout(cfg).size :]) & ~head.host
        m.d.comb += [
            sent.i.eq(self.host_i.payload), sent.put.eq(self.host_i.valid & sent.ready),
            self.host_i.ready.eq(sent.ready),
            to_node.eq(sent.valid & ok & self._includes_node(head) & ~near),
            to_router.eq(sent.valid & ok & self._includes_others(head) & ~far),
            self.lost.eq(sent.valid & ~ok),
        ]
        gives = Signal()  # the host's flit to the node
        from_host = self._inject(m, self._receive(m, received, head, to_node, gives), head, to_router)
        m.d.comb += sent.take.eq(sent.valid & (~to_node | gives) & (~to_router | from_host))
        m.d.sync += [near.eq(~sent.take & (near | gives)), far.eq(~sent.take & (far | from_host))]
        return m

    def _receive(self, m: Module, received: FlitFifo, head: Any, to_node: Value, gives: Value) -> Value:
        """To the node and to the host; gives whether the node's flit for the host is taken."""
        arriving, body = self.router_i, self.router_i.payload
        given = Signal()
        for_host, from_node = Signal(), Signal()
        own = Value.cast(self.node_i.payload)[: BodyLayout(self.cfg).size]
        m.d.comb += [
            # By turns, or the host could shut out the router.
            gives.eq(to_node & ~given & self.node_o.ready.all()),
            arriving.ready.eq(Mux(received.ready & ~gives & self.node_o.ready.all(), -1, 0)),
            for_host.eq(arriving.valid & body.host),
            self.node_o.valid.eq(gives | arriving.valid & ~body.host),
            Value.cast(self.node_o.payload).eq(Mux(gives, Value.cast(head), Value.cast(body))),
            from_node.eq(self.node_i.valid & self.node_i.payload.host & received.ready & ~for_host),
            received.put.eq(for_host | from_node), received.i.eq(Mux(for_host, Value.cast(body), own)),
            Value.cast(self.host_o.payload).eq(received.o), self.host_o.valid.eq(received.valid),
            received.take.eq(received.valid & self.host_o.ready),
        ]
        m.d.sync += given.eq(gives)
        return from_node

    def _inject(self, m: Module, from_node: Value, head: Any, to_router: Value) -> Value:
        """To the router; gives whether it takes the host's flit."""
        m.submodules.turn = turn = RoundRobin(2)
        node = self.node_i.payload
        m.d.comb += [
            turn.request[0].eq(self.node_i.valid & ~node.host & self._room(node.tag)),
            turn.request[1].eq(to_router & self._room(head.tag)),
            self.router_o.valid.eq(turn.request.any()),
            self.router_o.payload.eq(Mux(turn.index, Value.cast(head), Value.cast(node))),
            self.node_i.ready.eq(Mux(turn.grant[0] | from_node, -1, 0)),
        ]
        return turn.grant[1]

    def _room(self, tag: Value) -> Value:
        ready = self.router_o.ready
        return ready[0] if self.cfg.queues == 1 else Mux(tag[0], ready[1], ready[0])

    def _includes_node(self, flit: Any) -> Value:
        if self.cfg.masks:
            return flit.columns[0] & flit.rows[0]
        return (flit.x_first == 0) & (flit.y_first == 0)

    def _includes_others(self, flit: Any) -> Value:
        if self.cfg.masks:
            # Of one column or row there is nothing beside it.
            return Cat(flit.columns[1:], flit.rows[1:]).any()
        return flit.x_last.any() | flit.y_last.any()
