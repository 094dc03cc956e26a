"""Counts of all converted lines, and the bank that gives them out as a stream while the next operation runs."""

from functools import reduce
from operator import or_

from amaranth.hdl import C, Cat, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import stream
from amaranth.lib.memory import Memory

from mho.hw.block import Resettable
from mho.hw.core.counting import following, last, padded
from mho.hw.core.layout import CODE_WIDTH, WordsLayout
from mho.hw.kinds.tnsa.config import TnsaCoreConfig
from mho.hw.ports import In, Out, array
from mho.macro_models.integer.operation import LSB_SEGMENT_BITS, MAX_BITS

COUNT_BITS = MAX_BITS - 1
"""Bits of the magnitude of a code."""


class LineCounters(Resettable[TnsaCoreConfig]):
    """Turns the comparators' results into a sign and a count for each line.

    Each line starts from the cap, all bits of which are 1, and only ever loses bits: when it flips, those that the
    number of decrements before that one does not have; in a binary search the bit that was tried. ``removed[k]`` says
    which lines have lost bit k, so that a step is one operation on a vector for each bit, and a line has flipped if it
    has lost any. The count is ``cap & ~removed``. Results stay until the next ``latch``. The numpy reference is
    :func:`mho.macro_models.integer.tnsa.converter.convert`.
    """

    cmp = In(lambda self: self.cfg.lines)
    """The macro's comparators: 1 where the charge is negative."""
    load = In(1)
    """An operation starts: take over its ``enabled``."""
    enabled = In(lambda self: self.cfg.lines)

    latch = In(1)
    step = In(1)
    """Evaluate ``cmp`` as the sign, or after a decrement."""
    binary = In(1)
    relu = In(1)
    """Of the operation."""
    cap = In(COUNT_BITS)
    count = In(COUNT_BITS)
    """Largest count, at ``latch``; decrements before the last one."""
    scale = In(3)
    """Bit that a binary search has just tried."""
    pending = Out(1)
    """A line that counts will not have flipped after this ``latch`` or ``step``. Combinational from ``cmp``."""
    negative = Out(lambda self: self.cfg.lines)
    """Signs."""
    removed = array(Out(lambda self: self.cfg.lines), COUNT_BITS)
    """Bits of the cap that the counts do not have."""
    held_cap = Out(COUNT_BITS)
    """The cap of these counts."""
    live = Out(lambda self: self.cfg.lines)
    """Lines that have a code; that of the others is 0: they are not enabled, or suppressed by ReLU."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        lines = self.cfg.lines
        # Written before they are read: no reset.
        enabled, negative, live = (Signal(lines, name=f"{name}_lines", reset_less=True)
                                   for name in ("enabled", "negative", "live"))
        removed = [Signal(lines, name=f"lost_{k}", reset_less=True) for k in range(COUNT_BITS)]
        m.d.comb += [
            self.negative.eq(negative), self.live.eq(live),
            *(port.eq(bits) for port, bits in zip(self.removed, removed, strict=True)),
        ]
        # Each is 0 where it is not needed, so that a simulator does not work it out.
        counting = Signal(lines)
        flipped = Signal(lines)
        remain = Signal(lines)
        lose = Signal(lines)
        with m.If(self.latch):
            m.d.comb += remain.eq(enabled & ~(self.cmp & self.relu.replicate(lines)))
        with m.Elif(self.step):
            m.d.comb += [
                counting.eq(~reduce(or_, removed)), flipped.eq(self.cmp ^ negative),
                remain.eq(counting & live & ~flipped), lose.eq(flipped & (counting | self.binary.replicate(lines))),
            ]
        m.d.comb += self.pending.eq(remain.any())
        with m.If(self.load):
            m.d.sync += enabled.eq(self.enabled)
        with m.If(self.latch):
            m.d.sync += [negative.eq(self.cmp), live.eq(remain), self.held_cap.eq(self.cap)]
            m.d.sync += [bits.eq(0) for bits in removed]
        with m.Elif(self.step):
            for k, bits in enumerate(removed):
                with m.If(Mux(self.binary, self.scale == k, ~self.count[k])):
                    m.d.sync += bits.eq(bits | lose)
        return self.resets(m)


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
        low_read = low.read_port()
        high_read = high.read_port()
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
            present = ~moving | (word[place_bits:] < moved)
            first = Signal()
            end = Signal.like(word)
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
