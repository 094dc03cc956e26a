"""Asynchronous serial line: 8 data bits, no parity, 1 stop bit."""

from dataclasses import dataclass

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import stream
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import connect, flipped

from mho.hw.host.bus import RegisterBus
from mho.hw.host.link.endpoint import LinkTarget
from mho.hw.host.link.format import LinkConfig
from mho.hw.ports import Component, In, Out

FRACTION_BITS = 4
"""The period of a bit is a multiple of a 16th of a clock cycle: 3 Mbaud from 25 MHz are off by 0.25 %."""

FRAME_BITS = 10
"""Start bit, 8 data bits, stop bit."""


@dataclass(frozen=True, kw_only=True)
class UartConfig:
    """Static parameters of a serial line.

    Raises ValueError if a bit would be shorter or longer.
    """

    clock_hz: int
    """Frequency of the clock, in Hz."""
    baud: int
    """Bits per second; a bit lasts 8 to 65535 clock cycles."""

    def __post_init__(self) -> None:
        if self.baud < 1 or not 8 * self.baud <= self.clock_hz <= 65535 * self.baud:
            low, high = -(-self.clock_hz // 65535), self.clock_hz // 8
            raise ValueError(f"Baud rate must be between {low} and {high} at {self.clock_hz} Hz, not {self.baud!r}")

    @property
    def period(self) -> int:
        """Of a bit, in 16ths of a clock cycle."""
        scale = 2**FRACTION_BITS
        return (scale * self.clock_hz + self.baud // 2) // self.baud

    @property
    def error(self) -> float:
        """Relative error of the rate."""
        return self.period * self.baud / (2**FRACTION_BITS * self.clock_hz) - 1

    @property
    def half(self) -> int:
        """Clock cycles from the start of a bit to its middle."""
        return self.period >> FRACTION_BITS + 1


class _BitTimer(Component[UartConfig]):
    """Ends of bits: ``tick`` is high in the last cycle of each bit, the first of which begins after ``start``.

    With ``half`` the first bit lasts half as long.
    """

    start = In(1)
    half = In(1)
    tick = Out(1)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        whole, rest = divmod(self.cfg.period, 2**FRACTION_BITS)
        left = Signal(range(whole + 1))
        fraction = Signal(FRACTION_BITS)
        total = Signal(FRACTION_BITS + 1)
        m.d.comb += [
            total.eq(Mux(self.start, 0, fraction) + Mux(self.start & self.half, 0, rest)),
            self.tick.eq(left == 0),
        ]
        with m.If(self.start | self.tick):
            m.d.sync += fraction.eq(total)
            m.d.sync += left.eq(Mux(self.start & self.half, self.cfg.half - 1, whole - 1 + total[-1]))
        with m.Else():
            m.d.sync += left.eq(left - 1)
        return m


class UartReceiver(Component[UartConfig]):
    """Serial line to bytes: majority of three samples in the middle of each bit.

    A start bit that is gone by its middle, and a byte whose stop bit is low, are dropped; so is a byte that comes
    before the last one was taken. Latency: 5 cycles from the middle of the stop bit.
    """

    rx = In(1, init=1)
    """The line, asynchronous."""
    o = Out(stream.Signature(8))
    """The bytes."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.timer = timer = _BitTimer(self.cfg)
        level = Signal(init=1)
        m.submodules.synchronizer = FFSynchronizer(self.rx, level, init=1)
        before = Signal(2, init=3)
        high = Signal()
        bits = Signal(8)
        number = Signal(range(FRAME_BITS))
        m.d.sync += before.eq(Cat(level, before[0]))
        m.d.comb += high.eq((level & before[0]) | (level & before[1]) | before.all())
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += [timer.start.eq(1), timer.half.eq(1)]
                m.d.sync += number.eq(0)
                with m.If(~high):
                    m.next = "BITS"
            with m.State("BITS"):
                with m.If(timer.tick):
                    m.d.sync += [number.eq(number + 1), bits.eq(Cat(bits[1:], high))]
                    with m.If((number == 0) & high):
                        m.next = "IDLE"
                    with m.If(number == FRAME_BITS - 1):
                        self._end(m, high, bits)
            with m.State("BREAK"):
                with m.If(high):
                    m.next = "IDLE"
        return m

    def _end(self, m: Module, high: Value, bits: Value) -> None:
        m.next = "BREAK"
        with m.If(high):
            m.next = "IDLE"
            with m.If(~self.o.valid):
                m.d.sync += [self.o.valid.eq(1), self.o.payload.eq(bits)]


class UartTransmitter(Component[UartConfig]):
    """Bytes to a serial line, one idle cycle between two bytes at least. Latency: 1 cycle."""

    i = In(stream.Signature(8))
    """The bytes."""
    tx = Out(1, init=1)
    """The line."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.timer = timer = _BitTimer(self.cfg)
        bits = Signal(FRAME_BITS - 1, init=-1)
        number = Signal(range(FRAME_BITS + 1))
        m.d.comb += [self.i.ready.eq(number == 0), timer.start.eq(number == 0)]
        with m.If(number == 0):
            with m.If(self.i.valid):
                m.d.sync += [number.eq(FRAME_BITS), self.tx.eq(0), bits.eq(Cat(self.i.payload, Const(1, 1)))]
        with m.Elif(timer.tick):
            m.d.sync += [number.eq(number - 1), self.tx.eq(bits[0]), bits.eq(Cat(bits[1:], Const(1, 1)))]
        return m


class UartBridge(Component[LinkConfig]):
    """The host link (docs/design/link.md) on a serial line of 8 data bits, no parity, 1 stop bit.

    Parameters
    ----------
    uart
        Clock and rate of the line.
    """

    rx = In(1, init=1)
    """From the host, asynchronous."""
    tx = Out(1, init=1)
    """To the host."""
    bus = Out(lambda self: RegisterBus(self.cfg.address_width))
    """What the requests access."""

    def __init__(self, cfg: LinkConfig, uart: UartConfig) -> None:
        self.uart = uart
        super().__init__(cfg)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.receiver = receiver = UartReceiver(self.uart)
        m.submodules.transmitter = transmitter = UartTransmitter(self.uart)
        m.submodules.target = target = LinkTarget(self.cfg)
        connect(m, receiver=receiver.o, target=target.i)
        connect(m, target=target.o, transmitter=transmitter.i)
        connect(m, outside=flipped(self.bus), target=target.bus)
        m.d.comb += [receiver.rx.eq(self.rx), self.tx.eq(transmitter.tx)]
        return m
