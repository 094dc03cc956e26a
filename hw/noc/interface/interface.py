"""The network interface: blocks of a node to and from the mesh, with a credit for each block."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.noc.channel import Channel
from hw.noc.config import HOST_POSITION, MeshConfig
from hw.noc.flit import BodyLayout, Destinations, FlitLayout
from hw.noc.interface.control import (
    FLOWS,
    TOKEN_BITS,
    VALUE_BITS,
    ControlLayout,
    Counter,
    Operation,
    Table,
    control_tag,
)
from hw.noc.interface.tables import FlowTable, SlotTable
from hw.noc.reduction.router import SetupLayout
from macro_models.errors import InputError

__all__ = ["Arrival", "NetworkInterface", "RxLayout", "TxLayout"]

_WORD = 32


class TxLayout(data.StructLayout):
    """What a node sends: ``payload``; ``flow``, which counts in the first flit of a block; ``last`` of the block."""

    def __init__(self, cfg: MeshConfig) -> None:
        super().__init__({"payload": cfg.payload_bits, "flow": range(FLOWS), "last": 1})


class RxLayout(data.StructLayout):
    """What a node receives: ``payload``, and the ``slot`` that it belongs to."""

    def __init__(self, cfg: MeshConfig) -> None:
        super().__init__({"payload": cfg.payload_bits, "slot": cfg.tag_bits})


class Arrival(wiring.Signature):
    """A stream that is always taken: ``payload`` and ``valid``."""

    def __init__(self, cfg: MeshConfig) -> None:
        super().__init__({"payload": Out(RxLayout(cfg)), "valid": Out(1)})


class NetworkInterface(wiring.Component):
    """Between a node and its router.

    A flit is at the injection port the cycle after the node offered it, if its block has its credits and the router
    room; what arrives is at ``rx`` in the cycle in which it is at the ejection port, which is always ready. Control
    takes effect a cycle later. Credits go before an answer, and that before what the node sends. In the first 16 cycles
    after reset the tables are emptied, and nothing is taken.

    Parameters
    ----------
    cfg
        The mesh, with tags of 2 to 4 bits.

    Raises
    ------
    InputError
        If the tags are wider.

    Members
    -------
    tx : In(stream of TxLayout(cfg))
        Blocks. One ends before the next begins.
    rx : Out(Arrival(cfg))
        What arrives.
    release : In(stream of slots)
        The node has freed a block of a slot.
    inject, eject : Out(Channel(FlitLayout(cfg))), In(Channel(BodyLayout(cfg)))
        The router.
    setup : Out(SetupLayout(cfg))
        Writes entries of the reduction router; only if ``cfg.contexts``.
    lost : In(2)
        Strobes: flits that were dropped outside.
    """

    tx: stream.Interface
    rx: Any
    release: stream.Interface
    inject: Any
    eject: Any
    setup: Any
    lost: Value

    def __init__(self, cfg: MeshConfig) -> None:
        self.cfg = cfg
        super().__init__(self.members(cfg))

    @staticmethod
    def members(cfg: MeshConfig) -> dict[str, Any]:
        """Ports of a network interface."""
        if cfg.tag_bits > 4:
            raise InputError(f"tag_bits must be 2 to 4 with network interfaces, not {cfg.tag_bits}")
        members = {
            "tx": In(stream.Signature(TxLayout(cfg))), "rx": Out(Arrival(cfg)),
            "release": In(stream.Signature(cfg.tag_bits)),
            "inject": Out(Channel(FlitLayout(cfg), cfg.queues)), "eject": In(Channel(BodyLayout(cfg), cfg.queues)),
            "lost": In(2),
        }
        return members | ({"setup": Out(SetupLayout(cfg))} if cfg.contexts else {})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.flows = flows = FlowTable(self.cfg)
        m.submodules.slots = slots = SlotTable(self.cfg)
        cleared = Signal(range(FLOWS + 1))
        m.d.comb += flows.clear.eq(~cleared[-1])
        m.d.sync += cleared.eq(cleared + flows.clear)
        count = {counter: Signal(2, name=f"count_{counter.name.lower()}") for counter in Counter}
        read, row, token = Signal(), Signal(3), Signal(TOKEN_BITS)
        pending = Signal()  # a read that is not yet answered
        word = self._arrive(m, flows, slots, count, pending, read, cleared)
        with m.If(read):
            m.d.sync += [pending.eq(1), row.eq(word.address), token.eq(word.data)]
        value = self._counters(m, count, row)
        answered = self._send(m, flows, slots, count, pending, Cat(value, token, Const(Operation.ANSWER, 3)))
        with m.If(answered):
            m.d.sync += pending.eq(0)
        return m

    def _arrive(
        self, m: Module, flows: FlowTable, slots: SlotTable, count: dict[Counter, Signal], pending: Value, read: Value,
        cleared: Value,
    ) -> Any:
        """What comes from the router: data at once, control from a register."""
        body, arrives = self.eject.payload, self.eject.valid
        word, control, taken, lost = Signal(ControlLayout()), Signal(), Signal(), Signal()
        is_control, mine = body.tag == control_tag(self.cfg), arrives & ~body.host
        m.d.comb += [
            self.eject.ready.eq(Mux(flows.clear, 0, -1)), slots.tag.eq(body.tag),
            self.rx.payload.payload.eq(body.payload), self.rx.payload.slot.eq(body.tag),
            self.rx.valid.eq(mine & ~is_control & slots.in_use),
        ]
        with m.If(arrives):
            m.d.sync += word.as_value().eq(body.payload[:_WORD])
        m.d.sync += [
            control.eq(mine & is_control), taken.eq(self.rx.valid),
            lost.eq(arrives & ~self.rx.valid & ~(mine & is_control)),
        ]
        # The word is 0 until the tables are empty: so is what is written there.
        table, row = word.address[4:], Mux(flows.clear, cleared[:-1], word.address[:4])
        write, reads = (control & (word.operation == operation) for operation in (Operation.WRITE, Operation.READ))
        m.d.comb += [
            *(part.row.eq(row) for part in (flows, slots)), *(part.value.eq(word.data) for part in (flows, slots)),
            flows.credit.eq(control & (word.operation == Operation.CREDIT)),
            flows.write.eq(write & (table == Table.FLOWS) | flows.clear),
            flows.write_members.eq(write & (table == Table.MEMBERS) | flows.clear),
            slots.write.eq(write & (table == Table.SLOTS) & (row < control_tag(self.cfg)) | flows.clear),
            read.eq(reads & (table == Table.COUNTERS) & (row < len(Counter)) & ~pending),
        ]
        good = flows.credit & ~flows.spurious | flows.write | flows.write_members | slots.write | read
        if self.cfg.contexts:
            m.d.comb += [
                self.setup.valid.eq(write & (table == Table.REDUCTION) & (row < self.cfg.contexts)),
                self.setup.context.eq(row), self.setup.entry.as_value().eq(word.data),
            ]
            good = good | self.setup.valid
        m.d.comb += [
            count[Counter.RECEIVED].eq(taken | control & good),
            count[Counter.DROPPED].eq(lost | control & ~good),
        ]
        return word

    def _counters(self, m: Module, count: dict[Counter, Signal], row: Value) -> Value:
        values: list[Value] = []
        for counter, step in count.items():
            value = Signal(VALUE_BITS, name=counter.name.lower())
            # Counted a cycle later: what is dropped is known late. A read comes late enough to see what came before it.
            late = Signal.like(step, name=f"late_{counter.name.lower()}")
            m.d.sync += [late.eq(step), value.eq(value + late)]
            values.append(value)
        for bit in range(3):
            values = [
                Mux(row[bit], values[k + 1], values[k]) if k + 1 < len(values) else values[k]
                for k in range(0, len(values), 2)
            ]
        return values[0]

    def _send(
        self, m: Module, flows: FlowTable, slots: SlotTable, count: dict[Counter, Signal], pending: Value, answer: Value
    ) -> Value:
        """A register before the router, and what it takes; gives the strobe that the answer went there."""
        cfg, flit = self.cfg, Signal(FlitLayout(self.cfg))
        full, ready = Signal(), self.inject.ready[0]
        if cfg.queues > 1:
            ready = Mux(flit.tag[0], self.inject.ready[1], self.inject.ready[0])
        m.d.comb += [self.inject.payload.eq(flit), self.inject.valid.eq(full)]
        moves, opened, flow = Signal(), Signal(), Signal(range(FLOWS))
        first_flow = Mux(opened, flow, self.tx.payload.flow)
        releases, answers, sends = Signal(), Signal(), Signal()
        may = opened | flows.free | ~flows.known & ~flows.clear
        m.d.comb += [
            moves.eq(~full | ready), slots.slot.eq(self.release.payload), flows.flow.eq(first_flow),
            self.release.ready.eq(moves & ~slots.write), releases.eq(self.release.valid & self.release.ready),
            answers.eq(moves & pending & ~self.release.valid),
            self.tx.ready.eq(moves & ~pending & ~self.release.valid & may), sends.eq(self.tx.valid & self.tx.ready),
            slots.freed.eq(releases & slots.known), flows.start.eq(sends & ~opened & flows.known),
        ]
        with m.If(moves):
            m.d.sync += [
                full.eq(slots.freed | answers | sends & flows.known),
                *_load(flit, self._flit(slots, flows, self.release.valid, pending, answer)),
            ]
        with m.If(sends):
            m.d.sync += [opened.eq(~self.tx.payload.last), flow.eq(first_flow)]
        m.d.comb += [
            count[Counter.SENT].eq(full & ready), count[Counter.STALLS].eq(full & ~ready),
            count[Counter.WAITS].eq(self.tx.valid & ~may), count[Counter.UNROUTABLE].eq(self.lost[0] + self.lost[1]),
            count[Counter.REFUSED].eq(releases & ~slots.known | sends & ~flows.known),
        ]
        return answers

    def _flit(
        self, slots: SlotTable, flows: FlowTable, crediting: Value, pending: Value, answer: Value
    ) -> dict[str, Value]:
        """The next flit: a credit, an answer, or what the node sends."""
        cfg = self.cfg
        granted = Cat(slots.flow, slots.odd, Const(Operation.CREDIT << 29 - 5, _WORD - 5))
        host = Destinations.one(*HOST_POSITION).pack(cfg)
        control = crediting | pending
        low = Mux(crediting, granted, Mux(pending, answer, self.tx.payload.payload[:_WORD]))
        return {
            "payload": Cat(low, *(bit & ~control for bit in self.tx.payload.payload[_WORD:])),
            "tag": Mux(control, control_tag(cfg), flows.slot),
            "host": Mux(crediting, slots.host, pending | flows.host),
            "to": Mux(crediting, slots.destinations, Mux(pending, host, flows.destinations)),
        }


def _load(flit: Any, fields: dict[str, Value]) -> list[Any]:
    return [flit.as_value().eq(Cat(fields.values()))]
