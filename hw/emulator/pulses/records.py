"""Cells that are programmed by pulses: what distinguishes them, their pulses, and their places in the load port.

What the law of :mod:`mho.macro_models.integer.pulse` needs is in region 3 of the port:

* from :data:`MOVED_TABLE` on its table; from :data:`CONSTANTS` on its constants and the key of its draws
  (:class:`mho.macro_models.integer.pulse.LawWords`);
* from :data:`NORMALS` on the upper half of :data:`mho.macro_models.integer.random.NORMAL_TABLE`, two entries a word, 16
  bits each, the lower one first;
* from :func:`records_from` on what distinguishes the cells, :data:`RECORD_WORDS` words each
  (:class:`mho.macro_models.integer.pulse.PulseRecord`), row by row.

The records can be read too, and the log of pulses, oldest first: how many there are at :data:`LOG_LEVEL`, the next one
at each of the :data:`LOG_WINDOW` words from :data:`LOG` on (:class:`LogLayout`; 0 where there is none).
"""

from typing import Any

import numpy as np
from amaranth.hdl import Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from numpy.typing import NDArray

from mho.hw import ports
from mho.hw.block import Resettable
from mho.hw.emulator.config import EXTRA, EmulatorConfig, LoadWord, index_width
from mho.macro_models.integer.pulse import AMPLITUDE_BITS, MOVED, RECORD_WORDS
from mho.macro_models.integer.random import NORMAL_TABLE

MOVED_TABLE, CONSTANTS, LOG_LEVEL, LOG, NORMALS = 0, 2048, 2176, 2304, 16384
"""Indices in region 3, see the module."""

LOG_WINDOW = 256
"""Words at which the log is read: one queue, so that it can be read in blocks."""

LOG_DEPTH = 512
"""Pulses that the log holds; the macro holds the core where it is full."""


class LogLayout(data.StructLayout):
    """A pulse in the log: which, on which cell (``row * lines + col``); ``valid`` is 0 where there is none."""

    def __init__(self) -> None:
        super().__init__({"amplitude": AMPLITUDE_BITS, "polarity": 2, "cell": 20, "reserved": 1, "valid": 1})


def cell_bits(cfg: EmulatorConfig) -> int:
    """Bits of the number of a cell."""
    return 2 * (cfg.lines - 1).bit_length()


def records_from(cfg: EmulatorConfig) -> int:
    """Index of the first record in region 3: a power of two beyond everything else."""
    return max(2 * NORMALS, RECORD_WORDS * cfg.lines**2)


def normal_words() -> list[int]:
    """Words from :data:`~mho.hw.emulator.pulses.records.NORMALS` on: the upper half of the table of normal codes."""
    half = NORMAL_TABLE[len(NORMAL_TABLE) // 2 :].astype(np.int64)
    return (half[::2] | half[1::2] << 16).tolist()


def table_words() -> list[LoadWord]:
    """Both tables that do not depend on a device."""
    moved = [LoadWord(EXTRA, MOVED_TABLE + k, part) for k, part in enumerate(MOVED.tolist())]
    return moved + [LoadWord(EXTRA, NORMALS + k, word) for k, word in enumerate(normal_words())]


def logged_pulses(words: NDArray[np.integer]) -> NDArray[np.int64]:
    """Cell (``row * lines + col``), polarity and amplitude of each pulse that the log gave, of shape (pulses, 3)."""
    words, layout = np.asarray(words, dtype=np.int64), LogLayout()
    fields = {str(name): words >> field.offset & (1 << field.width) - 1 for name, field in layout}
    valid = fields["valid"] == 1
    return np.stack([fields[name][valid] for name in ("cell", "polarity", "amplitude")], axis=1)


def peek_members(cfg: EmulatorConfig) -> dict[str, wiring.Member]:
    """Members of a macro with which region 3 is read: none where cells are not programmed by pulses."""
    if cfg.verify_bits is None:
        return {}
    return {"peek": In(stream.Signature(index_width(cfg))), "peeked": Out(32)}


def peekable(cfg: EmulatorConfig, index: Value) -> Value:
    """Whether there is something to be read at an index of region 3."""
    low = index[: len(index) - 1]
    window = (low >= LOG) & (low < LOG + LOG_WINDOW)
    in_records = Const(1) if RECORD_WORDS * cfg.lines**2 == records_from(cfg) else low < RECORD_WORDS * cfg.lines**2
    return Mux(index[-1], in_records, (low == LOG_LEVEL) | window)


class CellRecords(Resettable[EmulatorConfig]):
    """Memory of the records, and the log of pulses; both can be read from outside."""

    load = ports.In(1)
    """Write ``load_data`` to ``load_index`` of region 3, where that is in a record. Not with ``write``."""
    load_index = ports.In(lambda self: index_width(self.cfg))
    load_data = ports.In(32)
    """See above."""
    busy = ports.In(1)
    """The ports below are used."""
    address = ports.In(lambda self: range(RECORD_WORDS * self.cfg.lines**2))
    """``data`` is that word in the next cycle."""
    write = ports.In(1)
    write_data = ports.In(32)
    """Write the word at ``address``."""
    data = ports.Out(32)
    """See above."""
    pulse = ports.In(stream.Signature(LogLayout()))
    """To the log."""
    peek = ports.In(lambda self: stream.Signature(index_width(self.cfg)))
    """Read a word of region 3; records can be read while not ``busy``, the log always."""
    peeked = ports.Out(32)
    """The word, from the second cycle after the transfer until the next transfer."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.records = memory = Memory(shape=32, depth=RECORD_WORDS * self.cfg.lines**2, init=[])
        write: Any = memory.write_port()
        read: Any = memory.read_port()
        log: Any = SyncFIFOBuffered(width=LogLayout().size, depth=LOG_DEPTH)
        m.submodules.log = log
        peeks = Signal()
        index = self.peek.payload
        in_records = Signal()
        in_log = Signal()
        taken = Signal(32)
        kept = Signal()
        fetched = Signal()
        m.d.comb += [
            in_records.eq(index[-1]), in_log.eq(index[: len(index) - 1] >= LOG),
            self.peek.ready.eq(~in_records | ~self.busy), peeks.eq(self.peek.valid & self.peek.ready),
            # In every cycle: what says that somebody reads comes late, and goes to each block of the memory.
            read.addr.eq(Mux(self.busy, self.address, index)), read.en.eq(1),
            self.data.eq(read.data),
            write.addr.eq(Mux(self.write, self.address, self.load_index)),
            write.data.eq(Mux(self.write, self.write_data, self.load_data)),
            write.en.eq(self.write | (self.load & self.load_index[-1])),
            log.w_data.eq(self.pulse.payload.as_value()), log.w_en.eq(self.pulse.valid),
            self.pulse.ready.eq(log.w_rdy), log.r_en.eq(peeks & ~in_records & in_log),
        ]
        m.d.sync += [kept.eq(peeks & in_records), fetched.eq(peeks & ~in_records)]
        with m.If(peeks):
            m.d.sync += taken.eq(Mux(in_log, Mux(log.r_rdy, log.r_data, 0), log.level))
        with m.If(kept):
            m.d.sync += self.peeked.eq(read.data)
        with m.If(fetched):
            m.d.sync += self.peeked.eq(taken)
        return self.resets(m)
