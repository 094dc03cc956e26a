"""A transposable core of which only the vector level is left: everything below is serial arithmetic on a memory."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In

from mho.hw.block import Resettable
from mho.hw.core.digital.word_range import WordRange
from mho.hw.core.masks import MaskStore
from mho.hw.core.port import VectorMembers
from mho.hw.core.shape import MASK_WORD
from mho.hw.emulator.config import EmulatorConfig
from mho.hw.emulator.layout import CELLS, ENABLE_BANKS, LoadLayout
from mho.hw.emulator.vector.converter import LineConverter
from mho.hw.emulator.vector.inputs import InputMemory
from mho.hw.emulator.vector.issue import ReadIssue
from mho.hw.emulator.vector.lanes import MacLanes
from mho.hw.emulator.vector.line_queue import LineQueue
from mho.hw.emulator.vector.load import load_noise, load_words
from mho.hw.emulator.vector.loader import VectorLoader
from mho.hw.emulator.vector.memory import CellMemory
from mho.hw.emulator.vector.noise import ConversionNoise, LineNoise
from mho.hw.emulator.vector.results import ResultStore, StepCounter
from mho.hw.emulator.vector.tables import TableStore
from mho.hw.kinds.tnsa.port import tnsa_port

__all__ = ["VectorEmulator"]


class VectorEmulator(Resettable[EmulatorConfig], VectorMembers):
    """Takes the place of :class:`mho.hw.kinds.tnsa.core.TnsaCore` and of its macro: the same streams, the same codes.

    Cells, and for each operation in use the offsets and steps of the lines, are loaded through ``load``. Operations
    overlap: while one accumulates, the one before converts and drains, and the one behind loads. In one direction they
    follow each other without a gap; a change of direction waits until the lines under way are in the converter. See
    ``docs/design/emulator.md``.

    Members
    -------
    <the members of :func:`mho.hw.kinds.tnsa.port.tnsa_port`>
        The vector port. ``cycles_total`` are cycles of the emulator, ``cycles_analog`` those that the operations at the
        pins of the chip would have taken, ``cycles_hold`` is 0. ``error`` is set, too, by an operation without a table:
        its codes are 0.
    load : In(stream.Signature(LoadLayout(cfg)))
        Cells, tables and their tags. What is loaded while operations are under way may or may not count for them.
    """

    load: stream.Interface

    def __init__(self, cfg: EmulatorConfig) -> None:
        self.port = tnsa_port(cfg.core)
        super().__init__(cfg, {**self.port.members, "load": In(stream.Signature(LoadLayout(cfg)))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        cfg = self.cfg
        m.submodules.masks = masks = MaskStore(cfg.core)
        m.submodules.loader = loader = VectorLoader(cfg)
        m.submodules.inputs = inputs = InputMemory(cfg)
        m.submodules.tables = tables = TableStore(cfg)
        m.submodules.issue = issue = ReadIssue(cfg)
        m.submodules.cells = cells = CellMemory(cfg)
        m.submodules.lanes = lanes = MacLanes(cfg)
        m.submodules.queue = queue = LineQueue(cfg)
        m.submodules.converter = converter = LineConverter(cfg)
        m.submodules.results = results = ResultStore(cfg)
        m.submodules.steps = steps = StepCounter(cfg)
        results_out = results.o
        if cfg.core.ranged:
            m.submodules.word_range = ranged_words = WordRange(cfg.core.output_words)
            wiring.connect(m, results.o, ranged_words.i)
            m.d.comb += [ranged_words.accept.eq(loader.accept), ranged_words.words.eq(self.words)]
            results_out = ranged_words.o
        for inner, outer in ((masks.i, self.mask), (loader.op, self.op), (loader.i, self.i), (results_out, self.o)):
            wiring.connect(m, inner, wiring.flipped(outer))

        staged = loader.staged.op
        m.d.comb += [
            masks.read.eq(loader.accept), masks.backward.eq(staged.backward),
            masks.wl_select.eq(staged.wl_select), masks.line_select.eq(staged.line_select),
            loader.masks_ready.eq(masks.ready), loader.masks_busy.eq(masks.busy),
            loader.mask_valid.eq(masks.word_valid), loader.mask_index.eq(masks.word_index),
            loader.mask_driven.eq(masks.word_driven),
            inputs.write_bank.eq(loader.bank), inputs.write_high.eq(loader.write_high),
            inputs.write_word.eq(loader.write_word), inputs.write.eq(loader.write), inputs.value.eq(loader.value),
            tables.wanted.valid.eq(1), tables.wanted.backward.eq(staged.backward),
            tables.wanted.wl_select.eq(staged.wl_select), tables.wanted.step_code.eq(staged.step_code),
            tables.allowed.eq(-1),
            issue.staged.eq(loader.staged), issue.bank.eq(loader.bank),
            issue.slot.eq(tables.slot), issue.known.eq(tables.known), issue.draining.eq(queue.busy),
            issue.freed.eq(results.freed), loader.take.eq(issue.take),
            # The inputs take a cycle more than the cells, to reach all lanes.
            inputs.read.eq(issue.read), inputs.backward.eq(issue.backward), inputs.read_bank.eq(issue.read_bank),
            inputs.read_high.eq(issue.operation.high), inputs.read_line.eq(issue.line),
            lanes.valid.eq(issue.arrived), lanes.first.eq(issue.first),
            lanes.last.eq(issue.last),
            lanes.cells.eq(cells.data), lanes.levels.eq(inputs.levels),
            queue.starts.eq(issue.starts), queue.operation.eq(issue.operation),
            queue.all_lanes.eq(issue.all_lanes), queue.one.eq(issue.one), queue.total.eq(lanes.total),
            *(stored.eq(total) for stored, total in zip(queue.sums, lanes.sums, strict=True)),
            results.done.eq(converter.done), results.line.eq(converter.line),
            steps.done.eq(converter.done), steps.line.eq(converter.line), steps.last.eq(results.last),
        ]
        self._load(m, cells, tables, issue)
        number = Signal(range(ENABLE_BANKS))
        with m.If(loader.take):
            m.d.sync += number.eq(number + 1)
        lines: Any = queue
        if cfg.noise:
            lines = self._add_noise(m, loader, issue, queue, number)
        else:
            m.d.comb += issue.full.eq(loader.full)
        self._convert(m, number, masks, tables, lines, converter)
        self._count(m, loader, issue, results, steps)
        return self.resets(m)

    def _load(self, m: Module, cells: CellMemory, tables: TableStore, issue: ReadIssue) -> None:
        """The load port: cells are written in cycles without a read."""
        cfg, word = self.cfg, self.load.p
        address = Signal(range(cfg.cell_words))
        reading = Signal()
        m.d.sync += [reading.eq(issue.read), address.eq(issue.word)]
        chunk = load_words(m, cfg, self.load, tables)
        m.d.comb += [
            self.load.ready.eq(~reading | (word.region != CELLS)),
            cells.read.eq(reading), cells.address.eq(Mux(reading, address, chunk.word)), cells.value.eq(chunk.value),
            cells.write.eq(Mux(reading, 0, chunk.parts)),
        ]

    def _add_noise(
        self, m: Module, loader: VectorLoader, issue: ReadIssue, queue: LineQueue, number: Value
    ) -> data.View:
        """Noise between the queue and the converter: the lines with it. An operation waits until it is drawn."""
        m.submodules.conversion_noise = drawn = ConversionNoise(self.cfg)
        m.submodules.line_noise = noise = LineNoise(self.cfg)
        staged = loader.staged
        key, step = load_noise(m, self.cfg, self.load)
        m.d.comb += [
            drawn.key.eq(key), drawn.step.eq(step),
            drawn.clear.eq(loader.accept), drawn.store.eq(loader.write.any()), drawn.high.eq(loader.write_high),
            drawn.levels.eq(loader.value), drawn.backward.eq(staged.op.backward),
            drawn.full.eq(loader.full), drawn.two.eq(staged.two), drawn.op_id.eq(staged.op.op_id),
            drawn.take.eq(issue.take), issue.full.eq(loader.full & drawn.ready),
            noise.write.eq(drawn.write), noise.number.eq(number), noise.segment.eq(drawn.segment),
            noise.seed.eq(drawn.seed), noise.amplitude.eq(drawn.amplitude),
            noise.valid.eq(queue.valid), noise.line.eq(queue.line), noise.charge.eq(queue.charge),
            noise.of.eq(queue.of),
        ]
        return noise.noisy

    def _convert(
        self, m: Module, number: Value, masks: MaskStore, tables: TableStore, lines: Any, converter: LineConverter
    ) -> None:
        """Look up the table and the enabled lines of each of the ``lines``."""
        cfg = self.cfg
        width = min(MASK_WORD, cfg.lines)
        m.submodules.enabled = memory = Memory(shape=width, depth=ENABLE_BANKS * cfg.core.mask_words, init=[])
        write, read = memory.write_port(), memory.read_port()
        bit = Signal(range(width))
        m.d.sync += [
            converter.valid.eq(lines.valid), converter.charge.eq(lines.charge), converter.of.eq(lines.of),
            bit.eq(lines.line),
        ]
        m.d.comb += [
            write.addr.eq(Cat(masks.word_index, number)), write.data.eq(masks.word_enabled),
            write.en.eq(masks.word_valid),
            read.addr.eq(Cat(lines.line[(width - 1).bit_length():], lines.of.number)), read.en.eq(lines.valid),
            tables.read.eq(lines.valid), tables.read_line.eq(lines.line), tables.read_slot.eq(lines.of.slot),
            converter.offset.eq(tables.entry[0]), converter.pos.eq(tables.entry[1]), converter.neg.eq(tables.entry[2]),
            converter.live.eq(read.data.bit_select(bit, 1)),
        ]

    def _count(
        self, m: Module, loader: VectorLoader, issue: ReadIssue, results: ResultStore, steps: StepCounter
    ) -> None:
        status = self.status
        running = Signal(range(self.cfg.banks + 1))
        m.d.sync += running.eq(running + issue.take - results.finish)
        m.d.comb += [
            status.busy.eq(loader.busy | (running != 0) | results.busy), status.done.eq(results.finish),
            status.mvms.eq(steps.conversions), status.cycles_analog.eq(steps.cycles),
        ]
        with m.If(loader.error | (issue.take & ~issue.known)):
            m.d.sync += status.error.eq(1)
        with m.If(running != 0):
            m.d.sync += status.cycles_total.eq(status.cycles_total + 1)
