"""The router: which outputs a flit wants, and its inputs; one cycle a hop, every flit routes itself.

XY routing of a set of destinations: a flit goes along its row to every column that it has members in, and along those
columns to its members. The position is an input and no parameter, so that all routers of a mesh are one module.
"""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from mho.hw import ports
from mho.hw.noc.config import MeshConfig
from mho.hw.noc.fifo import FlitFifo, RoundRobin
from mho.hw.noc.flit import (
    OPPOSITE,
    STEP,
    TURNS,
    WANTS,
    BodyLayout,
    Channel,
    ChannelLayout,
    FlitLayout,
    Port,
    coordinate_bits,
    from_host,
    to_host,
)


class PlaceLayout(data.StructLayout):
    """Position of a router: one bit of ``column`` and of ``row`` is set, or, above 8 x 8, their numbers.

    One that is alone needs none.
    """

    def __init__(self, cfg: MeshConfig) -> None:
        if cfg.alone:
            super().__init__({})
        elif cfg.masks:
            super().__init__({"column": cfg.columns, "row": cfg.rows})
        else:
            super().__init__({"column": coordinate_bits(cfg.columns), "row": coordinate_bits(cfg.rows)})

    @staticmethod
    def pack(cfg: MeshConfig, column: int, row: int) -> dict[str, int]:
        """The value of a position."""
        if cfg.alone:
            return {}
        return {"column": 1 << column, "row": 1 << row} if cfg.masks else {"column": column, "row": row}


class _Side:
    """Members of a set before, at and beyond a coordinate."""

    def __init__(self, masks: bool, place: Value, side: tuple[Value, ...], ahead: int) -> None:
        if masks:
            (mask,) = side
            # Shifted, not recomputed: the bits at or beyond the edge are those of a router that is not there.
            shifted = place << ahead if ahead >= 0 else place >> -ahead
            here = shifted[: len(mask)]
            below = (here - 1)[: len(mask)]
            self.before = (mask & below).any()
            self.at = (mask & here).any()
            self.beyond = (mask & ~(below | here)).any()
        else:
            first, last = side
            here = place + Const(ahead)
            self.before = first < here
            self.at = (first <= here) & (here <= last)
            self.beyond = last > here


def wants(cfg: MeshConfig, place: Any, flit: Any, entry: Port, step: tuple[int, int] = (0, 0)) -> list[Value]:
    """Outputs that a flit wants which comes in at ``entry``.

    Parameters
    ----------
    place
        View of :class:`PlaceLayout`.
    flit
        View of a :class:`mho.hw.noc.flit.FlitLayout`.
    entry
        The input that it enters.
    step
        The router that is meant, in columns and rows relative to ``place``.

    Returns
    -------
    list of Value
        One bit for each of ``WANTS[entry]``.
    """
    y = _Side(cfg.masks, place.row, (flit.rows,) if cfg.masks else (flit.y_first, flit.y_last), step[1])
    # The host is a row before the first; a mask has no other rows then, and a rectangle says the first.
    here = y.at if cfg.masks else y.at & ~flit.host
    leaves = {Port.NORTH: y.before | flit.host, Port.SOUTH: y.beyond, Port.LOCAL: here}
    if entry not in (Port.NORTH, Port.SOUTH):
        x = _Side(cfg.masks, place.column, (flit.columns,) if cfg.masks else (flit.x_first, flit.x_last), step[0])
        # Along the row first; a flit leaves it in the columns that it has members in.
        leaves = {leave: x.at & want for leave, want in leaves.items()} | {Port.WEST: x.before, Port.EAST: x.beyond}
    return [leaves[leave] for leave in WANTS[entry]]


