"""The host at the corner of the mesh: requests to registers, and flits of its own."""

from collections.abc import Mapping
from typing import Any

from amaranth.hdl import Cat, Const, Module, Signal, Value
from amaranth.lib import data, stream
from amaranth.lib.wiring import connect, flipped

from mho.hw.host.bus import RegisterBus
from mho.hw.noc.config import HOST_POSITION, MeshConfig
from mho.hw.noc.flit import WANTS, Arrival, BodyLayout, FlitLayout, Port, from_host, to_host
from mho.hw.noc.interface.tables import destination_bits, legal, register_tag
from mho.hw.noc.registers.node import RegisterMaster
from mho.hw.noc.registers.packet import BurstBus, host_address_bits
from mho.hw.ports import Component, In, Out


class HostPort(Component[MeshConfig]):
    """A neighbour of the router at (0, 0): sends into its west input, receives from its north output, and never waits.

    Requests to registers go before flits of the host. Those may go to any set of nodes, with any tag but that of
    requests: blocks, for which the host keeps count of credits as an interface does, and credits that it gives.
    """

    bus = In(lambda self: RegisterBus(host_address_bits(self.cfg)))
    """All registers of all nodes: the upper bits of the address are row and column."""
    burst = In(lambda self: BurstBus(host_address_bits(self.cfg)))
    """The same, several words at a time."""
    send = In(lambda self: stream.Signature(FlitLayout(self.cfg)))
    """Flits of the host."""
    receive = Out(lambda self: Arrival(BodyLayout(self.cfg)))
    """What is for the host: blocks for which it has given credits, and credits for its own."""
    lost = Out(1)
    """Strobe: a flit of the host was dropped, since its destinations are none, outside the mesh, or the host, or its
    tag is that of requests."""
    router_i = In(lambda self: to_host(self.cfg))
    router_o = Out(lambda self: from_host(self.cfg))
    """The router."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.master = master = RegisterMaster(self.cfg)
        connect(m, flipped(self.bus), master.bus)
        connect(m, flipped(self.burst), master.burst)
        arrived: Any = Signal(data.StructLayout({"body": BodyLayout(self.cfg), "valid": 1}))
        m.d.sync += [arrived.body.eq(Value.cast(self.router_i.payload)), arrived.valid.eq(self.router_i.valid)]
        is_answer = arrived.body.tag == register_tag(self.cfg)
        m.d.comb += [
            self.router_i.ready.eq(-1), self.receive.payload.eq(arrived.body),
            self.receive.valid.eq(arrived.valid & ~is_answer), master.answer.valid.eq(arrived.valid & is_answer),
            master.answer.payload.eq(arrived.body.payload),
        ]
        self._send(m, master.word)
        return m

    def _send(self, m: Module, word: Any) -> None:
        """A register before the router: words of requests, then flits of the host."""
        cfg = self.cfg
        held = Signal(_held_layout(cfg))
        moves = Signal()
        full = Signal()
        flit, asked = self.send.payload, Value.cast(self.send.payload)
        to = asked[-destination_bits(cfg) :]
        good = legal(cfg, to) & ~flit.host & (flit.tag != register_tag(cfg))
        m.d.comb += [
            moves.eq(~full | self.router_o.ready),
            word.ready.eq(moves), self.send.ready.eq(moves & ~word.valid),
            self.lost.eq(self.send.valid & self.send.ready & ~good),
            self.router_o.valid.eq(full & moves), *_give(cfg, self.router_o.payload, held),
        ]
        with m.If(moves):
            m.d.sync += [full.eq(word.valid | self.send.valid & good), held.as_value().eq(asked)]
            with m.If(word.valid):
                m.d.sync += [held.payload.eq(word.p.word), held.tag.eq(register_tag(cfg))]
                if not cfg.alone:
                    m.d.sync += [held.host.eq(0), held.as_value()[-len(to) :].eq(_to_node(cfg, word.p))]


def host_ports(cfg: MeshConfig) -> dict[str, Any]:
    """Ports of a mesh to the host, by their names: those of :class:`HostPort` but for the router's."""
    ports = HostPort.ports_for(cfg).items()
    return {f"host_{name}": member for name, member in ports if not name.startswith("router")}


def join_host(m: Module, mesh: Any, cfg: MeshConfig, nodes: Mapping[tuple[int, int], Any]) -> None:
    """Add the host's port of a mesh, and connect it with that and with the node at the corner."""
    m.submodules.host_port = host = HostPort(cfg)
    corner = nodes[HOST_POSITION]
    connect(m, host.router_o, corner.west_i)
    connect(m, corner.north_o, host.router_i)
    for name, member in host_ports(cfg).items():
        inside, outside = getattr(host, name.removeprefix("host_")), getattr(mesh, name)
        if member.is_signature:
            connect(m, flipped(outside), inside)
        else:
            m.d.comb += outside.eq(inside)


def _to_node(cfg: MeshConfig, word: Any) -> Value:
    """Destinations of a single node."""
    if cfg.masks:
        return Cat(*(word.row == y for y in range(cfg.rows)), *(word.column == x for x in range(cfg.columns)))
    return Cat(word.row, word.row, word.column, word.column)


def _held_layout(cfg: MeshConfig) -> data.StructLayout:
    """What is kept of a flit: to one node alone all of them go."""
    return BodyLayout(cfg) if cfg.alone else FlitLayout(cfg)


def _give(cfg: MeshConfig, payload: Any, flit: Any) -> list[Any]:
    """A flit as :func:`mho.hw.noc.flit.from_host` has it."""
    if cfg.alone:
        return [payload.eq(flit)]
    return [payload.flit.eq(flit), payload.want.eq(_wants_at_corner(cfg, flit))]


def _wants_at_corner(cfg: MeshConfig, flit: Any) -> Value:
    """Outputs that a flit wants at column 0 and row 0, in the order of ``WANTS[Port.WEST]``."""
    if cfg.masks:
        at_x, at_y = flit.columns[0], flit.rows[0]
        # Of one column or row there is nothing beyond it.
        beyond_x, beyond_y = (s[1:].any() if len(s) > 1 else Const(0) for s in (flit.columns, flit.rows))
    else:
        at_x, beyond_x, at_y, beyond_y = flit.x_first == 0, flit.x_last != 0, flit.y_first == 0, flit.y_last != 0
    leaves = {Port.EAST: beyond_x, Port.NORTH: Const(0), Port.SOUTH: at_x & beyond_y, Port.LOCAL: at_x & at_y}
    return Cat(leaves[leave] for leave in WANTS[Port.WEST])
