"""Tables of a network interface and their words: where flows go, who sends to slots, what credits are missing."""

from enum import IntEnum
from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data
from amaranth.lib.memory import Memory

from mho.hw.noc.config import MeshConfig
from mho.hw.noc.flit import Destinations, coordinate_bits, host_destination
from mho.hw.ports import Component, In, Out
from mho.macro_models.errors import InputError

FLOWS = 16
"""Rows of the table of flows."""

UNIT = 4
"""Flits of a block for the host that go with one credit, where the flow has members: it has room for so many at a time,
and a block may be as long as it likes."""

VALUE_BITS = 20
"""Width of a counter; it wraps."""

_SET_BITS = 16


class Counter(IntEnum):
    """Counters of a node.

    Flits that it injected, and that it received and took, credits and requests included; cycles in which a flit waited
    for the router, and in which a block waited for credits; flits dropped at the ejection port (a slot that is not in
    use, a credit for no block), flits and releases dropped before injection (without a flow or a slot), flits that the
    router dropped since they had no destination but its own node.
    """

    SENT = 0
    RECEIVED = 1
    STALLS = 2
    WAITS = 3
    DROPPED = 4
    REFUSED = 5
    UNROUTABLE = 6


class CreditLayout(data.StructLayout):
    """The low bits of a credit: the ``flow`` of the block, and whether that was an ``odd`` one."""

    def __init__(self) -> None:
        super().__init__({"flow": range(FLOWS), "odd": 1})


def credit_tag(cfg: MeshConfig) -> int:
    """Tag of credits: all ones."""
    return (1 << cfg.tag_bits) - 1


def register_tag(cfg: MeshConfig) -> int:
    """Tag of requests to registers and of their answers, the one below. So this is the number of slots too."""
    return (1 << cfg.tag_bits) - 2


def destination_bits(cfg: MeshConfig) -> int:
    """Width of a set of destinations."""
    return max(Destinations.one(cfg.columns - 1, cfg.rows - 1).pack(cfg).bit_length(), 1)


def member_bits(cfg: MeshConfig) -> int:
    """Width of a number of members: all nodes but the sender, and the host."""
    return cfg.nodes.bit_length()


def credit(flow: int, parity: int) -> int:
    """Payload of a credit for a block of ``flow``; ``parity`` tells even blocks from odd ones."""
    return flow | parity << 4


def flow_word(cfg: MeshConfig, to: Destinations | None, slot: int) -> int:
    """Row of a flow: nodes and the slot of all of them, or the host (``None``) and a tag that it knows.

    Raises InputError if the slot is out of range.
    """
    refuse_number("slot", slot, register_tag(cfg))
    return slot << _SET_BITS | (1 << 20 if to is None else to.pack(cfg))


def slot_word(cfg: MeshConfig, sender: int | None, flow: int, *, in_use: bool = True) -> int:
    """Row of a slot: who sends there, a node or the host (``None``), and the number of its flow there.

    Raises InputError if a number is out of range.
    """
    refuse_number("flow", flow, FLOWS)
    if sender is not None:
        refuse_number("sender", sender, cfg.nodes)
    where = 1 << 21 if sender is None else Destinations.one(*cfg.position(sender)).pack(cfg)
    return where | flow << _SET_BITS | in_use << 20


def refuse_number(name: str, value: int, count: int) -> None:
    """Raise an :class:`InputError` unless a number is one of ``count``."""
    if not 0 <= value < count:
        raise InputError(f"{name} must be 0 to {count - 1}, not {value!r}")


_ROW = range(FLOWS)


def legal(cfg: MeshConfig, to: Value) -> Value:
    """Whether a set of destinations, as of :class:`mho.hw.noc.flit.FlitLayout`, is not empty and in the mesh."""
    ok = []
    for size in (cfg.rows, cfg.columns):
        if cfg.masks:
            ok.append(to[:size].any())
            to = to[size:]
            continue
        bits = coordinate_bits(size)
        first, last = to[:bits], to[bits : 2 * bits]
        ok += [first <= last, last < size] if size & (size - 1) else [first <= last]
        to = to[2 * bits :]
    return Cat(ok).all() & ~to.any() if len(to) else Cat(ok).all()


def _place(cfg: MeshConfig, to: Value, host: Value) -> Value:
    """Destinations that a row holds: those that are written, or the host's."""
    return Cat(bit | host if host_destination(cfg) >> k & 1 else bit & ~host for k, bit in enumerate(to))


def _memory(m: Module, name: str, shape: Any, write: tuple[Value, Value, Value], address: Value) -> Value:
    """A memory of a row for each flow or slot: written (address, data, enable), read at once."""
    memory = Memory(shape=data.StructLayout(shape).size if isinstance(shape, dict) else shape, depth=FLOWS, init=[])
    m.submodules[name] = memory
    port = memory.write_port()
    read = memory.read_port(domain="comb")
    m.d.comb += [port.addr.eq(write[0]), port.data.eq(write[1]), port.en.eq(write[2]), read.addr.eq(address)]
    return read.data