class InputUnit(ports.Component[MeshConfig]):
    """Holds flits until each output that they want has taken them.

    The outputs take a flit one by one, whenever they can (an asynchronous fork): ``served`` remembers those that have,
    and the flit leaves with the last. It never waits for two outputs at the same time, which is why trees do not block
    each other.

    Parameters
    ----------
    port
        Which input.
    """

    i = ports.In(lambda self: Channel(ChannelLayout(self.cfg, self.port)))
    """The channel."""
    room = ports.array(ports.In(1), lambda self: self.wants)
    """``ready`` of each output that a flit may want, in the order of ``WANTS[port]``."""
    request = ports.Out(lambda self: self.wants)
    """Outputs that the head wants and that have room for it."""
    grant = ports.In(lambda self: self.wants)
    """Outputs that take it in this cycle: a subset of ``request``."""
    head = ports.Out(lambda self: FlitLayout(self.cfg, self.port))
    """The head; of no meaning without a request."""
    unroutable = ports.Out(1)
    """Strobe: a flit is dropped that wants no output."""

    def __init__(self, cfg: MeshConfig, port: Port) -> None:
        self.port = port
        self.wants = len(WANTS[port])
        super().__init__(cfg)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        shape = ChannelLayout(self.cfg, self.port)
        m.submodules.queue = fifo = FlitFifo(shape.size, self.cfg.depth)
        head = data.View(shape, fifo.o)
        # Outputs that have the head already: it leaves the queue with the last one that it wants, so that a multicast
        # goes on where it can and never twice.
        served = Signal(self.wants)
        # A router looks at `ready` before it is valid, a node need not.
        room = fifo.ready if self.port is Port.LOCAL else 1
        m.d.comb += [
            fifo.i.eq(self.i.payload), fifo.put.eq(self.i.valid & room), self.i.ready.eq(fifo.ready),
            fifo.take.eq(fifo.valid & ~(head.want & ~served & ~self.grant).any()),
            self.unroutable.eq(fifo.valid & ~head.want.any()), Value.cast(self.head).eq(head.flit),
            self.request.eq(Mux(fifo.valid, head.want & ~served & Cat(*self.room), 0)),
        ]
        m.d.sync += served.eq(Mux(fifo.take, 0, served | self.grant))
        return m


_NAMES = {port: port.name.lower() for port in Port}


class Router(wiring.Component):
    """A router of five ports without virtual channels, for flits to one node or to many.

    A flit that an input has taken is offered to the outputs in the next cycle and enters the next router's input at the
    end of that: one cycle a hop, turns, injection, ejection and channel included. What it wants there is found in
    parallel with the arbitration and travels with it.

    Members
    -------
    place : In(PlaceLayout(cfg))
        Position in the mesh, constant.
    north_i, east_i, south_i, west_i : In(Channel(ChannelLayout(cfg, port)))
        From the neighbours.
    north_o, east_o, south_o, west_o : Out(Channel(ChannelLayout(cfg, opposite port)))
        To the neighbours.
    local_i : In(Channel(FlitLayout(cfg)))
        From the node.
    local_o : Out(Channel(BodyLayout(cfg)))
        To the node.
    unroutable : Out(1)
        Strobe: a flit from the node without a destination other than the node was dropped.
    """

    place: Any
    unroutable: Value

    def __init__(self, cfg: MeshConfig) -> None:
        self.cfg = cfg
        super().__init__(self.ports_for(cfg))

    @staticmethod
    def ports_for(cfg: MeshConfig) -> dict[str, Any]:
        """Ports of a router."""
        members: dict[str, Any] = {"place": In(PlaceLayout(cfg)), "unroutable": Out(1)}
        for port, name in _NAMES.items():
            local = port is Port.LOCAL
            i = FlitLayout(cfg) if local else ChannelLayout(cfg, port)
            o = BodyLayout(cfg) if local else ChannelLayout(cfg, OPPOSITE[port])
            members |= {f"{name}_i": In(Channel(i)), f"{name}_o": Out(Channel(o))}
        return members

    def elaborate(self, platform: object) -> Module:
        m = Module()
        units = {port: InputUnit(self.cfg, port) for port in Port}
        for port, unit in units.items():
            m.submodules[f"{_NAMES[port]}_input"] = unit
            channel = getattr(self, f"{_NAMES[port]}_i")
            m.d.comb += [unit.i.valid.eq(channel.valid), channel.ready.eq(unit.i.ready)]
            if port is Port.LOCAL:
                want = Cat(wants(self.cfg, self.place, channel.payload, port))
                m.d.comb += [unit.i.payload.flit.eq(channel.payload), unit.i.payload.want.eq(want)]
            else:
                m.d.comb += unit.i.payload.eq(channel.payload)
            for k, leave in enumerate(WANTS[port]):
                m.d.comb += unit.room[k].eq(getattr(self, f"{_NAMES[leave]}_o").ready)
        for leave in Port:
            self._output(m, leave, units)
        m.d.comb += self.unroutable.eq(units[Port.LOCAL].unroutable)
        return m

    def _output(self, m: Module, leave: Port, units: dict[Port, InputUnit]) -> None:
        channel = getattr(self, f"{_NAMES[leave]}_o")
        entries = TURNS[leave]
        m.submodules[f"{_NAMES[leave]}_arbiter"] = arbiter = RoundRobin(len(entries))
        shape = BodyLayout(self.cfg) if leave is Port.LOCAL else FlitLayout(self.cfg, OPPOSITE[leave])
        candidates = []
        for k, entry in enumerate(entries):
            unit, bit = units[entry], WANTS[entry].index(leave)
            m.d.comb += [arbiter.request[k].eq(unit.request[bit]), unit.grant[bit].eq(arbiter.grant[k])]
            candidate = Value.cast(unit.head)[: shape.size]
            if leave is not Port.LOCAL:
                # What it wants there is found here, beside the arbitration.
                ahead = wants(self.cfg, self.place, unit.head, OPPOSITE[leave], STEP[leave])
                candidate = Cat(candidate, ahead)
            candidates.append(candidate)
        m.d.comb += [
            channel.valid.eq(arbiter.request.any()),
            Value.cast(channel.payload).eq(_select(arbiter.index, candidates)),
        ]


