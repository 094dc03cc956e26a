"""A bus to try the host link on: memory, and registers in which each access shows. Hardware and its reference."""

from typing import Any

from amaranth.hdl import Module, ResetInserter, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out, connect

from mho.hw.host.bus import RegisterBus
from mho.hw.host.link.format import LinkConfig, Status
from mho.hw.host.link.uart import UartBridge, UartConfig

__all__ = ["COUNTER", "DIGEST", "HANG", "MEMORY_WORDS", "WRITES", "LinkProbe", "ProbeBus", "ProbeTop"]

MEMORY_WORDS = 256
"""Words of memory from address 0 on."""

COUNTER = 0x1000
"""Reads give how many there were before: a read too many or too few shows in all that follow."""

DIGEST = 0x1004
"""A write of ``x`` makes it ``5 * digest + x + 1``: which words were written, how often, and their order."""

WRITES = 0x1008
"""Writes to :data:`DIGEST`."""

HANG = 0x100C
"""Never answers."""


class ProbeBus:
    """Bit-exact reference of :class:`LinkProbe`."""

    def __init__(self) -> None:
        self.memory = [0] * MEMORY_WORDS
        self.counter = self.digest = self.writes = 0

    def access(self, address: int, write: bool, data: int, strobe: int) -> tuple[Status, int]:
        """One access; an address without anything answers with an error."""
        if address < 4 * MEMORY_WORDS:
            if not write:
                return Status.OK, self.memory[address >> 2]
            mask = sum(0xFF << 8 * byte for byte in range(4) if strobe >> byte & 1)
            self.memory[address >> 2] = self.memory[address >> 2] & ~mask | data & mask
            return Status.OK, 0
        if address == HANG:
            return Status.TIMEOUT, 0
        if write:
            if address != DIGEST:
                return Status.BUS_ERROR, 0
            self.digest = (5 * self.digest + data + 1) & 0xFFFFFFFF
            self.writes += 1
            return Status.OK, 0
        if address == COUNTER:
            self.counter = (self.counter + 1) & 0xFFFFFFFF
            return Status.OK, (self.counter - 1) & 0xFFFFFFFF
        if address in (DIGEST, WRITES):
            return Status.OK, self.digest if address == DIGEST else self.writes
        return Status.BUS_ERROR, 0


class LinkProbe(wiring.Component):
    """Memory and registers of which each access leaves a trace. An access takes two cycles.

    Members
    -------
    bus : In(RegisterBus)
        The bus.
    """

    bus: Any

    def __init__(self, address_width: int) -> None:
        self.address_width = address_width
        super().__init__({"bus": In(RegisterBus(address_width))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.memory = memory = Memory(shape=32, depth=MEMORY_WORDS, init=[])
        write, read = memory.write_port(granularity=8), memory.read_port()
        request, response = self.bus.request, self.bus.response
        counter, digest, writes, word = Signal(32), Signal(32), Signal(32), Signal(32)
        inside, from_memory, accept = Signal(), Signal(), Signal()
        address = Signal(len(request.p.address) + 2)
        m.d.comb += [
            request.ready.eq(~response.valid), accept.eq(request.valid & request.ready),
            address.eq(request.p.address << 2), inside.eq(address < 4 * MEMORY_WORDS),
            write.addr.eq(request.p.address), write.data.eq(request.p.data), read.addr.eq(request.p.address),
            response.p.data.eq(word),
        ]
        with m.If(from_memory):
            m.d.comb += response.p.data.eq(read.data)
        with m.If(response.ready):
            m.d.sync += response.valid.eq(0)
        with m.If(accept):
            m.d.sync += [response.valid.eq(address != HANG), response.p.error.eq(0), word.eq(0)]
            m.d.sync += from_memory.eq(inside & ~request.p.write)
            with m.If(inside):
                m.d.comb += write.en.eq(request.p.strobe & request.p.write.replicate(4))
            with m.Elif(request.p.write):
                with m.If(address == DIGEST):
                    m.d.sync += [digest.eq((digest << 2) + digest + request.p.data + 1), writes.eq(writes + 1)]
                with m.Else():
                    m.d.sync += response.p.error.eq(1)
            with m.Else():
                self._read(m, address, counter, digest, writes, word)
        return m

    def _read(self, m: Module, address: Signal, counter: Signal, *registers: Signal) -> None:
        digest, writes, word = registers
        with m.Switch(address):
            with m.Case(COUNTER):
                m.d.sync += [word.eq(counter), counter.eq(counter + 1)]
            with m.Case(DIGEST):
                m.d.sync += word.eq(digest)
            with m.Case(WRITES):
                m.d.sync += word.eq(writes)
            with m.Default():
                m.d.sync += self.bus.response.p.error.eq(1)


class ProbeTop(wiring.Component):
    """A probe behind the serial link, of which the link alone can be reset.

    Members
    -------
    rx, link_reset : In(1); tx : Out(1)
        The line; reset of all but the probe.
    """

    rx: Signal
    link_reset: Signal
    tx: Signal

    def __init__(self, cfg: LinkConfig, uart: UartConfig) -> None:
        self.cfg, self.uart = cfg, uart
        super().__init__({"rx": In(1, init=1), "link_reset": In(1), "tx": Out(1, init=1)})  # pyright: ignore[reportCallIssue]

    def elaborate(self, platform: object) -> Module:
        m = Module()
        bridge: Any = UartBridge(self.cfg, self.uart)
        m.submodules.bridge = ResetInserter(self.link_reset)(bridge)
        m.submodules.probe = probe = LinkProbe(self.cfg.address_width)
        connect(m, bridge=bridge.bus, probe=probe.bus)
        m.d.comb += [bridge.rx.eq(self.rx), self.tx.eq(bridge.tx)]
        return m
