"""The device's end of the host link: requests from a line become accesses to a bus."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import stream
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import connect, flipped

from mho.hw.host.bus import RegisterBus
from mho.hw.host.link.format import (
    COMMAND_BYTES,
    REPLY_HEAD_BYTES,
    REQUEST_HEAD_BYTES,
    Command,
    Kind,
    LinkConfig,
    Status,
)
from mho.hw.host.link.frames import FrameReceiver, FrameSender
from mho.hw.ports import Component, In, Out


class BusMaster(Component[LinkConfig]):
    """One access at a time, given up when the bus does not answer.

    The bus cannot take a request back, so an access that was given up stays in the way: while ``waiting`` its address
    and data must stay and no other may start. Its late answer is dropped.
    """

    start = In(1)
    write = In(1)
    """An access; all but ``start`` keep their values while ``waiting``."""
    address = In(32)
    data = In(32)
    strobe = In(4)

    done = Out(1)
    """It has ended, at least two cycles after ``start``."""
    status = Out(4)
    """How, while ``done``; the word that was read, until the next access ends."""
    word = Out(32)

    waiting = Out(1)
    """The bus has not answered yet."""
    bus = Out(lambda self: RegisterBus(self.cfg.address_width))
    """The bus."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        request, response = self.bus.request, self.bus.response
        active = Signal()
        left = Signal(range(self.cfg.timeout + 1))
        outside: Value = self.address[self.cfg.address_width :].any()
        answered = Signal()
        m.d.comb += [
            request.p.address.eq(self.address[2:]),
            request.p.write.eq(self.write),
            request.p.data.eq(self.data),
            request.p.strobe.eq(self.strobe),
            response.ready.eq(1),
            answered.eq(response.valid & self.waiting),
        ]
        over = Signal()
        # Without an access on the bus it lies outside.
        ended = answered | ~self.waiting
        m.d.comb += over.eq(active & (ended | (left == 0)))
        m.d.sync += self.done.eq(over)
        m.d.sync += self.status.eq(Status.TIMEOUT)
        with m.If(ended):
            m.d.sync += self.status.eq(Mux(response.p.error | ~self.waiting, Status.BUS_ERROR, Status.OK))
        with m.If(answered):
            m.d.sync += self.word.eq(response.p.data)
        with m.If(request.ready):
            m.d.sync += request.valid.eq(0)
        with m.If(answered):
            m.d.sync += self.waiting.eq(0)
        with m.If(self.start):
            m.d.sync += [active.eq(1), left.eq(self.cfg.timeout)]
            m.d.sync += [request.valid.eq(~outside), self.waiting.eq(~outside)]
        with m.Else():
            m.d.sync += left.eq(left - 1)
        with m.If(over):
            m.d.sync += active.eq(0)
        return m


