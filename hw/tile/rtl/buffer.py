"""The buffer: two banks of 64-bit words, any byte alignment, ports by fixed priority."""

from typing import Any

from amaranth.hdl import C, Cat, Module, Mux, Signal, Value

from mho.hw.memory import block_memory, has_one_port
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


def _reached(address: Value, goes_on: Value, count: int) -> Value:
    """Of ``count`` banks that of the word at an address, and that of the next one where it ``goes_on`` there."""
    bank = address[_OFFSET : _OFFSET + (count - 1).bit_length()]
    return Cat((bank == k) | (goes_on & (bank == (k - 1) % count)) for k in range(count))


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
        # With memories of one port there are four banks, and a read waits while one of its banks is written.
        words = self.cfg.buffer_bytes // BYTES
        one_port = has_one_port(platform, words // 4)
        count = 4 if one_port else 2
        banks = []
        for bank in range(count):
            memory = block_memory(platform if one_port else None, 8 * BYTES, words // count)
            m.submodules[f"bank_{bank}"] = memory
            banks.append((memory.read_port(), memory.write_port(granularity=8)))
        self._read(m, [read for read, _ in banks], self._waiting(count) if one_port else [])
        self._write(m, [write for _, write in banks])
        return m

    def _chosen(self, m: Module, ports: list[Any], name: str, blocked: list[Value]) -> tuple[Value, Value]:
        """Address of the first port that is valid, and whether it goes; ports learn that they are ready.

        ``blocked``: whether each would have to wait; empty where none has.
        """
        address = Signal(ADDRESS_BITS, name=f"{name}_address")
        any_valid = Signal(name=f"{name}_valid")
        going = Cat(port.valid & port.ready for port in ports)
        free = [Signal(name=f"{name}_free_{k}") for k in range(len(ports) + 1)]
        m.d.comb += [free[0].eq(1), any_valid.eq(going.any() if blocked else ~free[-1])]
        for k, port in enumerate(ports):
            m.d.comb += free[k + 1].eq(free[k] & ~port.valid)
            m.d.comb += port.ready.eq(free[k] & ~blocked[k] if blocked else free[k])
        m.d.comb += address.eq(ports[-1].address)
        for port in reversed(ports[:-1]):
            with m.If(port.valid):
                m.d.comb += address.eq(port.address)
        return address, any_valid

    def _place(self, address: Value, banks: int) -> tuple[Value, list[Value]]:
        """Bank of the word at an address, and rows of the banks of that word and of the one behind it."""
        end = (banks - 1).bit_length() + _OFFSET
        bits = (self.cfg.buffer_bytes - 1).bit_length() - end
        row, bank = address[end:], address[_OFFSET:end]
        last = bank if banks == 2 else bank.all()
        return bank, [(row + last)[:bits], *[row[:bits]] * (banks - 1)]

    def _waiting(self, count: int) -> list[Value]:
        """Whether each of those who read would find one of its banks written, which has one port."""
        # What is written goes first: lanes and flits behind it cannot wait without stopping what reads for them.
        # Each port looks by itself, at each of those who write: who goes is known late, and the lanes wait for it.
        busy, free = C(0, count), C(1, 1)
        for port in self.write:
            written = _reached(port.address, port.address[:_OFFSET] + port.bytes > BYTES, count)
            busy, free = busy | (written & (free & port.valid & port.bytes.any()).replicate(count)), free & ~port.valid
        return [(_reached(port.address, port.address[:_OFFSET].any(), count) & busy).any() for port in self.read]

    def _read(self, m: Module, banks: list[Any], blocked: list[Value]) -> None:
        """The first of those who read, which may be ``blocked``."""
        ports, count = self.read, len(banks)
        address, reads = self._chosen(m, ports, "read", blocked)
        bank, rows = self._place(address, count)
        offset = Signal(_OFFSET)
        odd = Signal(len(bank), name="odd" if count == 2 else "first_bank")
        late = Signal(_OFFSET)
        lanes = Signal(8 * BYTES, reset_less=True)
        data = Signal(8 * BYTES)
        enables = [reads] * count
        if blocked:
            enables = list(_reached(address, address[:_OFFSET].any(), count) & reads.replicate(count))
        for port, row, enable in zip(banks, rows, enables, strict=True):
            m.d.comb += [port.addr.eq(row), port.en.eq(enable)]
        m.d.sync += [offset.eq(address[:_OFFSET]), odd.eq(bank), late.eq(offset)]
        # Byte k of a word is of the next one if that begins behind it. A memory takes half of a cycle: in the next one
        # bytes are turned round, so that the first one is lowest.
        for k in range(BYTES):
            values = [port.data.word_select(k, 8) for port in banks]
            if count == 2:
                second = odd ^ (offset > k) if k < BYTES - 1 else odd
                chosen = Mux(second, values[1], values[0])
            else:
                chosen = Cat(*values).word_select((odd + (offset > k))[: len(odd)], 8)
            m.d.sync += lanes.word_select(k, 8).eq(chosen)
        turned = rotated([lanes.word_select(k, 8) for k in range(BYTES)], late)
        m.d.comb += [data.eq(Cat(turned)), *(port.data.eq(data) for port in ports)]

    def _write(self, m: Module, banks: list[Any]) -> None:
        ports = self.write
        address, writes = self._chosen(m, ports, "write", [])
        value = Signal(8 * BYTES)
        count = Signal(range(BYTES + 1))
        m.d.comb += [value.eq(ports[-1].data), count.eq(ports[-1].bytes)]
        for port in reversed(ports[:-1]):
            with m.If(port.valid):
                m.d.comb += [value.eq(port.data), count.eq(port.bytes)]
        # Byte k of what is written goes to byte (offset + k) mod 8 of one word or the next. Where no port writes more
        # than half a word that is given twice, so that half a turn is none.
        offset, (odd, rows) = address[:_OFFSET], self._place(address, len(banks))
        turned = Signal(8 * BYTES)
        end = Signal(range(2 * BYTES))
        around: Value = value[: 8 * self.widest].replicate(BYTES // self.widest)
        for k, bit in enumerate(offset):
            if 1 << k < self.widest:
                around = Mux(bit, around.rotate_left(8 << k), around)
        m.d.comb += [turned.eq(around), end.eq(offset + Mux(writes, count, 0))]
        low = Cat(*((offset <= k) & (end > k) for k in range(BYTES - 1)), end >= BYTES)
        high = Cat(*(end > BYTES + k for k in range(BYTES - 1)), C(0, 1))
        for k, (bank, row) in enumerate(zip(banks, rows, strict=True)):
            first, second = (low, high) if k == 0 else (high, low)
            m.d.comb += [bank.addr.eq(row), bank.data.eq(turned)]
            if len(banks) == 2:
                m.d.comb += bank.en.eq(Mux(odd, second, first))
            else:
                m.d.comb += bank.en.eq(Mux(odd == k, low, Mux(odd == (k - 1) % len(banks), high, 0)))
