"""The macro behind its pins, as serial arithmetic on a memory: in place of the analog one, to the core unmodified."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from mho.hw.block import Resettable
from mho.hw.core.shape import MASK_WORD
from mho.hw.emulator.layout import CELLS, LINES, PULSES, LoadLayout
from mho.hw.emulator.pins.charges import LineCharges
from mho.hw.emulator.pins.config import PinEmulatorConfig
from mho.hw.emulator.pins.levels import LineLevels
from mho.hw.emulator.pins.noise import PinNoise
from mho.hw.emulator.pins.records import peek_members
from mho.hw.emulator.pins.writes import CellWriter
from mho.hw.emulator.vector.issue import ReadIssue
from mho.hw.emulator.vector.lanes import MacLanes
from mho.hw.emulator.vector.line_queue import LineQueue
from mho.hw.emulator.vector.load import CellChunk, load_noise, load_words
from mho.hw.emulator.vector.memory import CellMemory
from mho.hw.emulator.vector.tables import TableStore
from mho.hw.kinds.tnsa.macro_pins import MacroPins

__all__ = ["PinLevelMacro"]


class PinLevelMacro(Resettable[PinEmulatorConfig]):
    """Answers the strobes of a core, and holds it where that takes longer than the strobe.

    Planes are recorded as they are sampled. The first compare of a conversion accumulates and then holds the charges of
    all lines; each decrement goes through all lines. Cells and tables are those of
    :class:`~mho.hw.emulator.VectorEmulator`, but a table is found by the word lines themselves, which region 3 of the
    load port has for each slot (:mod:`mho.hw.emulator.pins.config`). See ``docs/design/emulator.md``.

    Members
    -------
    pins : In(MacroPins(cfg.lines, cfg.verify_bits))
        The macro, as it sees the digital core.
    load : In(stream.Signature(LoadLayout(cfg)))
        Cells, tables, answer to pulses. Not ready while the memory of the cells is used.
    peek : In(stream.Signature(index)), peeked : Out(32)
        Only where cells are programmed by pulses: words of region 3 that can be read, see
        :class:`~mho.hw.emulator.pins.records.CellRecords`.
    error : Out(1)
        A conversion had no table: its codes mean nothing. Stays until reset.
    """

    pins: Any
    load: stream.Interface
    peek: stream.Interface
    peeked: Signal
    error: Signal

    def __init__(self, cfg: PinEmulatorConfig) -> None:
        super().__init__(cfg, {
            "pins": In(MacroPins(cfg.lines, cfg.verify_bits)), "load": In(stream.Signature(LoadLayout(cfg))),
            **peek_members(cfg), "error": Out(1),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        cfg, pins = self.cfg, self.pins
        m.submodules.tables = tables = TableStore(cfg)
        m.submodules.levels = levels = LineLevels(cfg)
        m.submodules.issue = issue = ReadIssue(cfg)
        m.submodules.cells = cells = CellMemory(cfg)
        m.submodules.lanes = lanes = MacLanes(cfg)
        m.submodules.queue = queue = LineQueue(cfg)
        m.submodules.charges = charges = LineCharges(cfg)
        noise = self._add_noise(m, levels, issue, queue) if cfg.noise else None
        lines: Any = queue if noise is None else noise.noisy
        m.d.comb += [
            levels.read.eq(issue.read if noise is None else issue.read | noise.read),
            levels.backward.eq(pins.backward if noise is None else noise.words),
            issue.staged.op.backward.eq(pins.backward), issue.draining.eq(queue.busy),
            lanes.valid.eq(issue.arrived), lanes.first.eq(issue.first), lanes.last.eq(issue.last),
            lanes.cells.eq(cells.data), lanes.levels.eq(levels.levels),
            queue.starts.eq(issue.starts), queue.operation.eq(issue.operation),
            queue.all_lanes.eq(issue.all_lanes), queue.one.eq(issue.one), queue.total.eq(lanes.total),
            *(stored.eq(total) for stored, total in zip(queue.sums, lanes.sums, strict=True)),
            # The table's entry of a line comes a cycle after the line.
            tables.read.eq(lines.valid), tables.read_line.eq(lines.line), tables.read_slot.eq(tables.slot),
            tables.wanted.valid.eq(1), tables.wanted.backward.eq(pins.backward),
            tables.wanted.step_code.eq(pins.step_code),
            charges.offset.eq(tables.entry[0]), charges.pos.eq(tables.entry[1]), charges.neg.eq(tables.entry[2]),
            charges.scale.eq(pins.dec_scale),
        ]
        m.d.sync += [charges.enter.eq(lines.valid), charges.charge.eq(lines.charge)]
        # A cycle later: pins follow from registers of the core by long ways, and nothing reads levels before that.
        m.d.sync += [
            levels.clear.eq(pins.precharge), levels.sample.eq(pins.sample), levels.plane.eq(pins.plane),
            levels.positive.eq(Mux(pins.backward, pins.sl_pos, pins.bl_pos)),
            levels.negative.eq(Mux(pins.backward, pins.sl_neg, pins.bl_neg)),
        ]
        busy = self._sequence(m, tables, issue, lines, charges, noise)
        chunk = load_words(m, cfg, self.load, tables)
        self._find_table(m, tables)
        if cfg.verify_bits is not None:
            chunk, writes = self._program(m, cells, chunk, busy)
        else:
            writes = Signal()
        self._connect_cells(m, cells, issue, chunk, busy, writes)
        return self.resets(m)

    def _add_noise(self, m: Module, levels: LineLevels, issue: ReadIssue, queue: LineQueue) -> PinNoise:
        """Noise between the queue and the charges; it reads the levels before the lanes do."""
        m.submodules.noise = noise = PinNoise(self.cfg)
        key, step = load_noise(m, self.cfg, self.load)
        m.d.comb += [
            noise.op_id.eq(self.pins.op_id), noise.backward.eq(self.pins.backward), noise.level.eq(levels.levels),
            noise.key.eq(key), noise.step.eq(step), noise.take.eq(issue.take),
            noise.valid.eq(queue.valid), noise.line.eq(queue.line), noise.charge.eq(queue.charge),
        ]
        return noise

    def _sequence(
        self, m: Module, tables: TableStore, issue: ReadIssue, lines: Any, charges: LineCharges, noise: PinNoise | None
    ) -> Signal:
        """What each strobe begins; whether something is under way."""
        pins = self.pins
        converts, latches, ended, busy = Signal(), Signal(), Signal(), Signal()
        accumulated = Signal()
        line = lines.line
        m.d.sync += ended.eq(lines.valid & (line == self.cfg.lines - 1))
        with m.If(pins.precharge):
            m.d.sync += accumulated.eq(0)
        with m.If(ended):
            m.d.comb += issue.freed.eq(1)
        with m.FSM() as fsm:
            m.d.comb += busy.eq(~fsm.ongoing("Idle"))
            with m.State("Idle"):
                m.d.comb += converts.eq(pins.compare & ~accumulated)
                with m.If(converts):
                    m.d.sync += latches.eq(pins.latch)
                    m.next = "Start"
                with m.Elif(pins.compare):
                    m.d.sync += pins.cmp.eq(charges.negative)
                    m.d.comb += charges.latch.eq(pins.latch)
                with m.If(pins.decrement):
                    m.d.comb += charges.decrement.eq(1)
                    m.next = "Decrement"
            with m.State("Start"):
                m.d.comb += issue.full.eq(1 if noise is None else noise.ready)
                with m.If(~tables.known):
                    m.d.sync += self.error.eq(1)
                with m.If(issue.take):
                    m.next = "Accumulate"
            with m.State("Accumulate"), m.If(ended):
                m.next = "Sign"
            with m.State("Sign"), m.If(~charges.busy):
                m.next = "Compare"
            with m.State("Compare"):
                m.d.sync += [accumulated.eq(1), pins.cmp.eq(charges.negative)]
                m.d.comb += charges.latch.eq(latches)
                m.next = "Idle"
            with m.State("Decrement"), m.If(~charges.busy):
                m.next = "Idle"
        if noise is not None:
            m.d.comb += noise.starts.eq(converts)
        m.d.comb += pins.hold.eq(busy | converts | pins.decrement)
        return busy

    def _find_table(self, m: Module, tables: TableStore) -> None:
        """Slots whose word lines are those that are on."""
        cfg, word = self.cfg, self.load.p
        width = min(MASK_WORD, cfg.lines)
        for slot in range(cfg.slots):
            lines = Signal(cfg.lines, name=f"lines_{slot}", reset_less=True)
            for k in range(cfg.core.mask_words):
                here = word.index == LINES + slot * cfg.core.mask_words + k
                with m.If(self.load.valid & (word.region == PULSES) & here):
                    m.d.sync += lines.word_select(k, width).eq(word.data)
            m.d.sync += tables.allowed[slot].eq(lines == self.pins.wl_en)

    def _program(self, m: Module, cells: CellMemory, chunk: CellChunk, busy: Value) -> tuple[CellChunk, Value]:
        """Add what answers to the programming pins; it has the memory of the cells while it is busy."""
        m.submodules.writer = writer = CellWriter(self.cfg)
        for name, member in writer.pins.signature.members.items():
            ours, writers = getattr(self.pins, name), getattr(writer.pins, name)
            m.d.comb += writers.eq(ours) if member.flow is In else ours.eq(writers)
        wiring.connect(m, wiring.flipped(self.peek), writer.peek)
        transfers = self.load.valid & self.load.ready
        m.d.comb += [
            writer.cells.eq(cells.data), writer.load.eq(transfers & (self.load.p.region == PULSES)),
            writer.load_index.eq(self.load.p.index), writer.load_data.eq(self.load.p.data),
            self.peeked.eq(writer.peeked),
        ]
        with m.If(writer.busy):
            m.d.comb += self.pins.hold.eq(1)
        with m.If(writer.read):
            m.d.comb += cells.read.eq(1)
        parts = self.cfg.word_bits // self.cfg.chunk_bits
        merged = CellChunk(
            word=Mux(writer.busy, writer.address, chunk.word),
            parts=Mux(writer.busy, writer.write, Mux(busy, 0, chunk.parts)),
            value=Mux(writer.busy, writer.value.replicate(parts), chunk.value),
        )
        return merged, writer.busy

    def _connect_cells(
        self, m: Module, cells: CellMemory, issue: ReadIssue, chunk: CellChunk, busy: Value, writes: Value
    ) -> None:
        address, reading, region = Signal(range(self.cfg.cell_words)), Signal(), self.load.p.region
        m.d.sync += [reading.eq(issue.read), address.eq(issue.word)]
        with m.If(reading):
            m.d.comb += cells.read.eq(1)
        m.d.comb += [
            self.load.ready.eq(~((busy & (region == CELLS)) | (writes & ((region == CELLS) | (region == PULSES))))),
            cells.address.eq(Mux(reading, address, chunk.word)), cells.value.eq(chunk.value),
            cells.write.eq(Mux(reading, 0, chunk.parts)),
        ]