class LinkTarget(Component[LinkConfig]):
    """Executes each request at most once and keeps its reply for as long as it may be asked for again.

    Bytes in, bytes out, as ``tests/hw/host/link/link_device.py`` has them; nothing is taken while a request is executed
    and answered. See docs/design/link.md for the protocol. Latency from the last byte of a request to the first of its
    reply: 4 cycles, 13 for each command, 8 for each word that is written, 4 for each that is read, and 4
    for each access beside those of the bus.
    """

    i = In(stream.Signature(8))
    """Bytes of the line."""
    o = Out(stream.Signature(8))
    """Bytes to the line."""
    bus = Out(lambda self: RegisterBus(self.cfg.address_width))
    """What the requests access."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.receiver = receiver = FrameReceiver(self.cfg.size)
        m.submodules.sender = sender = FrameSender()
        m.submodules.bus_master = master = BusMaster(self.cfg)
        connect(m, outside=flipped(self.i), receiver=receiver.i)
        connect(m, outside=flipped(self.o), sender=sender.o)
        connect(m, outside=flipped(self.bus), master=master.bus)
        _Executor(self.cfg, m, receiver.request, sender.i, master)
        return m


class _Executor:
    """The state machine of a :class:`LinkTarget`, which its constructor adds to ``m``."""

    def __init__(self, cfg: LinkConfig, m: Module, request: Any, reply: Any, master: BusMaster) -> None:
        self.cfg, self.request, self.reply, self.master = cfg, request, reply, master
        # The session and the last request's reply: all that at most once needs.
        self.opened = Signal()
        self.session = Signal(32)
        self.last = Signal(8)
        self.status = Signal(4, init=Status.OPENED)
        self.words = Signal(16)
        self.stored = Signal(range(cfg.size + 1))
        m.submodules.reply_buffer = buffer = Memory(shape=8, depth=cfg.size, init=[])
        self.write = buffer.write_port()
        self.read = buffer.read_port()
        # The command that is executed. Bytes enter from above, least significant first.
        self.head = Signal(8 * COMMAND_BYTES)
        self.word = Signal(32)
        self.polls = Signal(8)
        self.hit = Signal()
        self.position = Signal(range(cfg.size + 1))
        self.index = Signal(range(REPLY_HEAD_BYTES))
        self.fetched = Signal()
        self.at_end = Signal()
        self.final = Signal()
        # The reply that is sent: the one that is kept, or a refusal, which leaves the kept one alone.
        self.opening = Signal()
        self.kept = Signal()
        self.answer = Signal(4)
        self._add(m)

    @property
    def command(self) -> Value:
        return self.head[:2]

    def _add(self, m: Module) -> None:
        master = self.master
        address = self.head[16:]
        m.d.comb += [
            self.request.address.eq(self.position), self.read.addr.eq(self.position),
            self.write.addr.eq(self.stored), self.write.data.eq(master.word.word_select(self.index[:2], 8)),
            master.address.eq(address), master.data.eq(self.word), master.strobe.eq(self.head[4:8]),
            master.write.eq(self.command == Command.WRITE),
        ]
        m.d.sync += self.hit.eq((master.word & self.word).any())
        m.d.sync += self.at_end.eq(self.position == self.request.end)
        legal = (self.command != 0) & ~self.head[3] & (self.head[8:16] != 0) & (address[:2] == 0)
        with m.FSM():
            with m.State("IDLE"):
                self._judge(m)
            with m.State("HEAD"):
                with m.If(self.fetched & self.at_end & (self.index == 0)):
                    m.next = "REPLY"
                with m.Else():
                    self._fetch(m, self.head, COMMAND_BYTES, "CHECK")
            with m.State("CHECK"):
                m.next = "DATA"
                with m.If(~legal):
                    self._fail(m, Status.REFUSED)
                with m.Elif(self.command == Command.READ):
                    m.next = "ACCESS"
            with m.State("DATA"):
                self._fetch(m, self.word, 4, "ACCESS")
            with m.State("ACCESS"):
                with m.If((self.command != Command.WRITE) & (self.stored == self.cfg.size)):
                    self._fail(m, Status.REFUSED)
                with m.Else():
                    m.d.comb += master.start.eq(1)
                    m.next = "WAIT"
            with m.State("WAIT"):
                with m.If(master.done):
                    m.next = "JUDGE"
                    with m.If(master.status != Status.OK):
                        self._fail(m, master.status)
            with m.State("JUDGE"):
                self._judge_access(m)
            with m.State("STORE"):
                m.d.comb += self.write.en.eq(1)
                m.d.sync += [
                    self.word.eq(self.word[8:]),
                    self.stored.eq(self.stored + 1),
                    self.index.eq(self.index + 1),
                ]
                with m.If(self.index == 3):
                    m.d.sync += self.index.eq(0)
                    self._advance(m)
            with m.State("REPLY"):
                self._send_head(m)
            with m.State("BODY"):
                self._send_body(m)
            with m.State("DONE"):
                m.d.comb += self.request.done.eq(1)
                m.next = "IDLE"

    def _judge(self, m: Module) -> None:
        """A new request, the last one again, or neither."""
        request = self.request
        executing = Signal()
        known = Signal()
        repeated = Signal()
        following = Signal()
        # A cycle late: the head has been there since before the CRC, and what it is compared with even longer.
        m.d.sync += [
            self.opening.eq(request.kind == Kind.OPEN),
            executing.eq(request.kind == Kind.EXECUTE),
            known.eq(self.opened & (self.session == request.session)),
            repeated.eq(request.sequence == self.last),
            following.eq(request.sequence == (self.last + 1)[:8]),
        ]
        with m.If(request.valid):
            self._take(m, executing, known, repeated, following)

    def _take(self, m: Module, executing: Signal, known: Signal, repeated: Signal, following: Signal) -> None:
        """Open, execute, answer again or refuse."""
        request = self.request
        m.d.sync += [self.kept.eq(0), self.index.eq(0), self.fetched.eq(0)]
        m.next = "REPLY"
        with m.If(self.opening):
            m.d.sync += self.answer.eq(Status.OPENED)
            # Opened again it goes on, so that a late repetition of the first request cannot turn back the number.
            with m.If(~known):
                m.d.sync += [self.opened.eq(1), self.session.eq(request.session), self.last.eq(0)]
                m.d.sync += [self.status.eq(Status.OPENED), self.words.eq(0), self.stored.eq(0)]
        with m.Elif(~executing):
            m.d.sync += self.answer.eq(Status.REFUSED)
        with m.Elif(~known):
            m.d.sync += self.answer.eq(Status.NO_SESSION)
        with m.Elif(repeated):
            m.d.sync += self.kept.eq(1)
        with m.Elif(~following):
            m.d.sync += self.answer.eq(Status.OUT_OF_SEQUENCE)
        with m.Else():
            m.d.sync += [self.kept.eq(1), self.last.eq(request.sequence), self.words.eq(0), self.stored.eq(0)]
            m.d.sync += [self.position.eq(REQUEST_HEAD_BYTES), self.status.eq(Status.OK)]
            with m.If(self.master.waiting):
                m.d.sync += self.status.eq(Status.TIMEOUT)
            with m.Else():
                m.next = "HEAD"

    def _fetch(self, m: Module, into: Signal, count: int, after: str) -> None:
        """Take ``count`` bytes of the body, two cycles each; refuse if there are not as many."""
        with m.If(~self.fetched):
            m.d.sync += self.fetched.eq(1)
        with m.Elif(self.at_end):
            self._fail(m, Status.REFUSED)
        with m.Else():
            m.d.sync += [self.fetched.eq(0), self.position.eq(self.position + 1), self.index.eq(self.index + 1)]
            m.d.sync += into.eq(Cat(into[8:], self.request.data))
            with m.If(self.index == count - 1):
                m.d.sync += [self.index.eq(0), self.polls.eq(0)]
                m.next = after

    def _fail(self, m: Module, status: Any) -> None:
        m.d.sync += [self.status.eq(status), self.index.eq(0)]
        m.next = "REPLY"

    def _judge_access(self, m: Module) -> None:
        """What follows an access that was answered."""
        count = self.head[8:16]
        with m.If((self.command == Command.POLL) & ~self.hit):
            m.d.sync += self.polls.eq(self.polls + 1)
            m.next = "ACCESS"
            with m.If(self.polls == 255):
                m.d.sync += count.eq(count - 1)
                with m.If(count == 1):
                    self._fail(m, Status.EXPIRED)
        with m.Else():
            m.d.sync += self.words.eq(self.words + 1)
            with m.If(self.command == Command.WRITE):
                self._advance(m)
            with m.Else():
                m.next = "STORE"

    def _advance(self, m: Module) -> None:
        """To the next word of the command, or the next command."""
        count, address = self.head[8:16], self.head[16:]
        m.d.sync += [count.eq(count - 1), address.eq(address + Mux(self.head[2], 0, 4))]
        with m.If((count == 1) | (self.command == Command.POLL)):
            m.next = "HEAD"
        with m.Elif(self.command == Command.WRITE):
            m.next = "DATA"
        with m.Else():
            m.next = "ACCESS"

    def _send_head(self, m: Module) -> None:
        request, reply = self.request, self.reply
        head = Cat(
            request.session,
            Mux(self.opening, self.last, request.sequence),
            Mux(self.kept, self.status, self.answer), Const(0, 4),
            Mux(self.kept, self.words, Mux(self.opening, self.cfg.opened, 0)),
        )
        with_body = self.kept & (self.stored != 0)
        final = self.index == REPLY_HEAD_BYTES - 1
        m.d.comb += [reply.valid.eq(1), reply.p.data.eq(head.word_select(self.index, 8))]
        m.d.comb += reply.p.last.eq(final & ~with_body)
        with m.If(reply.ready):
            m.d.sync += [self.index.eq(self.index + 1), self.position.eq(0), self.fetched.eq(0)]
            with m.If(final):
                with m.If(with_body):
                    m.next = "BODY"
                with m.Else():
                    m.next = "DONE"

    def _send_body(self, m: Module) -> None:
        reply = self.reply
        m.d.comb += [reply.valid.eq(self.fetched), reply.p.data.eq(self.read.data), reply.p.last.eq(self.final)]
        with m.If(~self.fetched):
            m.d.sync += [self.fetched.eq(1), self.final.eq(self.position + 1 == self.stored)]
        with m.Elif(reply.ready):
            m.d.sync += [self.fetched.eq(0), self.position.eq(self.position + 1)]
            with m.If(self.final):
                m.next = "DONE"
