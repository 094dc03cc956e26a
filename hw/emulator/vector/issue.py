"""Reads the cells of one operation after another, and says what becomes of each word."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value

from mho.hw.block import Resettable
from mho.hw.emulator.config import EmulatorConfig
from mho.hw.emulator.layout import ENABLE_BANKS, ContextLayout
from mho.hw.kinds.tnsa.inputs.loader import StagedLayout
from mho.hw.kinds.tnsa.results.counters import COUNT_BITS
from mho.hw.ports import In, Out
from mho.macro_models.integer.operation import LSB_SEGMENT_BITS

__all__ = ["ReadIssue"]

_ARRIVES = 2
"""Cycles from the issue of a read until its cells and levels are at the lanes."""


class ReadIssue(Resettable[EmulatorConfig]):
    """One word of cells a cycle: forward all bit lines of a word of source lines, backward all words of a bit line.

    Members
    -------
    full, staged, bank, slot, known : In
        An operation waits; which, the bank of its inputs, and the slot of its table, if it has one.
    take : Out(1)
        It starts: its first read is in the next cycle.
    freed : In(1)
        A bank of results is free again.
    draining : In(1)
        Sums of lines wait for the converter.
    read, word, line, read_bank, backward : Out
        A read, the word of the cell memory, the line whose input it meets, the bank of the inputs, the direction.
    operation : Out(ContextLayout(cfg))
        The operation that is read.
    arrived, first, last : Out(1)
        The word of a read is at the lanes; it is the first, or the last, of a sum.
    starts, all_lanes, one : Out(1)
        To :class:`~mho.hw.emulator.vector.line_queue.LineQueue`.
    """

    full = In(1)
    staged = In(StagedLayout())
    bank = In(1)
    slot = In(lambda self: range(self.cfg.slots))
    known = In(1)
    take = Out(1)
    freed = In(1)
    draining = In(1)
    read = Out(1)
    word = Out(lambda self: range(self.cfg.cell_words))
    line = Out(lambda self: range(self.cfg.lines))
    read_bank = Out(1)
    backward = Out(1)
    operation = Out(lambda self: ContextLayout(self.cfg))
    arrived = Out(1)
    first = Out(1)
    last = Out(1)
    starts = Out(1)
    all_lanes = Out(1)
    one = Out(1)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        cfg, of = self.cfg, self.operation
        # At least one bit, of which a row of one word uses none.
        row, column = Signal(range(cfg.lines)), Signal(range(max(cfg.row_words, 2)))
        last_row, last_column, last = Signal(), Signal(), Signal()
        under_way = Signal()
        pending = Signal(range(cfg.banks + 1))
        turns = self.staged.op.backward != self.backward
        m.d.comb += [
            last_row.eq(row == cfg.lines - 1), last_column.eq(column == cfg.row_words - 1),
            last.eq(self.read & last_row & last_column),
            self.word.eq(Cat(column[: (cfg.row_words - 1).bit_length()], row)),
            self.line.eq(Mux(self.backward, column << (cfg.lanes - 1).bit_length(), row)),
            self.take.eq(
                self.full & (pending != cfg.banks) & (~self.read | (last & ~of.high))
                & (~turns | ~(self.read | under_way | self.draining))
            ),
        ]
        m.d.sync += pending.eq(pending + self.take - self.freed)

        with m.If(self.read & (~self.backward | last_column)):
            m.d.sync += row.eq(row + 1)
        with m.If(self.read & (self.backward | last_row)):
            m.d.sync += column.eq(column + 1 if cfg.row_words > 1 else 0)
        with m.If(last):
            m.d.sync += of.high.eq(0)
            with m.If(~of.high):
                m.d.sync += self.read.eq(0)
            with m.Else():
                m.d.sync += of.planes.eq(LSB_SEGMENT_BITS - 1)
        self._take(m)
        self._follow(m, row, column, last_row, last_column, under_way)
        return self.resets(m)

    def _take(self, m: Module) -> None:
        of, staged = self.operation, self.staged
        number = Signal(range(ENABLE_BANKS))
        with m.If(self.take):
            m.d.sync += [
                self.read.eq(1), self.read_bank.eq(self.bank), self.backward.eq(staged.op.backward),
                of.two.eq(staged.two), of.high.eq(staged.two), of.relu.eq(staged.op.relu),
                of.binary.eq(staged.op.binary), of.early_stop.eq(staged.op.early_stop),
                of.cap.eq(Cat(staged.op.out_bits > k + 1 for k in range(COUNT_BITS))),
                of.slot.eq(self.slot), of.known.eq(self.known), of.number.eq(number), number.eq(number + 1),
                # The MSB segment has four planes less than the operation, which is the same modulo four.
                of.planes.eq(staged.planes - 1),
            ]

    def _follow(
        self, m: Module, row: Value, column: Value, last_row: Value, last_column: Value, under_way: Value
    ) -> None:
        """Strobes that travel with a word."""
        cfg = self.cfg
        depth = _ARRIVES + 1 + cfg.tree_levels
        strobes = {
            "arrived": self.read,
            "first": Mux(self.backward, column == 0, row == 0),
            "begin": self.read & (row == 0) & (column == 0),
            "ends": self.read & Mux(self.backward, last_column, last_row),
        }
        delayed = {name: Signal(depth + 1, name=name) for name in strobes}
        for name, value in strobes.items():
            m.d.sync += delayed[name].eq(Cat(value, delayed[name]))
        lanes = _ARRIVES  # index of the cycle in which the product is added, for a sum in its lane
        m.d.comb += [
            self.arrived.eq(delayed["arrived"][_ARRIVES - 1]), self.first.eq(delayed["first"][_ARRIVES - 1]),
            self.starts.eq(Mux(self.backward, delayed["begin"][lanes + cfg.tree_levels], delayed["begin"][lanes])),
            self.last.eq(delayed["ends"][_ARRIVES - 1]),
            self.all_lanes.eq(delayed["ends"][lanes] & ~self.backward),
            self.one.eq(delayed["ends"][lanes + 1 + cfg.tree_levels] & self.backward),
            under_way.eq(delayed["arrived"].any()),
        ]
