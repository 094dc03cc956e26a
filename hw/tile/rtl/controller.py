"""A tile without its core and its node: program, engines, buffer, tokens, and what the host reaches."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, stream
from amaranth.lib.wiring import connect, flipped

from mho.hw.core.layout import OpLayout, WordsLayout
from mho.hw.host.bus import RegisterBus
from mho.hw.noc.flit import Arrival
from mho.hw.ports import Component, In, Out
from mho.hw.tile.config import TileConfig
from mho.hw.tile.isa import OPCODE_LOW, Cause, Op
from mho.hw.tile.rtl.buffer import Buffer
from mho.hw.tile.rtl.engines.descriptors import Descriptors
from mho.hw.tile.rtl.engines.issue_queue import AGE_BITS, AGES, IMAGE_BITS, InstructionAge, PendingTrap
from mho.hw.tile.rtl.engines.load import LoadEngine, MaskWrite
from mho.hw.tile.rtl.engines.receive import DrainRange, InLayout, Receiver
from mho.hw.tile.rtl.engines.send import OutLayout, SendEngine
from mho.hw.tile.rtl.engines.vector_issue import VectorIssue
from mho.hw.tile.rtl.engines.window_arbiter import WindowArbiter
from mho.hw.tile.rtl.host import ADDRESS_WIDTH, HostAccess
from mho.hw.tile.rtl.layouts import DescriptorWrite, IssueLayout
from mho.hw.tile.rtl.rings import RingScoreboard
from mho.hw.tile.rtl.sequencer.sequencer import Sequencer
from mho.hw.tile.rtl.trace import EventLayout, connect_trace

_STREAM_WORDS = 32


class TileController(Component[TileConfig]):
    """Runs a program on streams that come from and go to a network, with a core behind its vector port.

    Parameters
    ----------
    cfg
        The tile, with flits of 32 or 64 bits.
    """

    bus = In(RegisterBus(ADDRESS_WIDTH))
    """The host, see :class:`mho.hw.tile.rtl.host.HostAccess`."""
    op = Out(stream.Signature(OpLayout()))
    words = Out(lambda self: WordsLayout(self.cfg.output_words))
    codes = Out(stream.Signature(unsigned(32)))
    drain = In(stream.Signature(unsigned(32)))
    """The core: descriptors, with them the words that are to be given, input words, output words. A core that is not
    ``cfg.ranged`` gives all."""
    refused = In(1)
    """The core has dropped an illegal descriptor."""
    i = In(lambda self: Arrival(InLayout(self.cfg)))
    """What arrives in slots."""
    o = Out(lambda self: stream.Signature(OutLayout(self.cfg)))
    """Flits of flows, and operands of reductions."""
    result = In(lambda self: stream.Signature(unsigned(self.cfg.payload_bits)))
    """Sums of the reduction of a context."""
    sum_context = Out(2)
    summing = Out(1)
    reset = Out(1)

    acknowledge = Out(stream.Signature(4))
    """Slots of blocks that are given back to their sender."""
    retire = Out(1)
    retired = Out(IssueLayout())
    """An instruction ended in the sequencer, or was taken by its engine; which."""
    running = Out(1)
    """A program runs, or is about to."""
    busy = Out(3)
    """The engines that load, compute and send have something in hand."""
    irq = Out(1)
    """Interrupt: what the host has enabled of :class:`mho.hw.tile.rtl.host.Event`."""
    mask = Out(stream.Signature(MaskWrite()))
    """Masks of the core, from CORE."""
    trace_sequencer = Out(EventLayout())
    trace_load = Out(EventLayout())
    trace_vector = Out(EventLayout())
    trace_send = Out(EventLayout())
    """What each engine ended, if ``cfg.trace``; else 0."""

    def elaborate(self, platform: object) -> Any:
        m = Module()
        cfg = self.cfg
        m.submodules.host = host = HostAccess(cfg)
        m.submodules.sequencer = sequencer = Sequencer(cfg)
        # Ports of the rings: what arrives, walks, VEC, SEND, the sequencer; the last question is of walks that begin
        # anew.
        m.submodules.tokens = tokens = RingScoreboard(changes=5, asks=6, buffer_bytes=cfg.buffer_bytes)
        m.submodules.descriptors = descriptors = Descriptors(ports=4)
        m.submodules.buffer = buffer = Buffer(cfg, readers=4, writers=3)
        m.submodules.walks = walks = WindowArbiter(cfg, 4)
        m.submodules.load = load = LoadEngine(cfg)
        m.submodules.vector = vector = VectorIssue(cfg)
        m.submodules.send = send = SendEngine(cfg)
        m.submodules.receiver = receiver = Receiver(cfg)
        m.submodules.range = drain = DrainRange(cfg)
        parts: list[Any] = [sequencer, tokens, descriptors, walks, load, vector, send, receiver, drain]
        m.d.comb += [part.soft_reset.eq(host.reset) for part in parts]
        # What cannot wait goes first; a token of the sequencer last.
        changes = (receiver.change, walks.change, vector.change, send.change, sequencer.change)
        asks = (walks.ask, vector.ask, vector.look_ask, send.ask, sequencer.ask, descriptors.ask)
        for ports, users in (
            (tokens.change, changes), (tokens.ask, asks),
            (buffer.read, (load.read, vector.read, send.read, host.read_port)),
            (buffer.write, (receiver.write, vector.write, host.write_port)),
            (descriptors.fetch, (walks.fetch, load.fetch, vector.fetch, host.fetch)),
            (walks.port, (load.walks, vector.walks, load.look, vector.look)),
        ):
            for user, port in zip(users, ports, strict=True):
                connect(m, user, port)
        for inner, outer in (
            (host.bus, self.bus), (load.op, self.op), (load.codes, self.codes), (drain.i, self.drain),
            (receiver.i, self.i), (send.o, self.o), (vector.result, self.result),
            (tokens.acknowledge, self.acknowledge),
        ):
            connect(m, inner, flipped(outer))
        connect(m, drain.o, vector.drain)
        connect(m, host.memory, vector.memory)
        connect(m, sequencer.set, descriptors.set)
        connect(m, walks.place, descriptors.place)
        m.d.comb += [
            receiver.ring.eq(tokens.fill_ring), tokens.claim.eq(receiver.claim), tokens.fill_stream.eq(receiver.number),
            self.sum_context.eq(vector.sum_context), self.summing.eq(vector.summing), self.reset.eq(host.reset),
            self.irq.eq(host.irq), self.retire.eq(sequencer.retire), self.retired.eq(sequencer.retired),
            walks.moved.eq(tokens.moved), vector.moved.eq(tokens.moved),
            drain.add.eq(load.add), drain.first.eq(load.first), drain.last.eq(load.last), drain.take.eq(vector.drains),
            sequencer.undrained.eq(~drain.none), load.block_address.eq(sequencer.block_address),
            load.block_size.eq(sequencer.block_size), self.mask.valid.eq(load.mask.valid),
            load.mask.ready.eq(self.mask.ready), self.mask.p.addr.eq(load.mask.payload),
            self.mask.p.data.eq(load.mask.payload[32:]), load.full.eq(drain.full), self.words.eq(load.words),
            load.refused.eq(self.refused),
            vector.none.eq(drain.none), vector.codes.eq(drain.codes),
            load.set.eq(sequencer.set.valid & sequencer.set.ready), load.set_index.eq(sequencer.set.p.index),
        ]
        if cfg.draws:
            issued = sequencer.issue.valid & sequencer.issue.ready
            m.d.comb += [
                vector.key.eq(host.key), vector.image.eq(load.image),
                vector.begins.eq(host.start | (issued & (sequencer.issue.p.word[OPCODE_LOW:] == Op.IMAGE))),
            ]
        self._issue(m, sequencer, load, vector, send, descriptors)
        self._start(m, host, sequencer, tokens, receiver, descriptors, load)
        self._load(m, host, sequencer, tokens, receiver, descriptors)
        self._trap(m, host, sequencer, load, vector, send)
        if cfg.trace:
            connect_trace(m, self, {
                "sequencer": sequencer, "tokens": tokens, "walks": walks, "load": load, "vector": vector, "send": send})
        return m

    def _issue(
        self, m: Module, sequencer: Sequencer, load: LoadEngine, vector: VectorIssue, send: SendEngine,
        descriptors: Descriptors,
    ) -> None:
        """Each instruction to its engine, if no other is at work on what it reads."""
        op = sequencer.issue.p.word[OPCODE_LOW:]
        engines = ((vector, op == Op.VEC), (send, op == Op.SEND), (load, (op != Op.VEC) & (op != Op.SEND)))
        # The number of the instruction that is offered; whether it would be too far from the oldest one in hand.
        order = Signal(InstructionAge())
        far = Signal()
        # Seen a cycle later: none is issued in the cycle behind another one.
        m.d.sync += far.eq(
            Cat(one.busy & ((order.age - one.oldest)[:AGE_BITS] >= AGES - 1) for one in (load, vector)).any())
        m.d.comb += [
            order.image.eq(load.image), load.others.eq(vector.busy), vector.others.eq(load.busy),
        ]
        with m.If(sequencer.issue.valid & sequencer.issue.ready & (op != Op.SEND)):
            m.d.sync += order.age.eq(order.age + 1)
        for engine, selected in engines:
            rivals = [rival for rival, _ in engines if rival is not engine]
            # Two engines that read one stream would give its blocks back out of order: the later one waits.
            conflict = (engine.wants & (rivals[0].reads | rivals[1].reads)).any()
            # IMAGE and CORE have no stream here: IMAGE only counts, CORE comes when nothing is in hand.
            if engine is load:
                conflict = conflict & (op != Op.IMAGE)
            m.d.comb += [
                engine.i.payload.eq(sequencer.issue.payload), engine.i.valid.eq(sequencer.issue.valid & selected),
                engine.conflict.eq(conflict | (far if engine is not send else 0)),
            ]
            with m.If(selected):
                m.d.comb += sequencer.issue.ready.eq(engine.i.ready)
        m.d.comb += [
            load.order.eq(order), vector.order.eq(order),
            load.settled.eq(descriptors.ready), vector.settled.eq(descriptors.ready),
            self.busy.eq(Cat(load.busy, vector.busy, send.busy)), sequencer.quiet.eq(~(load.busy | vector.busy)),
            sequencer.idle.eq(~(load.busy | vector.busy | send.busy) & descriptors.ready),
        ]

    def _start(
        self, m: Module, host: HostAccess, sequencer: Sequencer, tokens: RingScoreboard, receiver: Receiver,
        descriptors: Descriptors, load: LoadEngine
    ) -> None:
        """Tokens and walks as they are at the start, then the program."""
        # Rings are filled and walks set back for some cycles first: the program waits for all three.
        waits = Signal()
        ready = tokens.ready & receiver.ready & descriptors.ready
        with m.If(host.start):
            m.d.sync += waits.eq(1)
        with m.Elif(ready):
            m.d.sync += waits.eq(0)
        m.d.comb += [
            tokens.start.eq(host.start), receiver.start.eq(host.start), descriptors.start.eq(host.start),
            load.start.eq(host.start), load.first_image.eq(host.image), sequencer.start.eq(waits & ready),
            sequencer.stop.eq(host.stop), host.started.eq(sequencer.start),
            *(register.eq(value) for register, value in zip(sequencer.registers, host.registers, strict=True)),
            host.running.eq(sequencer.running | waits), host.busy.eq(~sequencer.idle),
            self.running.eq(host.running),
        ]

    def _load(
        self, m: Module, host: HostAccess, sequencer: Sequencer, tokens: RingScoreboard, receiver: Receiver,
        descriptors: Descriptors,
    ) -> None:
        """What the host writes into the memories of instructions and descriptors; slots of streams."""
        # Streams are in memories of the rings; a word of another descriptor waits here until that memory is free.
        to_streams = host.write[1] & (host.index < _STREAM_WORDS)
        written = Signal(DescriptorWrite(), reset_less=True)
        pending = Signal()
        m.d.sync += pending.eq(host.write[1] | pending & ~descriptors.load.ready)
        with m.If(host.write[1]):
            m.d.sync += [written.index.eq(host.index), written.word.eq(host.data)]
        m.d.comb += [
            sequencer.write.eq(host.write[0]), sequencer.write_index.eq(host.index), sequencer.write_data.eq(host.data),
            sequencer.look.eq(host.look), host.seen.eq(sequencer.seen),
            tokens.write.eq(to_streams), tokens.write_index.eq(host.index), tokens.write_data.eq(host.data),
            descriptors.load.payload.eq(written), descriptors.load.valid.eq(pending),
            *(getattr(receiver, name).eq(getattr(tokens, name)) for name in ("map", "map_slot", "map_stream")),
        ]

    def _trap(
        self, m: Module, host: HostAccess, sequencer: Sequencer, load: LoadEngine, vector: VectorIssue,
        send: SendEngine,
    ) -> None:
        """Traps of the engines and of the watchdog; the status."""
        idle = Signal(32)
        retired = Signal()
        engines = (load, vector, send)
        m.d.sync += retired.eq(Cat(sequencer.retire, *(engine.ends for engine in engines)).any())
        # It counts by one, so that the bit is 1 first after so many cycles; what retired is seen a cycle later. An
        # engine may wait for ever behind the end of a program.
        watches = (host.watchdog != 0) & Cat(sequencer.running, *(engine.busy for engine in engines)).any()
        expired = watches & idle.bit_select(host.watchdog, 1)
        with m.If(retired | ~watches):
            m.d.sync += idle.eq(retired)
        with m.Else():
            m.d.sync += idle.eq(idle + 1)
        # A trap is told when nothing older is in hand: of two it is the older one.
        first = self._held(m, "load", load, vector, host.reset)
        second = self._held(m, "vector", vector, load, host.reset)
        with m.If(first.trap.cause != 0):
            m.d.comb += sequencer.trapped.eq(first.trap)
        with m.Elif(second.trap.cause != 0):
            m.d.comb += sequencer.trapped.eq(second.trap)
        with m.Elif(expired):
            m.d.comb += [sequencer.trapped.cause.eq(Cause.WATCHDOG), sequencer.trapped.pc.eq(sequencer.retired.pc)]
        trap = sequencer.trap
        image = Signal(IMAGE_BITS)
        m.d.comb += [
            *(host.status[name].eq(trap[name]) for name in ("cause", "engine", "pc", "stream")),
            host.status.image.eq(load.image),
            # Images that began behind the instruction that trapped are taken back.
            load.back.eq((trap.cause != 0) & (load.image[:IMAGE_BITS] != image)),
        ]
        with m.If(trap.cause == 0):
            m.d.sync += image.eq(Mux(first.trap.cause != 0, first.order.image, Mux(
                second.trap.cause != 0, second.order.image, load.image)))

    def _held(self, m: Module, name: str, engine: LoadEngine | VectorIssue, rival: LoadEngine | VectorIssue,
              reset: Value) -> data.View:
        """The trap of an engine, when the other has nothing in hand that was issued before: that may trap too."""
        latched = Signal(PendingTrap(), name=f"{name}_held")
        trap = Signal(PendingTrap(), name=f"{name}_trap")
        # Seen a cycle later: whether nothing is older.
        older = Signal(AGE_BITS, name=f"{name}_older")
        first = Signal(name=f"{name}_first")
        m.d.comb += [older.eq(rival.oldest - latched.order.age), trap.order.eq(latched.order)]
        with m.If(reset):
            m.d.sync += latched.eq(0)
        with m.Elif(latched.trap.cause == 0):
            m.d.sync += latched.eq(engine.found)
        m.d.sync += first.eq((latched.trap.cause != 0) & ~(rival.busy & older[-1]))
        with m.If(first):
            m.d.comb += trap.trap.eq(latched.trap)
        return trap
