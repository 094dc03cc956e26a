"""What distinguishes the cells that are programmed by pulses, and the pulses that they got."""

from typing import Any

from amaranth.hdl import Const, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from mho.hw import ports
from mho.hw.block import Resettable
from mho.hw.emulator.config import EmulatorConfig, index_width
from mho.hw.emulator.pulses.config import LOG, LOG_DEPTH, LOG_LEVEL, LOG_WINDOW, LogLayout, records_from
from mho.macro_models.integer.pulse import RECORD_WORDS


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
        peeks, index = Signal(), self.peek.payload
        in_records, in_log = Signal(), Signal()
        taken, kept, fetched = Signal(32), Signal(), Signal()
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
