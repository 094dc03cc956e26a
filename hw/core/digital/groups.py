"""Reads the results of a macro in groups of columns, makes codes of them, and gives these out as a stream."""

from abc import abstractmethod
from typing import Any, ClassVar

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, stream
from amaranth.lib.memory import Memory

from mho.hw.block import Resettable
from mho.hw.core.counting import following, last
from mho.hw.core.layout import CODE_WIDTH, OUTPUTS_PER_WORD, WordsLayout
from mho.hw.core.shape import CoreShape, Drain
from mho.hw.ports import In, Out


def group_drain(cfg: CoreShape, stages: int) -> Drain:
    """How a result leaves with so many stages between what is read and its code."""
    return Drain(latency=3 + stages, row_words=cfg.lanes // OUTPUTS_PER_WORD, rows=cfg.group_rows, settle=1 + stages)


class ResultLayout(data.StructLayout):
    """What a result is made with: bits of its codes, whether negative ones are 0, and the words that are given."""

    def __init__(self, cfg: CoreShape) -> None:
        super().__init__({"out_bits": 4, "relu": 1, "words": WordsLayout(cfg.output_words)})


class ColumnGroups(Resettable[Any]):
    """Reads the results of a macro, ``cfg.lanes`` columns a cycle, and gives out two codes a word.

    With two lanes a word is made a cycle, which is what the stream takes; more lanes only make a result wait in its
    memory. The first word is at the output three cycles and one for each stage after ``finish``. A kind says what a
    code is made of: :meth:`exact`.
    """

    stages: ClassVar[tuple[str, ...]] = ("read",)
    """Registers between a group's number at the macro and its codes; the first is the macro's own."""
    sums: ClassVar[bool] = False
    """A result is the sum of parts that the macro has one after the other, of which ``finish`` tells the last."""

    part = In(1, when=lambda self: self.sums)
    """With ``sums``: it holds a part of a result, which is read and added up, ``cfg.group_rows`` cycles and those of
    the stages before the next."""
    finish = In(1)
    """The macro holds a result from the next cycle on; only while ``free``."""
    discard = In(1)
    """With ``finish``: nothing is made of it."""
    result = In(lambda self: ResultLayout(self.cfg))
    """With ``finish``: what is made of it."""
    enabled = In(lambda self: self.cfg.outputs)
    """With ``finish``: columns that give a code."""
    free = Out(1)
    """The last result has gone."""
    busy = Out(1)
    """A word waits or will."""
    row = Out(lambda self: range(self.cfg.group_rows))
    """Group of columns that is read, at the macro."""
    seek = In(1)
    wanted = In(lambda self: range(self.cfg.group_rows))
    """Read this group instead, while nothing is read."""
    o = Out(stream.Signature(unsigned(32)))
    """The words."""

    @abstractmethod
    def exact(self, m: Module, group: Value) -> list[Signal]:
        """Half steps of a group, as many as lanes, when what was read of it has passed the stages."""

    def _codes(self, m: Module, fields: Any, enabled: Value, group: Value) -> list[Signal]:
        """Codes of a group: half steps as far as the bits go, 0 of a column that gives none."""
        top = Signal(signed(CODE_WIDTH))
        live = Signal(self.cfg.lanes)
        codes = []
        m.d.comb += [top.eq((1 << fields.out_bits) - 1), live.eq(enabled.word_select(group, self.cfg.lanes))]
        for k, exact in enumerate(self.exact(m, group)):
            output = Signal(signed(CODE_WIDTH), name=f"output_{k}")
            m.d.comb += output.eq(Mux(exact > top, top, Mux(exact < -top, -top, exact)))
            with m.If(~live[k] | (fields.relu & (exact < 0))):
                m.d.comb += output.eq(0)
            codes.append(output)
        return codes

    def elaborate(self, platform: object) -> Any:
        m = Module()
        cfg = self.cfg
        held = Signal(ResultLayout(cfg), reset_less=True)
        enabled = Signal(cfg.outputs, reset_less=True)
        starts = Signal()
        reading = Signal()
        m.d.comb += starts.eq(self.finish & ~self.discard)
        with m.If(starts):
            m.d.sync += [held.eq(self.result), enabled.eq(self.enabled), reading.eq(1), self.row.eq(0)]
        if self.sums:
            with m.If(self.part):
                m.d.sync += [reading.eq(1), self.row.eq(0)]
        with m.If(reading):
            m.d.sync += [self.row.eq(self.row + 1), reading.eq(self.row != cfg.group_rows - 1)]
        with m.Elif(self.seek):
            m.d.sync += self.row.eq(self.wanted)
        # Stage by stage: what is read, what is made of it, its codes.
        groups = [self.row]
        valid: list[Value] = [reading]
        for name in self.stages:
            group = Signal.like(self.row, name=f"{name}_row")
            arrived = Signal(name=f"{name}_valid")
            m.d.sync += [group.eq(groups[-1]), arrived.eq(valid[-1])]
            groups.append(group)
            valid.append(arrived)
        self._arrives = valid[-1]  # a group, of which codes are made
        codes = self._codes(m, held, enabled, groups[-1])
        ends = valid[-1]
        if self.sums:
            # A result before may not have gone while parts of the next come: they are not written.
            whole = Signal()
            m.d.sync += whole.eq(starts | whole & ~self.part)
            ends = valid[-1] & whole
        m.submodules.memory = memory = Memory(shape=CODE_WIDTH * cfg.lanes, depth=cfg.group_rows, init=[])
        write = memory.write_port()
        m.d.comb += [write.addr.eq(groups[-1]), write.data.eq(Cat(codes)), write.en.eq(ends)]
        made = Signal(range(cfg.group_rows + 1))
        with m.If(starts):
            m.d.sync += made.eq(0)
        with m.Elif(ends):
            m.d.sync += made.eq(made + 1)
        self._show(m, memory, held, made, starts)
        return self.resets(m)

    def _show(self, m: Module, memory: Memory, fields: Any, count: Value, starts: Value) -> None:
        """Read word after word of a result, each as soon as its group is in the memory."""
        read = memory.read_port()
        word = Signal(range(self.cfg.output_words))
        full = Signal()
        first = Signal()
        place = Signal.like(word)
        bits = (self.cfg.lanes // OUTPUTS_PER_WORD).bit_length() - 1
        row = word[bits:] if bits < len(word) else Const(0, 1)
        begins = first | ~word[:bits].any() if bits else Const(1)
        gives = full & (count > row)
        go = Signal()
        done = Signal()
        pending = Signal()
        m.d.comb += [
            go.eq(gives & (~self.o.valid | self.o.ready)), read.addr.eq(row), read.en.eq(go & begins),
            done.eq(count == self.cfg.group_rows), self.free.eq(~full & ~pending),
            self.busy.eq(full | pending | self.o.valid),
            self.o.payload.eq(read.data.word_select(place[:bits], 32) if bits else read.data),
        ]
        # A result of few words may have gone before all columns were read.
        with m.If(starts):
            m.d.sync += [full.eq(1), pending.eq(1), word.eq(self.result.words.first), first.eq(1)]
        with m.Else():
            with m.If(go):
                m.d.sync += [word.eq(word + 1), first.eq(0), full.eq(word != fields.words.last)]
            with m.If(done):
                m.d.sync += pending.eq(0)
        with m.If(~self.o.valid | self.o.ready):
            m.d.sync += self.o.valid.eq(gives)
        with m.If(go):
            m.d.sync += place.eq(word)


_PLACES = 8
"""Operations between their descriptor and their last word: more than any core has."""


class WordRange(Resettable):
    """Passes the words from the first to the last that an operation names, and takes the others.

    Parameters
    ----------
    output_words
        Words that the core gives an operation.
    """

    accept = In(1)
    words = In(lambda self: WordsLayout(self.output_words))
    """Strobe: an operation is taken of which these words are wanted."""
    i = In(stream.Signature(unsigned(32)))
    o = Out(stream.Signature(unsigned(32)))
    """Words of the core; those that are wanted."""

    def __init__(self, output_words: int) -> None:
        self.output_words = output_words
        super().__init__()

    def elaborate(self, platform: object) -> Any:
        m = Module()
        layout = WordsLayout(self.output_words)
        m.submodules.ranges = memory = Memory(shape=unsigned(layout.size), depth=_PLACES, init=[])
        write = memory.write_port()
        read = memory.read_port(domain="comb")
        tail = Signal(range(_PLACES))
        head = Signal(range(_PLACES))
        word = Signal(range(self.output_words))
        found = Signal(layout)
        wanted = Signal()
        m.d.comb += [
            write.addr.eq(tail), write.data.eq(self.words.as_value()), write.en.eq(self.accept), read.addr.eq(head),
            found.eq(read.data), wanted.eq((word >= found.first) & (word <= found.last)),
            self.o.payload.eq(self.i.payload), self.o.valid.eq(self.i.valid & wanted),
            self.i.ready.eq(~wanted | self.o.ready),
        ]
        m.d.sync += tail.eq(tail + self.accept)
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += word.eq(following(word, self.output_words))
            with m.If(last(word, self.output_words)):
                m.d.sync += head.eq(head + 1)
        return self.resets(m)