class FlowTable(Component[MeshConfig]):
    """Rows of flows, and the credits that are missing for the last even and the last odd block of each.

    A block may start when no credit of the block before the last is missing. Credits and writes have the memory of
    credits first: ``free`` is 0 while one comes.
    """

    row = In(4)
    value = In(22)
    """Row and data of a write."""
    write = In(1)
    write_members = In(1)
    """What is written."""
    credit = In(1)
    credit_of = In(CreditLayout())
    """A credit comes. Nothing is written then."""
    clear = In(1)
    """Empties a row, with ``write`` and ``write_members``."""
    spurious = Out(1)
    """The credit belongs to no block."""
    flow = In(4)
    """Flow that is looked up."""
    destinations = Out(lambda self: destination_bits(self.cfg))
    slot = Out(lambda self: self.cfg.tag_bits)
    host = Out(1)
    known = Out(1)
    """Its row; ``known`` says that its set of destinations is legal."""
    free = Out(1)
    """Its next block may start."""
    counted = Out(1)
    """It has members, who give credits."""
    start = In(1)
    """It does. Only when ``free``."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        bits = destination_bits(self.cfg)
        shape = {"destinations": bits, "slot": self.cfg.tag_bits, "host": 1, "known": 1}
        host, slot = self.value[20], self.value[16 : 16 + self.cfg.tag_bits]
        known = (host | legal(self.cfg, self.value[:16])) & (slot < register_tag(self.cfg)) & ~self.clear
        row = Cat(_place(self.cfg, self.value[:bits], host), slot, host, known)
        fields = data.View(data.StructLayout(shape), _memory(m, "rows", shape, (self.row, row, self.write), self.flow))
        m.d.comb += [getattr(self, name).eq(fields[name]) for name in shape]
        self._credits(m)
        return m

    def _credits(self, m: Module) -> None:
        bits = member_bits(self.cfg)
        members = _memory(m, "members", bits, (self.row, self.value[:bits], self.write_members), self.flow)
        shape = data.StructLayout({"even": bits, "odd": bits, "next_odd": 1})
        address = Signal(_ROW)
        before = Signal(shape)
        after = Signal(shape)
        comes = self.credit | self.write_members
        m.d.comb += [
            address.eq(Mux(self.credit, self.credit_of.flow, Mux(self.write_members, self.row, self.flow))),
            self.counted.eq(members.any()),
            self.free.eq(~comes & (Mux(before.next_odd, before.odd, before.even) == 0)),
            self.spurious.eq(self.credit & (Mux(self.credit_of.odd, before.odd, before.even) == 0)),
        ]
        with m.If(self.credit):
            odd = self.credit_of.odd
            m.d.comb += [
                after.even.eq(before.even - ~odd), after.odd.eq(before.odd - odd), after.next_odd.eq(before.next_odd),
            ]
        # Not `start`, which comes late: what is found for it is written with it alone. A write of members gives zeros.
        with m.Elif(~self.write_members):
            m.d.comb += [
                after.even.eq(Mux(before.next_odd, before.even, members)),
                after.odd.eq(Mux(before.next_odd, members, before.odd)), after.next_odd.eq(~before.next_odd),
            ]
        enable = self.credit & ~self.spurious | self.write_members | self.start
        m.d.comb += before.as_value().eq(
            _memory(m, "missing", shape.size, (address, after.as_value(), enable), address)
        )


class SlotTable(Component[MeshConfig]):
    """Rows of slots: who sends there, and whether the next block that is freed is an odd one."""

    row = In(4)
    value = In(22)
    write = In(1)
    """A write. ``freed`` must be 0 then."""
    tag = In(lambda self: self.cfg.tag_bits)
    in_use = Out(1)
    """Looks up whether a slot is in use."""
    slot = In(lambda self: self.cfg.tag_bits)
    """Slot of a block that is freed."""
    known = Out(1)
    destinations = Out(lambda self: destination_bits(self.cfg))
    host = Out(1)
    flow = Out(4)
    odd = Out(1)
    """Whether that is in use, and its sender, its flow there and the parity of the block."""
    freed = In(1)
    """A credit for it is sent."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        bits = destination_bits(self.cfg)
        shape = {"destinations": bits, "flow": 4, "host": 1, "known": 1}
        host = self.value[21]
        used = self.value[20] & (host | legal(self.cfg, self.value[:16]))
        row = Cat(_place(self.cfg, self.value[:bits], host), self.value[16:20], host, used)
        fields = data.View(data.StructLayout(shape), _memory(m, "rows", shape, (self.row, row, self.write), self.slot))
        parity = (Mux(self.write, self.row, self.slot), ~self.write & ~self.odd, self.write | self.freed)
        m.d.comb += [
            self.in_use.eq(_memory(m, "used", 1, (self.row, used, self.write), self.tag)),
            self.odd.eq(_memory(m, "parities", 1, parity, self.slot)),
            *(getattr(self, name).eq(fields[name]) for name in shape),
        ]
        return m
