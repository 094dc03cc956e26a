"""The network interface: blocks of a node to and from the mesh, with a credit for each block."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from mho.hw import ports
from mho.hw.noc.config import MeshConfig
from mho.hw.noc.flit import Arrival, BodyLayout, Channel, FlitLayout, host_destination
from mho.hw.noc.interface.tables import (
    FLOWS,
    UNIT,
    VALUE_BITS,
    Counter,
    CreditLayout,
    FlowTable,
    SlotTable,
    credit_tag,
    destination_bits,
    register_tag,
)

_WORD = 32


class TxLayout(data.StructLayout):
    """What a node sends: ``payload``; ``flow``, which counts in the first flit of a block; ``last`` of the block."""

    def __init__(self, cfg: MeshConfig) -> None:
        super().__init__({"payload": cfg.payload_bits, "flow": range(FLOWS), "last": 1})


class RxLayout(data.StructLayout):
    """What a node receives: ``payload``, and the ``slot`` that it belongs to."""

    def __init__(self, cfg: MeshConfig) -> None:
        super().__init__({"payload": cfg.payload_bits, "slot": cfg.tag_bits})


class CountersLayout(data.StructLayout):
    """The counters, in the order of their numbers."""

    def __init__(self) -> None:
        super().__init__({counter.name.lower(): VALUE_BITS for counter in Counter})


class TableWrite(wiring.Signature):
    """Writes a row of a table, seen from the writer: ``row``, ``value``, and a bit for the table.

    It is written in the cycle in which that bit and ``ready`` are set: credits go first.
    """

    def __init__(self) -> None:
        super().__init__({
            "row": Out(range(FLOWS)), "value": Out(22), "flow": Out(1), "members": Out(1), "slot": Out(1),
            "ready": In(1),
        })


class NetworkInterface(ports.Component[MeshConfig]):
    """Between a node and its router.

    A flit is at the injection port the cycle after the node offered it, if its block has its credits and the router
    room; what arrives is at ``rx`` in the cycle in which it is at the ejection port, which is always ready. Credits
    take effect a cycle later. Credits go before an answer, and that before what the node sends. In the first 16 cycles
    after reset the tables are emptied, and nothing is taken.

    A block for the host, of a flow with members, is as many blocks as it has ``UNIT`` flits, as far as credits go: each
    of them begins when the one before the last was given back. A write of its members ends the block that is under way.
    """

    tx = ports.In(lambda self: stream.Signature(TxLayout(self.cfg)))
    """Blocks. One ends before the next begins."""
    rx = ports.Out(lambda self: Arrival(RxLayout(self.cfg)))
    """What arrives."""
    release = ports.In(lambda self: stream.Signature(self.cfg.tag_bits))
    """The node has freed a block of a slot."""
    inject = ports.Out(lambda self: Channel(FlitLayout(self.cfg)))
    eject = ports.In(lambda self: Channel(BodyLayout(self.cfg)))
    """The router."""
    request = ports.Out(Arrival(_WORD))
    answer = ports.In(stream.Signature(_WORD))
    """Words of requests to registers, the cycle after they arrive, and of answers."""
    tables = ports.In(TableWrite())
    """Writes rows of flows and slots."""
    counters = ports.Out(CountersLayout())
    """What was counted until the cycle before the last."""
    lost = ports.In(1)
    """Strobe: the router dropped a flit."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.flows = flows = FlowTable(self.cfg)
        m.submodules.slots = slots = SlotTable(self.cfg)
        cleared = Signal(range(FLOWS + 1))
        m.d.comb += flows.clear.eq(~cleared[-1])
        m.d.sync += cleared.eq(cleared + flows.clear)
        count = {counter: Signal(name=f"count_{counter.name.lower()}") for counter in Counter}
        self._arrive(m, flows, slots, count)
        self._write(m, flows, slots, cleared)
        self._send(m, flows, slots, count)
        for counter, step in count.items():
            value = self.counters[counter.name.lower()]
            # Counted a cycle later: what is dropped is known late.
            late = Signal.like(step, name=f"late_{counter.name.lower()}")
            m.d.sync += [late.eq(step), value.eq(value + late)]
        return m

    def _arrive(self, m: Module, flows: FlowTable, slots: SlotTable, count: dict[Counter, Signal]) -> None:
        """What comes from the router: data at once, the rest from a register."""
        body, arrives = self.eject.payload, self.eject.valid
        word = Signal(_WORD)
        credits = Signal()
        taken = Signal()
        lost = Signal()
        is_credit, is_request = body.tag == credit_tag(self.cfg), body.tag == register_tag(self.cfg)
        m.d.comb += [
            self.eject.ready.eq(Mux(flows.clear, 0, -1)), slots.tag.eq(body.tag),
            self.rx.payload.payload.eq(body.payload), self.rx.payload.slot.eq(body.tag),
            self.rx.valid.eq(arrives & slots.in_use), self.request.payload.eq(word),
        ]
        with m.If(arrives):
            m.d.sync += word.eq(body.payload[:_WORD])
        m.d.sync += [
            credits.eq(arrives & is_credit), self.request.valid.eq(arrives & is_request), taken.eq(self.rx.valid),
            lost.eq(arrives & ~slots.in_use & ~is_credit & ~is_request),
        ]
        m.d.comb += [
            flows.credit.eq(credits), flows.credit_of.eq(word[: CreditLayout().size]),
            count[Counter.RECEIVED].eq(taken | self.request.valid | credits & ~flows.spurious),
            count[Counter.DROPPED].eq(lost | credits & flows.spurious),
        ]

    def _write(self, m: Module, flows: FlowTable, slots: SlotTable, cleared: Value) -> None:
        """Rows of the tables: emptied after reset, then what is written when no credit comes."""
        clear = flows.clear
        ready = Signal()
        row, value = Mux(clear, cleared[:-1], self.tables.row), Mux(clear, 0, self.tables.value)
        m.d.comb += [
            ready.eq(~clear & ~flows.credit), self.tables.ready.eq(ready),
            *(part.row.eq(row) for part in (flows, slots)), *(part.value.eq(value) for part in (flows, slots)),
            flows.write.eq(self.tables.flow & ready | clear),
            flows.write_members.eq(self.tables.members & ready | clear),
            slots.write.eq(self.tables.slot & ready | clear),
        ]

    def _send(self, m: Module, flows: FlowTable, slots: SlotTable, count: dict[Counter, Signal]) -> None:
        """A register before the router, and what it takes."""
        flit = Signal(FlitLayout(self.cfg))
        full = Signal()
        ready = self.inject.ready
        m.d.comb += [self.inject.payload.eq(flit), self.inject.valid.eq(full)]
        moves = Signal()
        flow = Signal(range(FLOWS))
        pending = self.answer.valid
        # By itself, since a signal is named by what it is assigned to, and the proofs find it by its name.
        opened = Signal()
        first_flow = Mux(opened, flow, self.tx.payload.flow)
        releases = Signal()
        sends = Signal()
        # What the host has no room for yet: the block goes on with a credit of its own.
        in_unit = Signal(range(UNIT))
        due = Signal(name="unit_due")
        ends = Signal(name="unit_ends")
        may = opened & ~due | flows.free | ~flows.known & ~flows.clear
        m.d.comb += [
            moves.eq(~full | ready), slots.slot.eq(self.release.payload), flows.flow.eq(first_flow),
            self.release.ready.eq(moves & ~slots.write), releases.eq(self.release.valid & self.release.ready),
            self.answer.ready.eq(moves & ~self.release.valid),
            self.tx.ready.eq(moves & ~pending & ~self.release.valid & may), sends.eq(self.tx.valid & self.tx.ready),
            slots.freed.eq(releases & slots.known), flows.start.eq(sends & (~opened | due) & flows.known),
            ends.eq(flows.host & flows.counted & (in_unit == UNIT - 1)),
        ]
        with m.If(moves):
            m.d.sync += [
                full.eq(slots.freed | pending & ~self.release.valid | sends & flows.known),
                flit.as_value().eq(Cat(self._flit(slots, flows).values())),
            ]
        with m.If(sends):
            last = self.tx.payload.last
            m.d.sync += [
                opened.eq(~last), flow.eq(first_flow), due.eq(ends & ~last),
                in_unit.eq(Mux(ends | last, 0, in_unit + 1)),
            ]
        # A host that sets up a flow anew begins anew, also where the block before was not sent to its end.
        with m.If(flows.write_members & (flows.row == flow)):
            m.d.sync += [opened.eq(0), due.eq(0), in_unit.eq(0)]
        m.d.comb += [
            count[Counter.SENT].eq(full & ready), count[Counter.STALLS].eq(full & ~ready),
            count[Counter.WAITS].eq(self.tx.valid & ~may), count[Counter.UNROUTABLE].eq(self.lost),
            count[Counter.REFUSED].eq(releases & ~slots.known | sends & ~flows.known),
        ]

    def _flit(self, slots: SlotTable, flows: FlowTable) -> dict[str, Value]:
        """The next flit: a credit, an answer, or what the node sends."""
        cfg, crediting, answering = self.cfg, self.release.valid, self.answer.valid
        granted = Cat(slots.flow, slots.odd)
        control = crediting | answering
        low = Mux(crediting, granted, Mux(answering, self.answer.payload, self.tx.payload.payload[:_WORD]))
        return {
            "payload": Cat(low[:_WORD], *(bit & ~control for bit in self.tx.payload.payload[_WORD:])),
            "tag": Mux(crediting, credit_tag(cfg), Mux(answering, register_tag(cfg), flows.slot)),
            "host": Mux(crediting, slots.host, answering | flows.host),
            "to": Mux(
                crediting, slots.destinations,
                Mux(answering, Const(host_destination(cfg), destination_bits(cfg)), flows.destinations),
            ),
        }
