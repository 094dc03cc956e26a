"""What the host reaches of a tile: registers and memories, on the register bus."""

from enum import IntEnum
from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import stream

from mho.hw.host.bus import RegisterBus
from mho.hw.host.core.map import MASKS_AT as CORE_MASKS_AT
from mho.hw.ports import Component, In, Out, array
from mho.hw.tile.config import TileConfig
from mho.hw.tile.isa import DESCRIPTOR_WORDS, STATUS, STREAMS, TABLE_ENTRIES, TABLES, Cause
from mho.hw.tile.rtl.buffer import ReadPort, WritePort
from mho.hw.tile.rtl.engines.descriptors import FetchPort
from mho.hw.tile.rtl.lanes.datapath import MemoryWrite
from mho.hw.tile.rtl.layouts import WordsLayout

ADDRESS_WIDTH = 19
"""Bits of a byte address within a tile."""

CONTROL, INSTRUCTIONS_AT, DESCRIPTORS_AT, PARAMETERS_AT, TABLES_AT, BUFFER = (
    0, 0x1000, 0x2000, 0x4000, 0x8000, 0x10000
)
"""Bytes at which registers and memories begin. Of a parameter the low word is written first; each entry of a table is
a word."""

CORE_AT = 0x20000
"""Byte at which the registers of the tile's core begin (:class:`mho.hw.host.core.host.CoreAccess`)."""

MASKS_AT = CORE_AT + CORE_MASKS_AT
"""Byte at which the masks of the core begin, words as of :class:`mho.hw.core.masks.MaskFile`; for every core."""


_REGISTERS, _KEY = 10, 10
"""Registers of all tiles; number of the first word of the key."""
_SETTLES = 6
"""Cycles without work behind which no trap of an engine comes."""


class StatusLayout(WordsLayout):
    """What the host reads of a tile that trapped."""

    def __init__(self) -> None:
        super().__init__(STATUS)


class Event(IntEnum):
    """What raises the interrupt of a tile: bits of its registers.

    A program has ended and the engines have done what they had in hand; a trap of another cause than the watchdog; the
    watchdog.
    """

    DONE = 0
    TRAP = 1
    WATCHDOG = 2


