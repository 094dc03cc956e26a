"""Frames of the host link in hardware: the receiver with its buffer, and the sender."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, stream
from amaranth.lib.memory import Memory

from mho.hw.host.link.format import CRC_BYTES, ESCAPE, ESCAPE_XOR, FLAG, REQUEST_HEAD_BYTES
from mho.hw.ports import Bundle, Component, In, Out

POLYNOMIAL = 0xEDB88320
"""Of IEEE 802.3, bits reversed."""

RESIDUE = 0xDEBB20E3
"""What the register holds after a message and its own CRC, lowest byte first."""


class Crc32(Component):
    """CRC-32 (IEEE), whose reference is :func:`zlib.crc32`: a byte every 9 cycles.

    A byte on a serial line takes longer, and one bit a cycle is a third of the logic of a byte a cycle
    (:mod:`amaranth.lib.crc`).
    """

    start = In(1)
    """Begin a message; the byte that is being taken is dropped."""
    i = In(stream.Signature(8))
    """Its bytes."""
    crc = Out(32)
    """CRC of the bytes so far, while ``i.ready``."""
    good = Out(1)
    """The last four bytes were the CRC of those before, while ``i.ready``."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        register = Signal(32, init=0xFFFFFFFF)
        left = Signal(range(9))
        m.d.comb += [self.i.ready.eq(left == 0), self.crc.eq(~register), self.good.eq(register == RESIDUE)]
        with m.If(self.start):
            m.d.sync += [register.eq(0xFFFFFFFF), left.eq(0)]
        with m.Elif(left != 0):
            feedback = Mux(register[0], Const(POLYNOMIAL, 32), 0)
            m.d.sync += [register.eq(Cat(register[1:], Const(0, 1)) ^ feedback), left.eq(left - 1)]
        with m.Elif(self.i.valid):
            m.d.sync += [register.eq(register ^ self.i.payload), left.eq(8)]
        return m


_FRAME_BYTES = data.StructLayout({"data": 8, "last": 1})


class Request(Bundle):
    """A request that was received undamaged, seen from the receiver.

    Parameters
    ----------
    size
        Bytes of the buffer.
    """

    valid = Out(1)
    """There is one; nothing is received until it is ``done``."""
    session = Out(32)
    sequence = Out(8)
    kind = Out(8)
    """Its head."""
    end = Out(lambda self: range(self.size + 1))
    """Bytes of the head and the body."""
    done = In(1)
    """Forget it."""
    address = In(lambda self: range(self.size))
    data = Out(8)
    """The byte at ``address``, one cycle later."""

    def __init__(self, size: int) -> None:
        self.size = size
        super().__init__()


class FrameReceiver(Component):
    """Takes requests out of the bytes of a line; what is damaged, too short or too long is dropped without a word.

    A byte takes up to 9 cycles. Its reference is :class:`mho.hw.host.link.format.FrameReader`.
    """

    i = In(stream.Signature(8))
    """Bytes of the line."""
    request = Out(lambda self: Request(self.size))
    """The last request."""

    def __init__(self, size: int) -> None:
        self.size = size
        super().__init__()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.checksum = crc = Crc32()
        m.submodules.buffer = buffer = Memory(shape=8, depth=self.size, init=[])
        write = buffer.write_port()
        read = buffer.read_port()
        request: Any = self.request
        head = Signal(8 * REQUEST_HEAD_BYTES)
        count = Signal(range(self.size + 1))
        full = Signal()
        overlong = Signal()
        escaped = Signal()
        complete = Signal()
        content = Signal(8)
        take = Signal()
        m.d.comb += [
            self.i.ready.eq(~request.valid & crc.i.ready),
            take.eq(self.i.valid & self.i.ready),
            content.eq(self.i.payload ^ Mux(escaped, ESCAPE_XOR, 0)),
            full.eq(count == self.size),
            complete.eq(crc.good & (count >= REQUEST_HEAD_BYTES + CRC_BYTES) & ~overlong & ~escaped),
            crc.i.payload.eq(content),
            write.addr.eq(count), write.data.eq(content),
            Cat(request.session, request.sequence, request.kind).eq(head),
            read.addr.eq(request.address), request.data.eq(read.data),
        ]
        m.d.sync += request.end.eq(count - CRC_BYTES)
        forget = Signal()
        with m.If(take & (self.i.payload == FLAG)):
            m.d.sync += [escaped.eq(0), request.valid.eq(complete)]
            m.d.comb += forget.eq(~complete)
        with m.Elif(take & (self.i.payload == ESCAPE) & ~escaped):
            m.d.sync += escaped.eq(1)
        with m.Elif(take):
            m.d.sync += escaped.eq(0)
            m.d.comb += [crc.i.valid.eq(1), write.en.eq(~full)]
            with m.If(full):
                m.d.sync += overlong.eq(1)
            with m.Else():
                m.d.sync += count.eq(count + 1)
            with m.If(count < REQUEST_HEAD_BYTES):
                m.d.sync += head.eq(Cat(head[8:], content))
        with m.If(request.done):
            m.d.sync += request.valid.eq(0)
            m.d.comb += forget.eq(1)
        with m.If(forget):
            m.d.sync += [count.eq(0), overlong.eq(0)]
            m.d.comb += crc.start.eq(1)
        return m


class FrameSender(Component):
    """Makes frames of bytes: flags, escapes and the CRC. A byte takes up to 9 cycles, the next frame waits its turn.

    Its reference is :func:`mho.hw.host.link.format.encode_frame`.
    """

    i = In(stream.Signature(_FRAME_BYTES))
    """Contents."""
    o = Out(stream.Signature(8))
    """Bytes of the line."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.checksum = crc = Crc32()
        byte = Signal(8)
        last = Signal()
        ending = Signal()
        escaped = Signal()
        number = Signal(range(CRC_BYTES))
        special = (byte == FLAG) | (byte == ESCAPE)
        m.d.comb += crc.i.payload.eq(self.i.p.data)
        with m.FSM():
            with m.State("BEGIN"):
                m.d.comb += [crc.start.eq(1), self.o.valid.eq(self.i.valid), self.o.payload.eq(FLAG)]
                m.d.sync += last.eq(0)
                with m.If(self.i.valid & self.o.ready):
                    m.next = "TAKE"
            with m.State("TAKE"):
                with m.If(crc.i.ready & last):
                    m.d.sync += [byte.eq(crc.crc.word_select(number, 8)), number.eq(number + 1)]
                    m.next = "SEND"
                with m.Elif(crc.i.ready):
                    m.d.comb += [self.i.ready.eq(1), crc.i.valid.eq(self.i.valid)]
                    m.d.sync += [byte.eq(self.i.p.data), last.eq(self.i.valid & self.i.p.last)]
                    with m.If(self.i.valid):
                        m.next = "SEND"
            with m.State("SEND"):
                m.d.comb += [self.o.valid.eq(1), self.o.payload.eq(byte ^ Mux(escaped, ESCAPE_XOR, 0))]
                with m.If(special & ~escaped):
                    m.d.comb += self.o.payload.eq(ESCAPE)
                    m.d.sync += escaped.eq(self.o.ready)
                with m.Elif(self.o.ready):
                    m.d.sync += [escaped.eq(0), ending.eq(last)]
                    m.next = "TAKE"
                    with m.If(ending & (number == 0)):
                        m.next = "END"
            with m.State("END"):
                m.d.comb += [self.o.valid.eq(1), self.o.payload.eq(FLAG)]
                m.d.sync += ending.eq(0)
                with m.If(self.o.ready):
                    m.next = "BEGIN"
        return m
