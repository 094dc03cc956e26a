"""The buffer: two banks of 64-bit words, any byte alignment, ports by fixed priority."""

from typing import Any

from amaranth.hdl import C, Cat, Module, Mux, Signal, Value, unsigned
from amaranth.lib.memory import Memory

from mho.hw.ports import Bundle, Component, In, Out, array
from mho.hw.tile.config import TileConfig
from mho.hw.tile.rtl.layouts import rotated

ADDRESS_BITS = 16
"""Bits of a byte's address in the largest buffer."""

BYTES = 8
"""Bytes that are read or written at a time: a word."""


class ReadPort(Bundle):
    """Reads eight bytes at any address."""

    address = Out(ADDRESS_BITS)
    """The first byte."""
    valid = Out(1)
    """Something is wanted."""
    ready = In(1)
    """It is read in this cycle. Looks at ``valid``."""
    data = In(8 * BYTES)
    """What was read two cycles before, the first byte lowest. Only then."""


class WritePort(Bundle):
    """Writes up to eight bytes at any address."""

    address = Out(ADDRESS_BITS)
    """The first byte."""
    data = Out(8 * BYTES)
    """The bytes, the first one lowest."""
    bytes = Out(range(BYTES + 1))
    """How many."""
    valid = Out(1)
    ready = In(1)
    """They are written in a cycle in which both are set. ``ready`` looks at ``valid`` of other ports alone."""


_OFFSET = 3
"""Bits of an address within a word."""


class Buffer(Component[TileConfig]):
    """Memory of a tile.

    Word w is in bank w mod 2, so that two neighbouring words are read or written in a cycle, and eight bytes at any
    address. One read and one write go on in a cycle; of several that are wanted the port with the least number goes
    first. Where flits and all lanes take four bytes, no port writes more than that. A read in the cycle of a write sees
    what was there before; only what is not written is relied on. Addresses wrap around at the size of the buffer.

    Parameters
    ----------
    readers, writers
        Numbers of ports.
    """

    read = array(In(ReadPort()), lambda self: self.readers)
    """Those who read."""
    write = array(In(WritePort()), lambda self: self.writers)
    """Those who write."""

    def __init__(self, cfg: TileConfig, readers: int, writers: int) -> None:
        self.readers, self.writers = readers, writers
        super().__init__(cfg)

    @property
    def widest(self) -> int:
        """Bytes that are written at a time at most, 4 or 8: a flit, or a result of each lane."""
        return max(BYTES // 2, self.cfg.flit_bytes, min(BYTES, 2 * self.cfg.lanes))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        rows = self.cfg.buffer_bytes // (2 * BYTES)
        banks = []
        for bank in range(2):
            memory = Memory(shape=unsigned(8 * BYTES), depth=rows, init=[])
            m.submodules[f"bank_{bank}"] = memory
            banks.append((memory.read_port(), memory.write_port(granularity=8)))
        self._read(m, [read for read, _ in banks])
        self._write(m, [write for _, write in banks])
        return m

    def _chosen(self, m: Module, ports: list[Any], name: str) -> tuple[Value, Value]:
        """Address of the first port that is valid, and whether there is one; ports learn that they are ready."""
        address = Signal(ADDRESS_BITS, name=f"{name}_address")
        any_valid = Signal(name=f"{name}_valid")
        free = [Signal(name=f"{name}_free_{k}") for k in range(len(ports) + 1)]
        m.d.comb += [free[0].eq(1), any_valid.eq(~free[-1])]
        for k, port in enumerate(ports):
            m.d.comb += [free[k + 1].eq(free[k] & ~port.valid), port.ready.eq(free[k])]
        m.d.comb += address.eq(ports[-1].address)
        for port in reversed(ports[:-1]):
            with m.If(port.valid):
                m.d.comb += address.eq(port.address)
        return address, any_valid

    def _rows(self, address: Value) -> list[Value]:
        """Rows of the banks of the word at an address and of the one behind it."""
        bits = (self.cfg.buffer_bytes - 1).bit_length() - _OFFSET - 1
        row, odd = address[_OFFSET + 1:], address[_OFFSET]
        return [(row + odd)[:bits], row[:bits]]

    def _read(self, m: Module, banks: list[Any]) -> None:
        ports = self.read
        address, reads = self._chosen(m, ports, "read")
        offset = Signal(_OFFSET)
        odd = Signal()
        late = Signal(_OFFSET)
        lanes = Signal(8 * BYTES, reset_less=True)
        data = Signal(8 * BYTES)
        for bank, row in zip(banks, self._rows(address), strict=True):
            m.d.comb += [bank.addr.eq(row), bank.en.eq(reads)]
        m.d.sync += [offset.eq(address[:_OFFSET]), odd.eq(address[_OFFSET]), late.eq(offset)]
        # Byte k of a word is of the next one if that begins behind it. A memory takes half of a cycle: in the next one
        # bytes are turned round, so that the first one is lowest.
        for k in range(BYTES):
            second = odd ^ (offset > k) if k < BYTES - 1 else odd
            m.d.sync += lanes.word_select(k, 8).eq(
                Mux(second, banks[1].data.word_select(k, 8), banks[0].data.word_select(k, 8)))
        turned = rotated([lanes.word_select(k, 8) for k in range(BYTES)], late)
        m.d.comb += [data.eq(Cat(turned)), *(port.data.eq(data) for port in ports)]

    def _write(self, m: Module, banks: list[Any]) -> None:
        ports = self.write
        address, writes = self._chosen(m, ports, "write")
        value = Signal(8 * BYTES)
        count = Signal(range(BYTES + 1))
        m.d.comb += [value.eq(ports[-1].data), count.eq(ports[-1].bytes)]
        for port in reversed(ports[:-1]):
            with m.If(port.valid):
                m.d.comb += [value.eq(port.data), count.eq(port.bytes)]
        # Byte k of what is written goes to byte (offset + k) mod 8 of one word or the next. Where no port writes more
        # than half a word that is given twice, so that half a turn is none.
        offset, odd = address[:_OFFSET], address[_OFFSET]
        turned = Signal(8 * BYTES)
        end = Signal(range(2 * BYTES))
        around: Value = value[: 8 * self.widest].replicate(BYTES // self.widest)
        for k, bit in enumerate(offset):
            if 1 << k < self.widest:
                around = Mux(bit, around.rotate_left(8 << k), around)
        m.d.comb += [turned.eq(around), end.eq(offset + Mux(writes, count, 0))]
        low = Cat(*((offset <= k) & (end > k) for k in range(BYTES - 1)), end >= BYTES)
        high = Cat(*(end > BYTES + k for k in range(BYTES - 1)), C(0, 1))
        for k, (bank, row) in enumerate(zip(banks, self._rows(address), strict=True)):
            first, second = (low, high) if k == 0 else (high, low)
            m.d.comb += [bank.addr.eq(row), bank.data.eq(turned), bank.en.eq(Mux(odd, second, first))]