class HostAccess(Component[TileConfig]):
    """Registers of a tile, and the way to its memories.

    Registers, a word each: 0 control (written: bit 0 starts the program, bit 1 resets the tile, bit 2 is the wish to
    stop; read: bit 0 a program runs, bit 1 an engine is at work), 1 number of the first image, 2 to 4 the registers
    that loops count by, 5 the watchdog (2**k cycles, 0: none), 6 and 7 the status, 8 what has happened
    (:class:`Event`, cleared by ones that are written), 9 which of that raises the interrupt. Memories are written;
    buffer and descriptors are read too, and instructions while no program runs. Instructions and descriptors are
    not written while one runs, and none starts while one runs or before its first instruction was written. All that,
    what is not there, and a write of less than a word gives an error and does nothing else. The map of all this is
    :func:`mho.hw.tile.host_map.tile_map`.

    After the reset of the chip, before the first access, no stream has blocks (16 cycles): so a start looks at
    descriptors that are there, and what names a stream that nobody wrote traps.
    """

    bus = In(RegisterBus(ADDRESS_WIDTH))
    """The host."""
    start = Out(1)
    reset = Out(1)
    """Strobes."""
    stop = Out(1)
    image = Out(32)
    registers = array(Out(16), 3)
    watchdog = Out(5)
    """What was written."""
    running = In(1)
    busy = In(1)
    status = In(StatusLayout())
    """What is read."""
    write = Out(2)
    index = Out(9)
    data = Out(32)
    """Writes an instruction (bit 0), or a word of descriptors (bit 1)."""
    memory = Out(stream.Signature(MemoryWrite()))
    """Writes parameters and tables."""
    read_port = Out(ReadPort())
    write_port = Out(WritePort())
    """The buffer."""
    fetch = Out(FetchPort())
    """Descriptors."""
    started = In(1)
    """Strobe: the program that was started runs. The write that starts it is answered then: blocks that come later are
    counted."""
    look = Out(1)
    seen = In(32)
    """Reads the instruction at ``index``."""
    key = Out(64, when=lambda self: self.cfg.draws)
    """That of random numbers, if the tile draws: registers 10 and 11."""
    irq = Out(1)
    """Interrupt, as long as what raised it lasts."""

    @property
    def _registers(self) -> int:
        return _REGISTERS + 2 * self.cfg.draws

    @property
    def _sizes(self) -> dict[str, int]:
        """Words of each memory."""
        cfg = self.cfg
        return {
            "buffer": cfg.buffer_bytes // 4, "tables": TABLES * TABLE_ENTRIES, "parameters": 2 * cfg.parameters,
            "descriptors": DESCRIPTOR_WORDS, "program": cfg.instructions,
        }

    def elaborate(self, platform: object) -> Any:
        m = Module()
        self._happened, self._enable, self._seen = (
            Signal(len(Event), name=name) for name in ("happened", "interrupt_enable", "seen_by_host"))
        # The first instruction was written; a program may start.
        self._loaded = Signal(name="loaded")
        self._startable = Signal(name="startable")
        request, response = self.bus.request, self.bus.response
        word = request.p.address
        low = Signal(32, reset_less=True)
        names = ("buffer", "tables", "parameters", "descriptors", "program")
        area = {name: Signal(name=f"is_{name}") for name in names}
        above: Value = word[15:].any()
        for (name, selected), bit in zip(area.items(), (14, 13, 12, 11, 10), strict=True):
            m.d.comb += selected.eq(word[bit] & ~above & (word[:bit] < self._sizes[name]))
            above = above | word[bit]
        registers = Signal()
        # What a register holds; where what is answered comes from: the buffer, the program, descriptors or that.
        value = Signal(32)
        source = Signal(2)
        memories = Signal()
        m.d.comb += [
            registers.eq(~above & (word[:10] < self._registers)), self.index.eq(word), self.data.eq(request.p.data),
            self.memory.p.table.eq(area["tables"]), self.memory.p.index.eq(word),
            self.memory.p.data.eq(Cat(low, request.p.data)),
            self.read_port.address.eq(word[:14] << 2), self.write_port.address.eq(word[:14] << 2),
            self.write_port.data.eq(request.p.data), self.write_port.bytes.eq(4), self.fetch.index.eq(word),
        ]
        # Strobes: one cycle, from the write that sets them.
        m.d.sync += [self.start.eq(0), self.reset.eq(0)]
        self._interrupt(m)
        with m.FSM():
            with m.State("Clear"):
                # Number of blocks of a stream.
                m.d.sync += value.eq(value + 1)
                m.d.comb += [self.write.eq(0b10), self.index.eq(Cat(Const(1, 1), value[:4])), self.data.eq(0)]
                with m.If(value[:4] == STREAMS - 1):
                    m.next = "Request"
            with m.State("Request"), m.If(request.valid):
                self._access(m, area, registers, low, value)
                m.d.comb += memories.eq((area["buffer"] | area["descriptors"] | self.look) & ~request.p.write)
                m.d.sync += source.eq(Mux(memories, Cat(area["program"], area["descriptors"]), 3))
            with m.State("Buffer"):
                writes = request.p.write
                m.d.comb += [
                    self.write_port.valid.eq(writes), self.read_port.valid.eq(~writes),
                    request.ready.eq(Mux(writes, self.write_port.ready, self.read_port.ready)),
                ]
                with m.If(request.ready):
                    m.next = "Late"
            with m.State("Late"):
                m.next = "Read"
            with m.State("Read"):
                with m.Switch(source):
                    for k, data in enumerate((self.read_port.data, self.seen, self.fetch.data, value)):
                        with m.Case(k):
                            m.d.sync += response.p.data.eq(data)
                m.next = "Respond"
            with m.State("Start"):
                with m.If(self.started):
                    m.next = "Read"
            with m.State("Respond"):
                m.d.comb += response.valid.eq(1)
                with m.If(response.ready):
                    m.next = "Request"
        return m

    def _interrupt(self, m: Module) -> None:
        """What has happened since the host saw it."""
        dead = Signal()
        was_dead = Signal()
        recent = Signal(_SETTLES)
        active = self.running | self.busy
        happens = Signal(len(Event))
        # A trap comes some cycles behind the end of its engine: a program has ended if none is there by then.
        m.d.sync += [
            was_dead.eq(dead), recent.eq(Mux(self.reset, 0, Cat(active, recent))),
            self._happened.eq(self._happened & ~self._seen | happens),
        ]
        traps, watched = dead & ~was_dead, self.status.cause == Cause.WATCHDOG
        m.d.comb += [
            dead.eq(self.status.cause != 0), self.irq.eq((self._happened & self._enable).any()),
            happens.eq(Cat(recent[-1] & ~recent[:-1].any() & ~active & ~dead, traps & ~watched, traps & watched)),
            self._startable.eq(~self.running & self._loaded),
        ]

    def _access(self, m: Module, area: dict[str, Signal], registers: Value, low: Signal, value: Signal) -> None:
        request, response = self.bus.request, self.bus.response
        writes, word, written = request.p.write, request.p.address, request.p.data
        done = Signal()
        m.d.comb += [done.eq(1), request.ready.eq(done)]
        m.d.sync += [value.eq(0), response.p.error.eq(~writes)]
        # Memories behind it are written by whole words.
        with m.If(writes & ~request.p.strobe.all()):
            m.d.sync += response.p.error.eq(1)
        with m.Elif(area["buffer"]):
            # In a cycle of its own: the buffer need not wait for what an address says.
            m.d.comb += done.eq(0)
            m.d.sync += response.p.error.eq(0)
            m.next = "Buffer"
        with m.Elif(area["tables"]):
            m.d.comb += self.memory.valid.eq(writes)
        with m.Elif(area["parameters"]):
            m.d.comb += self.memory.valid.eq(writes & word[0])
            with m.If(writes & ~word[0]):
                m.d.sync += low.eq(written)
        with m.Elif(area["descriptors"] | area["program"]):
            m.d.comb += [
                self.write.eq(Mux(writes & ~self.running, Cat(area["program"], area["descriptors"]), 0)),
                self.fetch.valid.eq(~writes & area["descriptors"]),
                self.look.eq(~writes & area["program"] & ~self.running),
                done.eq(writes | area["program"] | self.fetch.ready),
            ]
            m.d.sync += [
                response.p.error.eq(self.running & (writes | area["program"])),
                self._loaded.eq(self._loaded | (self.write[0] & (self.index == 0))),
            ]
        with m.Elif(registers):
            self._register(m, word[:4], writes, written, value)
        with m.Else():
            m.d.sync += response.p.error.eq(1)
        with m.If(done):
            m.next = "Read"
            with m.If(registers & (word[:4] == 0) & writes & request.p.strobe.all() & written[0] & self._startable):
                m.next = "Start"

    def _register(self, m: Module, number: Value, writes: Value, written: Value, value: Signal) -> None:
        response = self.bus.response
        m.d.sync += response.p.error.eq(0)
        registers: dict[int, Any] = {1: self.image, 5: self.watchdog, 9: self._enable}
        registers |= {k + 2: register for k, register in enumerate(self.registers)}
        if self.cfg.draws:
            # Nobody reads it: what is read of it is 0.
            registers |= {_KEY: self.key[:32], _KEY + 1: self.key[32:]}
        status = self.status.as_value()
        read = {0: Cat(self.running, self.busy), 6: status[:32], 7: status[32:], 8: self._happened} | registers
        read |= dict.fromkeys(range(_KEY, self._registers), 0)
        with m.Switch(number):
            for k in range(self._registers):
                with m.Case(k):
                    m.d.sync += value.eq(Mux(writes, 0, read[k]))
                    if k in registers:
                        with m.If(writes):
                            m.d.sync += registers[k].eq(written)
                    elif k == 8:
                        m.d.comb += self._seen.eq(Mux(writes, written, 0))
                    elif k == 0:
                        with m.If(writes & written[0] & ~self._startable):
                            m.d.sync += response.p.error.eq(1)
                        with m.Elif(writes):
                            m.d.sync += [self.start.eq(written[0]), self.reset.eq(written[1]), self.stop.eq(written[2])]
