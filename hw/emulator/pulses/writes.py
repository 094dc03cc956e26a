"""Programming of emulated cells: pulses change them and verify reads tell them as behind the pins of a simulation."""

from typing import Any

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import stream
from amaranth.lib.wiring import connect, flipped

from mho.hw.block import Resettable
from mho.hw.emulator.config import EmulatorConfig, index_width
from mho.hw.emulator.pulses.draws import NormalDraw
from mho.hw.emulator.pulses.law import CellLayout, PulseArithmetic, WideMultiplier
from mho.hw.emulator.pulses.records import CONSTANTS, LOG_LEVEL, NORMALS, CellRecords, cell_bits
from mho.hw.macro.contract import WritePins
from mho.hw.ports import In, Out
from mho.macro_models.integer.pulse import CONDUCTANCE_BITS, PULSE_STEP, SCALE_BITS, VERIFY_STEP, Polarity, PulseRecord


class CellWriter(Resettable[EmulatorConfig]):
    """Answers the programming pins as ``mho.macro_models.cells.pulses.PulseArray``, bit by bit.

    A pulse acts at its begin, at the amplitude that it has then, with the width for which the constants were made. It
    holds the core for 76 cycles and three for each matrix, and longer while the log is full; a read for 67 cycles.
    Cells do not relax: whoever loads the records does that between passes.
    """

    pins = In(lambda self: WritePins(self.cfg.lines, self.cfg.verify_bits))
    """As the macro sees the digital core."""
    load = In(1)
    """Write ``load_data`` to ``load_index`` of region 3 (:mod:`mho.hw.emulator.pulses.records`), in the next cycle. Not
    while ``busy``."""
    load_index = In(lambda self: index_width(self.cfg))
    load_data = In(32)
    """See above."""
    peek = In(lambda self: stream.Signature(index_width(self.cfg)))
    """Reads region 3, see :class:`~mho.hw.emulator.pulses.records.CellRecords`."""
    peeked = Out(32)

    busy = Out(1)
    """A strobe or a pulse is under way, from the cycle behind its first: hold the core. A flip-flop."""
    address = Out(lambda self: range(self.cfg.cell_words))
    """Word of the memory of the products' cells that is read or written."""
    cells = In(lambda self: self.cfg.word_bits)
    """That word, in the next cycle."""
    write = Out(lambda self: self.cfg.word_bits // self.cfg.chunk_bits)
    """Parts of the word that are written."""
    value = Out(lambda self: self.cfg.chunk_bits)
    """Cells of such a part."""

    def __init__(self, cfg: EmulatorConfig) -> None:
        if cfg.verify_bits is None:
            raise ValueError("The cells are not programmed by pulses.")
        self.verify_bits = cfg.verify_bits
        super().__init__(cfg)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        pins = self.pins
        self._reads, self._cell = reads, cell = Signal(), Signal(cell_bits(self.cfg))
        self._record = Signal(CellLayout())
        self._count = Signal(32)
        self._records, self._draw, self._law = self._add_parts(m)
        records, draw, law, record = self._records, self._draw, self._law, self._record
        pulses = Cat(pins.set_pulse, pins.reset_pulse, pins.form_pulse)
        before = Signal()
        begins = Signal()
        m.d.sync += before.eq(pulses.any())
        m.d.comb += begins.eq(pulses.any() & ~before)
        arrived = self._store(m)
        # Many paths begin with ``hold``, so that it comes a cycle late. The pulse of one cycle is over then, and its
        # read has begun. A read has two cycles at least: it does not end before it is held.
        late = Signal()
        verify = Signal()
        m.d.comb += verify.eq(pins.verify | late)
        with m.If(self.busy & pins.verify):
            m.d.sync += late.eq(1)
        with m.FSM() as fsm:
            with m.State("Idle"), m.If(begins | verify):
                m.d.sync += [
                    cell.eq(Cat(_number(pins.write_sl), _number(pins.write_wl))), reads.eq(verify),
                    record.polarity.eq(Mux(pins.form_pulse, Polarity.FORM, pins.reset_pulse)),
                    record.amplitude.eq(pins.amplitude),
                ]
                with m.If(verify):
                    m.d.sync += pins.verify_valid.eq(0)
                m.d.sync += [self.busy.eq(1), late.eq(0)]
                m.next = "Fetch"
            with m.State("Fetch"), m.If(self._fetch(m, fsm.ongoing("Fetch"))):
                m.next = "Begin"
            with m.State("Begin"):
                m.d.comb += draw.start.eq(1)
                m.next = "Draw"
            with m.State("Draw"), m.If(draw.done):
                m.next = "Drawn"
            with m.State("Drawn"):
                m.d.comb += law.start.eq(1)
                m.next = "Law"
            with m.State("Law"), m.If(law.done):
                m.next = "Count"
            with m.State("Count"):
                self._write(m, Mux(reads, PulseRecord.READS, PulseRecord.PULSES), self._count)
                m.next = "State"
                with m.If(reads):
                    m.d.sync += [pins.verify_code.eq(law.code), pins.verify_valid.eq(1), self.busy.eq(0)]
                    m.next = "Idle"
            with m.State("State"):
                self._write(m, PulseRecord.STATE, law.state)
                m.next = "Read"
            with m.State("Read"):
                m.next = "Chunk"
            with m.State("Chunk"):
                m.d.comb += arrived.eq(1)
                m.next = "Write"
            with m.State("Write"):
                m.d.comb += self.write.eq(Const(1) << self._part)
                m.d.sync += self._transposed.eq(~self._transposed & (self.cfg.matrices > 1))
                m.next = "Log" if self.cfg.matrices == 1 else "Read"
                with m.If(self._transposed):
                    m.next = "Log"
            with m.State("Log"):
                m.d.comb += records.pulse.valid.eq(1)
                with m.If(records.pulse.ready):
                    m.d.sync += self.busy.eq(0)
                    m.next = "Idle"
        return self.resets(m)

    def _add_parts(self, m: Module) -> tuple[Any, Any, Any]:
        """Records, draws and law, with what does not depend on the state."""
        m.submodules.records = records = CellRecords(self.cfg)
        m.submodules.draw = draw = NormalDraw()
        m.submodules.law = law = PulseArithmetic(self.verify_bits)
        m.submodules.multiplier = multiplier = WideMultiplier()
        connect(m, flipped(self.peek), records.peek)
        # Where a word goes is known late in a cycle, and it goes to many blocks of memory.
        load = Signal()
        index = Signal.like(self.load_index)
        data = Signal(32)
        m.d.sync += [load.eq(self.load), index.eq(self.load_index), data.eq(self.load_data)]
        low, fields = index[:-1], self._record
        loads = Signal()
        logged = records.pulse.payload
        m.d.comb += [
            self.peeked.eq(records.peeked), records.busy.eq(self.busy),
            records.load.eq(load), loads.eq(load & ~index[-1]),
            law.moved_load.eq(loads & (low < CONSTANTS)),
            law.constant_load.eq(loads & (low >= CONSTANTS) & (low < LOG_LEVEL)),
            draw.load.eq(loads & (low >= NORMALS)),
            *(part.load_index.eq(index) for part in (records, draw, law)),
            *(part.load_data.eq(data) for part in (records, draw, law)),
            draw.cell_id.eq(self._cell), draw.number.eq(self._count), draw.key.eq(law.key),
            draw.step.eq(Mux(self._reads, VERIFY_STEP, PULSE_STEP)),
            law.reads.eq(self._reads), law.old.eq(fields), law.z.eq(draw.z),
            multiplier.a.eq(Mux(draw.busy, draw.a, law.a)), multiplier.b.eq(Mux(draw.busy, draw.b, law.b)),
            draw.product.eq(multiplier.product), law.product.eq(multiplier.product),
            logged.valid.eq(1), logged.amplitude.eq(fields.amplitude), logged.polarity.eq(fields.polarity),
            logged.cell.eq(self._cell),
        ]
        return records, draw, law

    def _fetch(self, m: Module, ongoing: Value) -> Value:
        """Read what is needed of the record, one word a cycle; whether the last one arrives."""
        record, records = self._record, self._records
        threshold = PulseRecord.THRESHOLD + record.polarity
        words = Array([
            Const(PulseRecord.STATE, 3), Mux(self._reads, PulseRecord.READS, PulseRecord.PULSES)[:3], threshold[:3],
            Const(PulseRecord.HIGH, 3), Const(PulseRecord.FORMED, 3),
        ])
        at = Signal(range(6))
        record_fields = (record.state, self._count, record.threshold, record.high, record.formed)
        with m.If(ongoing):
            m.d.comb += records.address.eq(Cat(words[at], self._cell))
            m.d.sync += at.eq(Mux(at == len(words), 0, at + 1))
            for number, field in enumerate(record_fields, start=1):
                with m.If(at == number):
                    m.d.sync += field.eq(records.data + 1 if field is self._count else records.data)
        return at == len(words)

    def _write(self, m: Module, word: Any, value: Value) -> None:
        """Write a word of the record."""
        records = self._records
        place = Value.cast(word)[:3]
        m.d.comb += [
            records.address.eq(Cat(place, self._cell)), records.write.eq(1), records.write_data.eq(value),
        ]

    def _store(self, m: Module) -> Signal:
        """The cell's code among those that products see, in a part of a word of their memory, when that arrives."""
        arrived = Signal()
        cfg, bits = self.cfg, len(self._cell) // 2
        self._transposed = Signal()
        cell = Mux(self._transposed, self._cell.rotate_left(bits), self._cell)
        place_bits = (cfg.chunk_cells - 1).bit_length()
        part_bits = (cfg.word_bits // cfg.chunk_bits - 1).bit_length()
        place = cell[:place_bits]
        # At least one bit, also where a word has one part.
        self._part = part = Cat(cell[place_bits : place_bits + part_bits], Const(0, 1))
        m.d.comb += self.address.eq(Cat(cell[place_bits + part_bits :], self._transposed))
        chunk = Signal(cfg.chunk_bits)
        code = Signal(cfg.g_bits)
        g = self._law.state[:CONDUCTANCE_BITS]
        scaled = Signal(CONDUCTANCE_BITS + cfg.g_bits - SCALE_BITS + 1)
        m.d.comb += scaled.eq(((g << cfg.g_bits) - g + (1 << SCALE_BITS - 1)) >> SCALE_BITS)
        with m.If(arrived):
            m.d.sync += [
                chunk.eq(self.cells.word_select(part, cfg.chunk_bits)),
                code.eq(Mux(scaled >= 2**cfg.g_bits, 2**cfg.g_bits - 1, scaled)),
            ]
        for k in range(cfg.chunk_cells):
            value_of_cell = self.value.word_select(k, cfg.g_bits)
            m.d.comb += value_of_cell.eq(Mux(place == k, code, chunk.word_select(k, cfg.g_bits)))
        return arrived


def _number(one_hot: Value) -> Value:
    """Number of the line that is selected."""
    bits = (len(one_hot) - 1).bit_length()
    return Cat(Cat(line for k, line in enumerate(one_hot) if k >> bit & 1).any() for bit in range(bits))
