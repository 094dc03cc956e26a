"""Holds the result of an MVM and gives it out as a stream while the next one runs."""

from amaranth.hdl import C, Cat, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import stream
from amaranth.lib.memory import Memory

from mho.hw.block import Resettable
from mho.hw.core.counting import following, last, padded
from mho.hw.core.layout import CODE_WIDTH, WordsLayout
from mho.hw.kinds.tnsa.config import TnsaCoreConfig
from mho.hw.kinds.tnsa.results.counters import COUNT_BITS
from mho.hw.ports import In, Out, array
from mho.macro_models.integer.operation import LSB_SEGMENT_BITS

_STORED = COUNT_BITS + 2
"""Bits of the code of one conversion: a count, its half step and its sign."""


class ResultBank(Resettable[TnsaCoreConfig]):
    """Moves a result out of the counters, and gives out two codes a word.

    The counters keep the result until the next conversion's first compare ends, and are free until then: they are read
    ``cfg.drain_lines`` lines a cycle into a memory with a row for so many, in the part for the MSB segment or in the
    other. A word leaves the memory as soon as its row is in it, and its codes are made there: a code is ``2n + 1`` half
    steps with its sign, or 0; two segments give ``16 * high + low``. The first word appears two cycles after
    ``finish``, then one every cycle; the bank is free again when the last word is at the output, ``cfg.output_words``
    cycles after ``finish`` at the earliest.
    """

    finish = In(1)
    """The result of a conversion is complete; only while ``free``. It stays for ``cfg.drain_rows`` cycles, this one
    included."""
    high = In(1)
    two = In(1)
    """It is the MSB segment; the operation has two segments."""
    negative = In(lambda self: self.cfg.lines)
    removed = array(In(lambda self: self.cfg.lines), COUNT_BITS)
    cap = In(COUNT_BITS)
    live = In(lambda self: self.cfg.lines)
    """The result, see :class:`LineCounters`."""
    free = Out(1)
    """No result waits."""
    busy = Out(1)
    """A word waits or will."""
    o = Out(stream.Signature(unsigned(32)))
    """The words."""
    words = In(lambda self: WordsLayout(self.cfg.output_words), when=lambda self: self.cfg.ranged)
    """With ``cfg.ranged``, with ``finish`` of an operation's last conversion: its words that are given out. The bank is
    free again when the last of them is at the output and the result is in the memory."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        rows, width = self.cfg.drain_rows, self.cfg.drain_lines * _STORED
        m.submodules.low_memory = low = Memory(shape=unsigned(width), depth=rows, init=[])
        m.submodules.high_memory = high = Memory(shape=unsigned(width), depth=rows, init=[])
        row = Signal(range(rows))
        moving = Signal()
        moves_high = Signal()
        moves = Signal()
        part = Mux(moving, moves_high, self.high)
        stored = Signal(width)
        m.d.comb += moves.eq(self.finish | moving)
        # Row 0 goes with ``finish``, the others follow.
        with m.If(moves):
            m.d.comb += stored.eq(self._row(m, row))
            m.d.sync += [row.eq(following(row, rows)), moving.eq(row != rows - 1), moves_high.eq(part)]
        for memory, enable in ((low, ~part), (high, part)):
            write = memory.write_port()
            m.d.comb += [write.addr.eq(row), write.data.eq(stored), write.en.eq(moves & enable)]
        self._show(m, low, high, moving, row)
        return self.resets(m)

    def _row(self, m: Module, row: Value) -> Value:
        """What is stored of the lines of a row: vector by vector, bits 0 to 8 of their codes.

        Two's complement of an odd number is its complement but for bit 0, so that a sign costs a gate and no adder.
        """
        lines = self.cfg.drain_lines

        def part(vector: Value, name: str) -> Signal:
            selected = Signal(lines, name=f"row_{name}")
            m.d.comb += selected.eq(padded(vector, lines).word_select(row, lines))
            return selected

        negative, live = part(self.negative, "negative"), part(self.live, "live")
        counts = [
            ~part(removed, f"removed_{k}") & self.cap[k].replicate(lines) for k, removed in enumerate(self.removed)
        ]
        return Cat(live, *((bits ^ negative) & live for bits in counts), negative & live)

    def _show(self, m: Module, low: Memory, high: Memory, moving: Value, moved: Value) -> None:
        """Read word after word of a result that moves, or has moved, into the memories."""
        low_read, high_read = low.read_port(), high.read_port()
        full = Signal()
        two = Signal()
        words = self.cfg.output_words
        word = Signal(range(words))
        shown = Signal.like(word)
        shown_two = Signal()
        place_bits = self.cfg.drain_lines.bit_length() - 2
        next_word, gives, ends = full & (~self.o.valid | self.o.ready), full, last(word, words)
        # A row is read with its first word, and stays.
        begins = ~word[:place_bits].any() if place_bits else C(1)
        if self.cfg.ranged:
            # The first word may be behind a row that is not in the memory yet.
            present, first, end = ~moving | (word[place_bits:] < moved), Signal(), Signal.like(word)
            gives, next_word, ends, begins = full & present, next_word & present, word == end, begins | first
            with m.If(self.finish & ~self.high):
                m.d.sync += [word.eq(self.words.first), end.eq(self.words.last), first.eq(1)]
            with m.Elif(next_word):
                m.d.sync += first.eq(0)
        next_row = next_word & begins
        m.d.comb += [
            self.free.eq(~(full | moving) if self.cfg.ranged else ~full), self.busy.eq(full | self.o.valid),
            low_read.addr.eq(word[place_bits:]), low_read.en.eq(next_row),
            high_read.addr.eq(word[place_bits:]), high_read.en.eq(next_row & two),
        ]
        with m.If(self.finish & ~self.high):
            m.d.sync += [two.eq(self.two), full.eq(1)]
        with m.If(~self.o.valid | self.o.ready):
            m.d.sync += self.o.valid.eq(gives)
        with m.If(next_word):
            m.d.sync += [word.eq(following(word, words)), shown.eq(word), shown_two.eq(two)]
            with m.If(ends):
                m.d.sync += full.eq(0)
        place = shown[:place_bits]
        with m.If(self.o.valid):
            low_codes = self._codes(m, "low", low_read.data, place)
            with m.If(shown_two):
                high_codes = self._codes(m, "high", high_read.data, place)
        code = [Signal(signed(CODE_WIDTH), name=f"code_{line}") for line in range(2)]
        for line, low_code, high_code in zip(code, low_codes, high_codes, strict=True):
            m.d.comb += line.eq((high_code << LSB_SEGMENT_BITS) + low_code)
        m.d.comb += self.o.payload.eq(Cat(code))

    def _codes(self, m: Module, name: str, data: Value, place: Value) -> list[Signal]:
        """The two codes of a word that is at ``place`` in a row."""
        lines = self.cfg.drain_lines
        vectors = [Signal(lines, name=f"{name}_{k}") for k in range(_STORED)]
        m.d.comb += Cat(vectors).eq(data)
        codes = [Signal(signed(_STORED), name=f"{name}_code_{line}") for line in range(2)]
        for line, code in enumerate(codes):
            number = Cat(C(line, 1), place) if len(place) else C(line, 1)
            m.d.comb += code.eq(Cat(vector.bit_select(number, 1) for vector in vectors))
        return codes
