"""The tokens: for each stream what is there, where it begins and ends, and what is to be acknowledged."""

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, stream
from amaranth.lib.memory import Memory

from mho.hw.block import Resettable
from mho.hw.noc.fifo import RoundRobin
from mho.hw.ports import Bundle, In, Out, array
from mho.hw.tile.isa import STREAMS, Cause
from mho.hw.tile.isa.rules import RING_RULES
from mho.hw.tile.rtl.buffer import ADDRESS_BITS
from mho.hw.tile.rtl.layouts import DescriptorLayout, own_wrongs

WRONGS = (Cause.NONE, Cause.RESERVED, Cause.FIELD, Cause.ADDRESS)
"""What the descriptor of a stream alone can be a cause of."""

COUNT_BITS = 20
"""Bits of the number of blocks that were given back, which wraps: how far a walk can be from there."""

_STREAM = (STREAMS - 1).bit_length()
_WORD = 32


class Change(data.StructLayout):
    """A block of a ``stream`` comes, or is given back (``free``)."""

    def __init__(self) -> None:
        super().__init__({"stream": _STREAM, "free": 1})


class ChangedLayout(data.StructLayout):
    """A block of a ``stream`` comes, or is given back (``free``), where ``there`` are."""

    def __init__(self) -> None:
        super().__init__({"valid": 1, "stream": _STREAM, "free": 1, "there": 8})


class RingLayout(data.StructLayout):
    """What is known of a ring.

    ``there``: blocks; ``freed``: how many were given back since the start, modulo 2**20; ``head``, ``tail``: addresses
    of the oldest block and of the next one; ``base``: that of the first one; ``block``, ``blocks``: size of a block and
    of the ring; ``remote``: others fill it; ``head_left``: blocks from ``head`` to the end of the ring; ``wrong``: what
    is wrong with the descriptor, one of :data:`WRONGS` by its place there.
    """

    def __init__(self) -> None:
        super().__init__({
            "there": 8, "freed": COUNT_BITS, "head": ADDRESS_BITS, "tail": ADDRESS_BITS, "base": ADDRESS_BITS,
            "block": 12, "blocks": 8, "remote": 1, "head_left": 8, "wrong": 2,
        })


class StateLayout(data.StructLayout):
    """What is kept of a ring.

    ``unacked``: blocks that came and were not acknowledged, two at most; ``head_left``, ``tail_left``: blocks from
    ``head`` and from ``tail`` to the end of the ring, 1 at least; the others as in :class:`RingLayout`.
    """

    def __init__(self) -> None:
        super().__init__({
            "there": 8, "unacked": 2, "freed": COUNT_BITS, "head": ADDRESS_BITS, "tail": ADDRESS_BITS,
            "head_left": 8, "tail_left": 8, "wrong": 2,
        })


class AskPort(Bundle):
    """Asks for a ring, seen from whoever asks."""

    stream = Out(_STREAM)
    valid = Out(1)
    """Which, and that somebody asks; they stay until the answer is there."""
    again = Out(1)
    """The last answer was not what is waited for: there is none until a block of some ring has come or was given back
    since. It may be taken back."""
    ready = In(1)
    ring = In(RingLayout())
    """The answer is there, in this cycle, the second one at the earliest. Others who ask go first once each at most."""


