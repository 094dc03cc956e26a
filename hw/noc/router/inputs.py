"""One input of a router: its queues, and what their heads still want."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data

from mho.hw.noc.channel import Channel
from mho.hw.noc.config import MeshConfig
from mho.hw.noc.fifo import FlitFifo
from mho.hw.noc.flit import ChannelLayout, FlitLayout
from mho.hw.noc.ports import WANTS, Port
from mho.hw.ports import Component, In, Out, array


class InputUnit(Component[MeshConfig]):
    """Holds flits until each output that they want has taken them.

    The outputs take a flit one by one, whenever they can (an asynchronous fork): ``served`` remembers those that have,
    and the flit leaves with the last. It never waits for two outputs at the same time, which is why trees do not block
    each other.

    Parameters
    ----------
    cfg
        The mesh.
    port
        Which input.

    Members
    -------
    i : In(Channel(ChannelLayout(cfg, port)))
        The channel.
    room : In(cfg.queues).array(wants)
        ``ready`` of each output that a flit may want, in the order of ``WANTS[port]``.
    request : Out(wants)
        Outputs that the head wants and that have room for it.
    grant : In(wants)
        Outputs that take it in this cycle: a subset of ``request``.
    head : Out(FlitLayout(cfg, port))
        The head; of no meaning without a request.
    unroutable : Out(1)
        Strobe: a flit is dropped that wants no output.
    """

    i = In(lambda self: Channel(ChannelLayout(self.cfg, self.port), self.cfg.queues))
    room = array(In(lambda self: self.cfg.queues), lambda self: self.wants)
    request = Out(lambda self: self.wants)
    grant = In(lambda self: self.wants)
    head = Out(lambda self: FlitLayout(self.cfg, self.port))
    unroutable = Out(1)

    def __init__(self, cfg: MeshConfig, port: Port) -> None:
        self.port = port
        self.wants = len(WANTS[port])
        super().__init__(cfg)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        shape = ChannelLayout(self.cfg, self.port)
        several = self.cfg.queues > 1
        picked = Signal(self.cfg.queues)
        able, heads, lost = [], [], []
        for q in range(self.cfg.queues):
            name = f"_{q}" if several else ""
            fifo = FlitFifo(shape.size, self.cfg.depth)
            m.submodules[f"queue{name}"] = fifo
            head = data.View(shape, fifo.o)
            # Outputs that have the head already: it leaves the queue with the last one that it wants, so that a
            # multicast goes on where it can and never twice.
            served = Signal(self.wants, name=f"served{name}")
            granted = Mux(picked[q], self.grant, 0) if several else self.grant
            # A router looks at `ready` before it is valid, a node need not.
            room = fifo.ready if self.port is Port.LOCAL else 1
            mine = self.i.payload.flit.tag[0] == q if several else 1
            m.d.comb += [
                fifo.i.eq(self.i.payload), fifo.put.eq(self.i.valid & mine & room), self.i.ready[q].eq(fifo.ready),
                fifo.take.eq(fifo.valid & ~(head.want & ~served & ~granted).any()),
            ]
            m.d.sync += served.eq(Mux(fifo.take, 0, served | granted))
            able.append(Mux(fifo.valid, head.want & ~served & Cat(room[q] for room in self.room), 0))
            heads.append(Value.cast(head.flit))
            lost.append(fifo.valid & ~head.want.any())
        m.d.comb += self.unroutable.eq(Cat(lost).any())
        if several:
            self._choose(m, able, heads, picked)
        else:
            m.d.comb += [self.request.eq(able[0]), Value.cast(self.head).eq(heads[0])]
        return m

    def _choose(self, m: Module, able: list[Value], heads: list[Value], picked: Signal) -> None:
        """One queue a cycle goes to the outputs: one that can move, by turns if both can."""
        last, second = Signal(), Signal()
        m.d.comb += [
            second.eq(Mux(last, ~able[0].any(), able[1].any())), picked.eq(Mux(second, 0b10, 0b01)),
            self.request.eq(Mux(second, able[1], able[0])), Value.cast(self.head).eq(Mux(second, heads[1], heads[0])),
        ]
        with m.If(self.request.any()):
            m.d.sync += last.eq(second)