def _select(index: Value, candidates: list[Value]) -> Value:
    """The candidate of this number: of four, in two lookup tables of four inputs a bit.

    The first selects one of two or hands on which of the others the second is to take.
    """
    if len(candidates) == 2:
        return Mux(index, candidates[1], candidates[0])
    a, b, c, d = (Value.cast(candidate) for candidate in candidates)
    first = Mux(index[1], index[0].replicate(len(a)), Mux(index[0], b, a))
    return Mux(index[1], first & d | ~first & c, first)


class LoneRouter(ports.Component[MeshConfig]):
    """What the host sends is for the node, what the node sends is for the host; nothing is kept.

    The ports are those of :class:`mho.hw.noc.router.router.Router` at which node and host are. At both ends of the
    wires there are registers: the host's, and that of the network interface.

    Parameters
    ----------
    cfg
        The mesh, of one node.
    """

    place = ports.In(lambda self: PlaceLayout(self.cfg))
    """Of no width."""
    unroutable = ports.Out(1)
    """Strobe: a flit from the node was dropped that is not for the host."""
    west_i = ports.In(lambda self: from_host(self.cfg))
    north_o = ports.Out(lambda self: to_host(self.cfg))
    """The host."""
    local_i = ports.In(lambda self: Channel(FlitLayout(self.cfg)))
    """From the node."""
    local_o = ports.Out(lambda self: Channel(BodyLayout(self.cfg)))
    """To the node."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        flit, leaves = self.local_i.payload, self.north_o
        m.d.comb += [
            self.local_o.payload.eq(self.west_i.payload), self.local_o.valid.eq(self.west_i.valid),
            self.west_i.ready.eq(self.local_o.ready),
            leaves.payload.payload.eq(flit.payload), leaves.payload.tag.eq(flit.tag),
            leaves.valid.eq(self.local_i.valid & flit.host), self.local_i.ready.eq(leaves.ready | ~flit.host),
            self.unroutable.eq(self.local_i.valid & ~flit.host),
        ]
        return m