class RingScoreboard(Resettable):
    """Rings of all streams.

    A change is done in the cycle of its transfer, one a cycle; of several the port with the least number goes first.
    In a ring that others fill each block is acknowledged when at least two blocks of the ring are not taken by blocks
    that were acknowledged and not given back: an acknowledgement goes when nothing else changes. Reference:
    ``tests/hw/tile/scoreboard_model.py``.

    Parameters
    ----------
    changes, asks
        Numbers of ports.
    buffer_bytes
        Bytes of the buffer, within which rings end.
    streams
        Number of rings.
    """

    start = In(1)
    ready = Out(1)
    """Strobe: all rings take their first blocks, and are looked at, in a cycle for each block that they have room for
    and two for each stream. It is not ready then, and nothing is taken."""
    claim = In(1)
    """Port 0 has to itself what it may change in this cycle: others wait, whether it does or not."""
    map = Out(1)
    map_slot = Out(_STREAM)
    map_stream = Out(_STREAM)
    """At the start: a legal stream that others fill, and its slot; one after the other, the least number first."""
    change = array(In(stream.Signature(Change())), lambda self: self.changes)
    """Changes; a block that comes has room, one that is given back is there."""
    ask = array(In(AskPort()), lambda self: self.asks)
    """Questions."""
    fill_stream = In(_STREAM)
    fill_ring = Out(RingLayout())
    """A ring for whoever cannot wait for an answer."""
    acknowledge = Out(stream.Signature(_STREAM))
    """Slots of blocks that are acknowledged."""
    moved = Out(1)
    """A block of some ring came or was given back in the cycle before."""
    changed = Out(ChangedLayout())
    who = Out(lambda self: self.changes)
    """For a trace: a change, and whose, a bit for each port."""
    write = In(1)
    write_index = In(_STREAM + 1)
    write_data = In(_WORD)
    """Writes a word of the descriptors."""

    def __init__(
        self, changes: int, asks: int, buffer_bytes: int = 1 << ADDRESS_BITS, streams: int = STREAMS
    ) -> None:
        self.changes, self.asks, self.buffer_bytes, self.streams = changes, asks, buffer_bytes, streams
        super().__init__()

    def elaborate(self, platform: object) -> Any:
        m = Module()
        number = Signal(_STREAM)
        before = Signal(StateLayout())
        after = Signal(StateLayout())
        ring = Signal(DescriptorLayout("stream"))
        changes = Signal()
        free = Signal()
        acks = Signal()
        owing = Signal(self.streams)
        empty = Signal()
        comes = Signal()
        row = Signal(_STREAM)
        judges = Signal()
        wrong = Signal(2)
        ports = self.change
        self._start(m, ring, empty, comes, judges, row, wrong)
        self._choose(m, changes, free, number, row, owing)
        m.d.comb += [
            acks.eq(
                ~changes & ~self.claim & self.ready & owing.any() & (~self.acknowledge.valid | self.acknowledge.ready)),
            after.eq(before),
            self.changed.valid.eq(changes), self.changed.stream.eq(number), self.changed.free.eq(free),
            self.changed.there.eq(before.there),
            self.who.eq(Cat(port.valid & port.ready for port in ports)),
        ]
        self._step(m, ring, before, after, free & changes, ~free & changes | comes)
        # Credit for a sender: a block is acknowledged only when two more still fit behind it.
        with m.If(changes & ~free & ring.remote):
            m.d.comb += after.unacked.eq(before.unacked + 1)
        with m.Elif(acks):
            m.d.comb += after.unacked.eq(before.unacked - 1)
        with m.If(empty):
            m.d.comb += [
                after.eq(0), after.head.eq(ring.base), after.tail.eq(ring.base), after.head_left.eq(ring.blocks),
                after.tail_left.eq(ring.blocks),
            ]
        with m.If(judges):
            m.d.comb += after.wrong.eq(wrong)
        with m.If(~self.acknowledge.valid | self.acknowledge.ready):
            m.d.sync += [self.acknowledge.valid.eq(acks), self.acknowledge.payload.eq(ring.slot)]
        writes = empty | comes | judges | changes | acks
        self._owe(m, ring, after, number, writes, acks, owing)
        question = self._ask(m, changes | empty | comes)
        # Whoever waits for a block or room asks again only behind this.
        m.d.sync += self.moved.eq(changes)
        put = (number, after.as_value(), writes)
        answer = Signal(StateLayout())
        answered = Signal(DescriptorLayout("stream"))
        odd = self.write_index[0]
        written = (self.write_index[1:], self.write_data.replicate(2), Cat(self.write & ~odd, self.write & odd))
        filled = Signal(StateLayout())
        filled_stream = Signal(DescriptorLayout("stream"))
        # Three copies of each memory: to change a ring, to answer a question and to fill a ring go on in one cycle.
        for name, value, at, what in (
            ("rings", before, number, put), ("asked_rings", answer, question, put),
            ("streams", ring, number, written), ("asked_streams", answered, question, written),
            ("filled_rings", filled, self.fill_stream, put),
            ("filled_streams", filled_stream, self.fill_stream, written),
        ):
            m.d.comb += value.as_value().eq(_memory(m, name, len(value.as_value()), self.streams, what, at))
        ring_view = Signal(RingLayout())
        m.d.comb += [
            *_answer(ring_view, answer, answered), *_answer(self.fill_ring, filled, filled_stream),
            *(port.ring.eq(ring_view) for port in self.ask),
        ]
        return self.resets(m)

    def _start(
        self, m: Module, ring: data.View, empty: Signal, comes: Signal, judges: Signal, row: Signal, wrong: Signal
    ) -> None:
        """Empties one ring after the other, lets its first blocks come, and finds where it ends."""
        left = Signal(8)
        room = Signal(8)
        # Whether the end was beyond the buffer in a cycle before, and whether it is.
        end = Signal(ADDRESS_BITS + 1)
        beyond = Signal()
        far = Signal()
        reserved, field = own_wrongs("stream", ring)
        for _, breaks in RING_RULES:
            field |= breaks(ring)
        # What it breaks by itself is known a cycle later; its row stays until it is judged.
        late = Signal(2, name="of_itself")
        m.d.sync += late.eq(Cat(reserved, field))
        reserved, field = late
        m.d.comb += [
            far.eq(beyond | (end > self.buffer_bytes)),
            wrong.eq(Mux(reserved, WRONGS.index(Cause.RESERVED), Mux(field, WRONGS.index(Cause.FIELD), Mux(
                far, WRONGS.index(Cause.ADDRESS), 0)))),
            self.map.eq(judges & ring.remote & (wrong == 0)), self.map_slot.eq(ring.slot), self.map_stream.eq(row),
        ]
        with m.FSM():
            with m.State("Idle"):
                m.d.comb += self.ready.eq(~self.start)
                m.d.sync += row.eq(0)
                with m.If(self.start):
                    m.next = "Empty"
            with m.State("Empty"):
                m.d.comb += empty.eq(1)
                m.d.sync += [left.eq(ring.first), room.eq(ring.blocks), end.eq(ring.base), beyond.eq(0)]
                m.next = "Fill"
            with m.State("Fill"):
                m.d.comb += comes.eq((left != 0) & (room != 0))
                m.d.sync += [
                    left.eq(left - comes), room.eq(room - 1), end.eq(end + ring.block), beyond.eq(far),
                ]
                with m.If(room == 0):
                    m.d.comb += judges.eq(1)
                    m.d.sync += row.eq(row + 1)
                    m.next = "Empty"
                    with m.If(row == self.streams - 1):
                        m.next = "Idle"

    def _choose(self, m: Module, changes: Signal, free: Signal, number: Signal, row: Value, owing: Value) -> None:
        """The stream that changes, or the first that owes an acknowledgement."""
        busy: Value = ~self.ready
        for k in range(self.changes):
            port = self.change[k]
            blocked = Signal(name=f"others_{k}")
            m.d.comb += [blocked.eq(busy), port.ready.eq(~blocked)]
            busy = blocked | (port.valid if k else port.valid | self.claim)
        with m.If(~self.ready):
            m.d.comb += number.eq(row)
        with m.Else():
            for k in reversed(range(self.streams)):
                with m.If(owing[k]):
                    m.d.comb += number.eq(k)
            for k in reversed(range(self.changes)):
                port = self.change[k]
                with m.If(port.valid):
                    m.d.comb += [number.eq(port.payload.stream), free.eq(port.payload.free), changes.eq(1)]
            # Its stream is known long before whether it changes anything.
            port = self.change[0]
            with m.If(self.claim):
                m.d.comb += [
                    number.eq(port.payload.stream), free.eq(port.payload.free), changes.eq(port.valid),
                ]

    def _owe(
        self, m: Module, ring: data.View, after: data.View, number: Value, writes: Value, acks: Value, owing: Signal
    ) -> None:
        """Which streams owe an acknowledgement: seen a cycle after a change, and none in the cycle after one."""
        changed = Signal(name="wrote")
        which = Signal(_STREAM)
        remote = Signal()
        unacked = Signal(2)
        blocks_there = Signal(8, name="there")
        blocks = Signal(8)
        m.d.sync += [
            changed.eq(writes), which.eq(number), remote.eq(ring.remote), unacked.eq(after.unacked),
            blocks_there.eq(after.there), blocks.eq(ring.blocks),
        ]
        with m.If(changed):
            m.d.sync += owing.bit_select(which, 1).eq(remote & (unacked != 0) & (blocks_there + 2 < blocks + unacked))
        with m.If(acks):
            m.d.sync += owing.bit_select(number, 1).eq(0)

    def _step(
        self, m: Module, ring: data.View, before: data.View, after: data.View, frees: Value, comes: Value,
    ) -> None:
        """What becomes of a ring where a block is given back or comes."""
        for name, moves in (("head", frees), ("tail", comes)):
            # Blocks to the end are counted down: the end itself would be a product.
            place, left = before[name], before[f"{name}_left"]
            around = left == 1
            with m.If(moves):
                m.d.comb += [
                    after[name].eq(Mux(around, ring.base, place + ring.block)),
                    after[f"{name}_left"].eq(Mux(around, ring.blocks, left - 1)),
                ]
        m.d.comb += [after.there.eq(before.there + comes - frees), after.freed.eq(before.freed + frees)]

    def _ask(self, m: Module, changes: Value) -> Value:
        """The stream that was asked for a cycle ago: round robin."""
        m.submodules.turns = turns = RoundRobin(self.asks)
        ports = self.ask
        question = Signal(_STREAM)
        answers = Signal(self.asks)
        news = Signal(self.asks)
        free = ~answers & self.ready.replicate(self.asks)
        m.d.comb += turns.request.eq(Cat(port.valid & (~port.again | news[k]) for k, port in enumerate(ports)) & free)
        # What changes in the cycle of a grant is in its answer.
        m.d.sync += news.eq((news | changes.replicate(self.asks)) & ~turns.grant)
        m.d.sync += answers.eq(turns.grant)
        for k, port in enumerate(ports):
            m.d.comb += port.ready.eq(answers[k] & port.valid)
            with m.If(turns.grant[k]):
                m.d.sync += question.eq(port.stream)
        return question


def _answer(view: data.View, state: data.View, ring: data.View) -> list[Any]:
    """What is known of a ring."""
    return [
        *(view[name].eq(state[name]) for name in ("there", "freed", "head", "tail", "head_left", "wrong")),
        *(view[name].eq(ring[name]) for name in ("base", "block", "blocks", "remote")),
    ]


def _memory(m: Module, name: str, width: int, depth: int, write: Sequence[Value], address: Value) -> Value:
    """A memory of a row for each stream: written (address, data, enable of each half or of all), read at once."""
    memory = Memory(shape=unsigned(width), depth=depth, init=[])
    m.submodules[name] = memory
    port = memory.write_port(granularity=width // len(write[2]))
    read = memory.read_port(domain="comb")
    m.d.comb += [port.addr.eq(write[0]), port.data.eq(write[1]), port.en.eq(write[2]), read.addr.eq(address)]
    return read.data
