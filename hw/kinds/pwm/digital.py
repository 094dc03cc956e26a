"""The digital unit: counters become codes, which leave as a stream while the next conversion runs."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, stream
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from mho.hw.block import Resettable
from mho.hw.core.layout import WordsLayout
from mho.hw.core.words import OUTPUTS_PER_WORD
from mho.hw.kinds.pwm.config import PwmCoreConfig
from mho.hw.kinds.pwm.settings import COLUMN_BITS
from mho.macro_models.integer.pwm.converter import COUNTER_BITS
from mho.macro_models.integer.pwm.digital import PRODUCT_BITS

__all__ = ["CODE_WIDTH", "DigitalUnit", "ResultLayout"]

CODE_WIDTH = 16
"""Bits of an output code."""


class ResultLayout(data.StructLayout):
    """What a result is made with: bits of its codes, whether negative ones are 0, and the words that are given."""

    def __init__(self, cfg: PwmCoreConfig) -> None:
        super().__init__({"out_bits": 4, "relu": 1, "words": WordsLayout(cfg.output_words)})


class DigitalUnit(Resettable):
    """Reads the captured counters of a macro, ``cfg.lanes`` columns a cycle, and gives out two codes a word.

    A code is that of :meth:`mho.macro_models.integer.pwm.digital.DigitalUnits.compute`; 0 where a column is off.
    With two lanes a word is made a cycle, which is what the stream takes: ``cfg.output_words`` cycles (128 of 256
    columns) hide behind the 133 cycles of a product of one window; more lanes only make a result wait in its memory.
    The first word is at the output five cycles after ``finish``.

    Members
    -------
    finish : In(1)
        The counters are captured in this cycle; only while ``free``.
    discard : In(1)
        With ``finish``: nothing is made of them.
    result : In(ResultLayout(cfg))
        With ``finish``: what is made of them.
    enabled : In(cfg.lines)
        With ``finish``: columns that give a code.
    free : Out(1)
        The last result has gone.
    busy : Out(1)
        A word waits or will.
    seek, wanted : In(1), In
        Read this group instead, while nothing is read.
    row : Out
        Group of columns that is read, at the macro and of the settings.
    columns : In(cfg.lanes * COLUMN_BITS)
        Gains and offsets of the group of the last cycle.
    count_pos, count_neg : In(cfg.lanes * 12)
        Its counters.
    o : Out(stream.Signature(32))
        The words.
    """

    finish: Value
    discard: Value
    result: Any
    enabled: Value
    free: Value
    busy: Value
    seek: Value
    wanted: Value
    row: Signal
    columns: Value
    count_pos: Value
    count_neg: Value
    o: stream.Interface

    def __init__(self, cfg: PwmCoreConfig) -> None:
        self.cfg = cfg
        counts = cfg.lanes * COUNTER_BITS
        super().__init__({
            "finish": In(1), "discard": In(1), "result": In(ResultLayout(cfg)), "enabled": In(cfg.lines),
            "free": Out(1), "busy": Out(1), "row": Out(range(cfg.group_rows)),
            "seek": In(1), "wanted": In(range(cfg.group_rows)),
            "columns": In(cfg.lanes * COLUMN_BITS), "count_pos": In(counts), "count_neg": In(counts),
            "o": Out(stream.Signature(unsigned(32))),
        })

    def elaborate(self, platform: object) -> Any:
        m = Module()
        cfg = self.cfg
        held = Signal(ResultLayout(cfg), reset_less=True)
        enabled = Signal(cfg.lines, reset_less=True)
        starts = Signal()
        reading = Signal()
        m.d.comb += starts.eq(self.finish & ~self.discard)
        with m.If(starts):
            m.d.sync += [held.eq(self.result), enabled.eq(self.enabled), reading.eq(1), self.row.eq(0)]
        with m.If(reading):
            m.d.sync += [self.row.eq(self.row + 1), reading.eq(self.row != cfg.group_rows - 1)]
        with m.Elif(self.seek):
            m.d.sync += self.row.eq(self.wanted)
        # Stage by stage: what is read, its products, its codes.
        groups = [self.row]
        valid: list[Value] = [reading]
        for name in ("read", "product"):
            group = Signal.like(self.row, name=f"{name}_row")
            there = Signal(name=f"{name}_valid")
            m.d.sync += [group.eq(groups[-1]), there.eq(valid[-1])]
            groups.append(group)
            valid.append(there)
        codes = self._codes(m, held, enabled, groups[2])
        m.submodules.memory = memory = Memory(shape=CODE_WIDTH * cfg.lanes, depth=cfg.group_rows, init=[])
        write = memory.write_port()
        m.d.comb += [write.addr.eq(groups[2]), write.data.eq(Cat(codes)), write.en.eq(valid[2])]
        made = Signal(range(cfg.group_rows + 1))
        with m.If(starts):
            m.d.sync += made.eq(0)
        with m.Elif(valid[2]):
            m.d.sync += made.eq(made + 1)
        self._show(m, memory, held, made, starts)
        return self.resets(m)

    def _codes(self, m: Module, held: Any, enabled: Value, group: Value) -> list[Signal]:
        """Codes of a group, one cycle after its counters were at the pins."""
        cfg = self.cfg
        top = Signal(8)
        low = Signal(signed(9))
        live = Signal(cfg.lanes)
        m.d.comb += [
            top.eq((1 << held.out_bits) - 1), low.eq(Mux(held.relu, 0, -top)),
            live.eq(enabled.word_select(group, cfg.lanes)),
        ]
        codes = []
        for k in range(cfg.lanes):
            gain, offset = self.columns.word_select(k, COLUMN_BITS)[:8], self.columns.word_select(k, COLUMN_BITS)[8:]
            product = Signal(signed(COUNTER_BITS + 9), name=f"product_{k}")
            moved = Signal(signed(8), name=f"offset_{k}")
            exact = Signal(signed(CODE_WIDTH), name=f"exact_{k}")
            code = Signal(signed(CODE_WIDTH), name=f"code_{k}")
            difference = (self.count_pos.word_select(k, COUNTER_BITS).as_unsigned()
                          - self.count_neg.word_select(k, COUNTER_BITS).as_unsigned())
            m.d.sync += [product.eq(difference * gain), moved.eq(offset.as_signed())]
            m.d.comb += [
                exact.eq(((product + (1 << PRODUCT_BITS - 1)) >> PRODUCT_BITS) + moved),
                code.eq(Mux(live[k], Mux(exact > top, top, Mux(exact < low, low, exact)), 0)),
            ]
            codes.append(code)
        return codes

    def _show(self, m: Module, memory: Memory, held: Any, made: Value, starts: Value) -> None:
        """Read word after word of a result, each as soon as its group is in the memory."""
        read = memory.read_port()
        word = Signal(range(self.cfg.output_words))
        full = Signal()
        first = Signal()
        place = Signal.like(word)
        bits = (self.cfg.lanes // OUTPUTS_PER_WORD).bit_length() - 1
        row = word[bits:] if bits < len(word) else Const(0, 1)
        begins = first | ~word[:bits].any() if bits else Const(1)
        gives = full & (made > row)
        go = Signal()
        done = Signal()
        pending = Signal()
        m.d.comb += [
            go.eq(gives & (~self.o.valid | self.o.ready)), read.addr.eq(row), read.en.eq(go & begins),
            done.eq(made == self.cfg.group_rows), self.free.eq(~full & ~pending),
            self.busy.eq(full | pending | self.o.valid),
            self.o.payload.eq(read.data.word_select(place[:bits], 32) if bits else read.data),
        ]
        # A result of few words may have gone before all columns were read.
        with m.If(starts):
            m.d.sync += [full.eq(1), pending.eq(1), word.eq(self.result.words.first), first.eq(1)]
        with m.Else():
            with m.If(go):
                m.d.sync += [word.eq(word + 1), first.eq(0), full.eq(word != held.words.last)]
            with m.If(done):
                m.d.sync += pending.eq(0)
        with m.If(~self.o.valid | self.o.ready):
            m.d.sync += self.o.valid.eq(gives)
        with m.If(go):
            m.d.sync += place.eq(word)
