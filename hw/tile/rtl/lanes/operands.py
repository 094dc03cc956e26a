"""Operands of the vector unit: which elements go together, and where they come from."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, stream
from amaranth.lib.memory import Memory

from mho.hw.block import Resettable
from mho.hw.ports import In, Out, array
from mho.hw.tile.config import TileConfig
from mho.hw.tile.isa import Format, Kind, Operand
from mho.hw.tile.rtl.buffer import ADDRESS_BITS, BYTES, ReadPort
from mho.hw.tile.rtl.lanes.accumulators import AT_A_TIME
from mho.hw.tile.rtl.lanes.lane import StepLayout, by_law
from mho.hw.tile.rtl.layouts import DescriptorLayout

_LANE = 16
_DEPTH = 8
"""Beats that wait for the lanes: as many as come while a block is received, which is written first."""
_PAIR = 4
"""Codes of two words of the core."""


class TermLayout(data.StructLayout):
    """A pixel under a kernel: the ``address`` of its run, and whether it is the ``last`` one of the window."""

    def __init__(self) -> None:
        super().__init__({"address": ADDRESS_BITS, "last": 1})


class BeatLayout(data.StructLayout):
    """What the lanes take at a time.

    ``count`` elements, an operand of each; what is done with them; whether they are of the ``second`` source; whether
    parameters begin anew behind them (``wrap``).
    """

    def __init__(self, cfg: TileConfig) -> None:
        super().__init__({
            "x": data.ArrayLayout(signed(_LANE), cfg.lanes), "step": StepLayout(), "second": 1, "wrap": 1,
            "count": range(cfg.lanes + 1),
        })


class Operands(Resettable[TileConfig]):
    """Takes the elements of an operation in groups, and of each group all terms of one source and of the other.

    A group has as many elements as there are lanes, or fewer: at the end, where parameters begin anew, where two words
    of the core or one of a reduction end, where the buffer gives or takes eight bytes of lanes; two where accumulators
    are read or written, and one of a table. Words of the core are taken one a cycle, for a group of four two of them.
    """

    job = In(DescriptorLayout("vec"))
    """The operation. It is there a cycle before ``start`` and stays until all is done."""
    start = In(1)
    """Begin."""
    active = Out(1)
    waiting = Out(1)
    summing = Out(1)
    """Some elements are left; some operands were not taken yet; what is left comes from a reduction."""
    a_block = In(ADDRESS_BITS)
    b_block = In(ADDRESS_BITS)
    """Addresses of the blocks of sources that are streams."""
    term = In(stream.Signature(TermLayout()))
    second = Out(1)
    """Pixels of a source that is a walk, the whole window again and again: of the second source, or of the first
    one."""
    drain = In(stream.Signature(unsigned(32)))
    result = In(lambda self: stream.Signature(unsigned(self.cfg.payload_bits)))
    """Words of the core, and of the reduction."""
    read = Out(ReadPort())
    """The buffer."""
    sum_index = Out(8)
    sum_read = Out(1)
    sums = array(In(signed(_LANE)), AT_A_TIME)
    """Accumulators that are read, and what they are in the cycle after."""
    sum_wait = In(1)
    """They cannot be read."""
    drawn = In(32, when=lambda self: self.cfg.draws)
    draws = Out(1, when=lambda self: self.cfg.draws)
    """Of tiles that draw: the next word of random bits, and that it is taken. Groups have two elements then."""
    holds = In(1)
    o = Out(lambda self: stream.Signature(BeatLayout(self.cfg)))
    """The operands; none while it ``holds`` them."""

    def elaborate(self, platform: object) -> Any:
        m = Module()
        job = self.job
        second = self.second
        opening = Signal()
        source = Signal(5)
        form = Signal(2)
        self._source = source
        goes = Signal()
        ends = Signal()
        count = Signal(range(self.cfg.lanes + 1))
        wrap = Signal()
        beat = Signal(BeatLayout(self.cfg))
        m.d.comb += [source.eq(Mux(second, job.b, job.a)), form.eq(Mux(second, job.b_format, job.a_format))]
        is_walk = source[4] & ~source[3]
        in_memory = ~source[4] | is_walk
        sums, none = source == Operand.ACCUMULATORS, source == Operand.NONE
        term_last = ~is_walk | self.term.p.last
        product, table = job.kind == Kind.PRODUCT, job.kind == Kind.TABLE
        both = ~table & (job.b != Operand.NONE)
        m.d.comb += [
            ends.eq(term_last & (second | ~both)),
            beat.step.first.eq(opening & (second | ~product)), beat.step.last.eq(ends),
            beat.step.hold.eq(product & ~second), beat.step.blank.eq(none), beat.second.eq(second),
            beat.count.eq(count), beat.wrap.eq(wrap),
        ]
        last_group = Signal()
        pairs = Signal()
        left = Signal(11)
        numbers = self._draws(m, goes & (source == Operand.DRAW), count, form) if self.cfg.draws else []
        words, words_valid, words_next = self._words(m, second, goes & ~second, count, last_group, pairs, left)
        at = self._groups(m, goes & ends, count, wrap, words_next, last_group, pairs, left)
        with m.If(self.start):
            m.d.sync += [second.eq(0), opening.eq(1)]
        with m.Elif(goes):
            m.d.sync += [
                second.eq(~ends & Mux(product, ~second, second | term_last)),
                opening.eq(ends | (opening & product & ~second)),
            ]
        # What comes from the buffer comes a cycle later than all else, which waits for it.
        self._reads = Signal(name="reads")
        m.d.sync += self._reads.eq(self.read.valid & self.read.ready)
        landed = self._landed(m, goes, in_memory, sums, self._of_words(source), form, words, numbers)
        room = self._queue(m, goes, beat, landed)
        wants = self.active & room
        there = sums | none | words_valid
        if self.cfg.draws:
            there |= source == Operand.DRAW
        inner_ready = ~in_memory & ~self._reads & (~sums | ~self.sum_wait) & there
        self._address(m, source, second, at, form)
        m.d.comb += [
            self.read.valid.eq(wants & in_memory & (~is_walk | self.term.valid)),
            goes.eq((self.read.valid & self.read.ready) | (wants & inner_ready)),
            self.term.ready.eq(goes & is_walk), self.sum_read.eq(goes & sums),
        ]
        return self.resets(m)

    def _groups(
        self, m: Module, ends: Value, count: Signal, wrap: Signal, words_next: Value, last_group: Value, pairs: Value,
        left: Signal,
    ) -> dict[str, Signal]:
        """How many elements the group at hand has, and are left with it; place of its first one in both sources."""
        job, lanes = self.job, self.cfg.lanes
        period_left = Signal(11)
        at = {name: Signal(11, name=f"{name}_at") for name in "ab"}
        whole = Signal(range(lanes + 1))
        in_memory = ~job.a[4] | ~job.a[3]
        narrow = ((job.a_format == Format.LANE) & in_memory) | (job.b_format == Format.LANE) | job.wide
        sums = job.add | Cat(place == Operand.ACCUMULATORS for place in (job.a, job.b, job.target)).any()
        drawing = Cat(place == Operand.DRAW for place in (job.a, job.b)).any() if self.cfg.draws else None
        if drawing is not None:
            sums |= drawing
        # Known when the operation begins.
        m.d.sync += whole.eq(Mux(narrow, min(lanes, 4), lanes))
        with m.If(job.kind == Kind.TABLE):
            m.d.sync += whole.eq(1)
        with m.Elif(sums):
            m.d.sync += whole.eq(AT_A_TIME)
        uses = (job.kind == Kind.AFFINE) | (job.kind == Kind.TABLE)
        left_next, period_next = (Signal(11, name=f"{limit}_left_next") for limit in ("elements", "period"))
        limits: list[tuple[Value, Any]] = [(left_next, 1), (period_next, uses), (words_next, self._of_words(job.a))]
        # Half of a word of random bits is one element.
        fewest: Value = whole if drawing is None else Mux(self._half_next, 1, whole)
        for number, (limit, applies) in enumerate(limits):
            smallest = Signal(range(lanes + 1), name=f"least_{number}")
            low, high = limit[: len(whole)], limit[len(whole) :]
            few = (low < fewest) & ~high.any() if len(high) else low < fewest
            m.d.comb += smallest.eq(Mux(few & applies, low, fewest))
            fewest = smallest
        m.d.comb += [
            left_next.eq(left - count), period_next.eq(Mux(wrap, job.period, period_left - count)),
            wrap.eq(count == period_left), last_group.eq(count == left), pairs.eq(whole >= _PAIR),
        ]
        # A group is counted while the one before ends: much of the tile waits for which word is the last one.
        with m.If(self.start | ends):
            m.d.sync += [left.eq(left_next), period_left.eq(period_next), count.eq(fewest)]
        with m.If(self.start):
            m.d.comb += [left_next.eq(job.elements), period_next.eq(job.period)]
            m.d.sync += [at["a"].eq(job.a_offset), at["b"].eq(job.b_offset), self.active.eq(1)]
        with m.Elif(ends):
            m.d.sync += [*(place.eq(place + count) for place in at.values()), self.active.eq(~last_group)]
        return at

    def _words(
        self, m: Module, second: Value, goes: Value, count: Value, last_group: Value, pairs: Value, elements: Value
    ) -> tuple[list[Value], Value, Value]:
        """Lanes left of two words of the core or of one of a reduction, whether they are there, how many next."""
        job, flit = self.job, self.cfg.payload_bits // _LANE
        widest = max(flit, min(self.cfg.lanes, _PAIR))
        is_drain, of_words = job.a == Operand.DRAIN, self._of_words(job.a)
        used = Signal(range(widest))
        left, left_next = (Signal(range(widest + 1), name=f"words_{name}") for name in ("left", "left_next"))
        word = Signal(widest * _LANE)
        valid = Signal()
        done = Signal()
        # The first word of two, which waits for the other.
        half = Signal(32, reset_less=True)
        second_half = Signal()
        alone = Signal()
        m.d.comb += [
            alone.eq(~pairs | (elements <= 2)),
            word.eq(Mux(
                is_drain, Cat(Mux(second_half, half, self.drain.payload), self.drain.payload), self.result.payload)),
            valid.eq(Mux(is_drain, self.drain.valid & (second_half | alone), of_words & self.result.valid)),
            left_next.eq(left),
            done.eq(goes & of_words & (last_group | (count == left))),
            self.summing.eq(self.active & of_words & ~is_drain),
            self.drain.ready.eq(is_drain & (done | (self.active & ~second & ~second_half & ~alone))),
            self.result.ready.eq(done & ~is_drain),
        ]
        with m.If(self.start | done):
            m.d.sync += second_half.eq(0)
        with m.Elif(self.drain.valid & self.drain.ready):
            m.d.sync += [second_half.eq(1), half.eq(self.drain.payload)]
        m.d.sync += left.eq(left_next)
        with m.If(self.start | done):
            m.d.comb += left_next.eq(Mux(is_drain, Mux(pairs, _PAIR, 2), flit))
            m.d.sync += used.eq(0)
        with m.Elif(goes & of_words):
            m.d.comb += left_next.eq(left - count)
            m.d.sync += used.eq(used + count)
        # Those behind the ones that are left are anything.
        turned: list[Value] = [word.word_select(k, _LANE) for k in range(widest)]
        for k, bit in enumerate(used):
            turned = [
                Mux(bit, turned[place + (1 << k)], lane) if place + (1 << k) < widest else lane
                for place, lane in enumerate(turned)
            ]
        return turned, valid, left_next

    def _draws(self, m: Module, takes: Value, count: Value, form: Value) -> list[Value]:
        """Elements of the word of random bits at hand: two, or the one that is left of it."""
        half, self._half_next = (Signal(name=name) for name in ("half_drawn", "half_drawn_next"))
        m.d.comb += self._half_next.eq(~self.start & (half ^ (takes & count[0])))
        m.d.sync += half.eq(self._half_next)
        m.d.comb += self.draws.eq(takes & (half | count[1]))
        low, high = self.drawn[:_LANE], self.drawn[_LANE:]
        return [by_law(Mux(half, high, low), form), by_law(high, form)]

    def _of_words(self, source: Value) -> Value:
        """Whether a source comes as words: the core's, or a reduction's."""
        of_words = source[4] & source[3] & (source != Operand.ACCUMULATORS) & (source != Operand.NONE)
        return of_words & (source != Operand.DRAW) if self.cfg.draws else of_words

    def _landed(
        self, m: Module, goes: Value, in_memory: Value, sums: Value, of_words: Value, form: Value, words: list[Value],
        numbers: list[Value],
    ) -> tuple[Value, list[Value]]:
        """Whether operands are there that were read two cycles ago, or others of a cycle ago, and what they are."""
        # One of them at most; words are 0 where there are none, so that all is or.
        landed = Signal(2)
        of_lanes = Signal()
        of_codes = Signal()
        of_sums = Signal()
        with_sign = Signal()
        late = Signal(_LANE * len(words), reset_less=True)
        was = Signal.like(form, name="form_read")
        m.d.sync += [
            landed.eq(Cat(self._reads, goes & ~in_memory)), was.eq(form),
            of_lanes.eq(self._reads & (was == Format.LANE)), of_codes.eq(self._reads & (was != Format.LANE)),
            with_sign.eq(self._reads & (was == Format.SIGNED)),
        ]
        with m.If(goes):
            m.d.sync += [of_sums.eq(sums), late.eq(Cat(words))]
            with m.If(~of_words):
                m.d.sync += late.eq(0)
            if numbers:
                with m.If(self._source == Operand.DRAW):
                    m.d.sync += late.eq(Cat(numbers))
        elements = []
        for k in range(self.cfg.lanes):
            byte = self.read.data.word_select(k, 8)
            signs = (byte[-1] & with_sign).replicate(8)
            element = Cat(byte & of_codes.replicate(8), signs)
            if k < BYTES * 8 // _LANE:
                element |= self.read.data.word_select(k, _LANE) & of_lanes.replicate(_LANE)
            if k < len(words):
                element |= late.word_select(k, _LANE)
            if k < len(self.sums):
                element |= self.sums[k].as_unsigned() & of_sums.replicate(_LANE)
            elements.append(element)
        return landed, elements

    def _queue(self, m: Module, goes: Value, beat: data.View, landed: tuple[Value, list[Value]]) -> Value:
        """Keeps beats until the lanes take them; whether there is room for another one."""
        room = Signal(range(_DEPTH + 1), init=_DEPTH)
        head = Signal(range(_DEPTH))
        tail = Signal(range(_DEPTH))
        waiting = Signal(range(_DEPTH + 1))
        entry = Signal(BeatLayout(self.cfg))
        late, read_late = (Signal(BeatLayout(self.cfg), name=name, reset_less=True) for name in ("late", "read_late"))
        m.submodules.queue = memory = Memory(shape=unsigned(BeatLayout(self.cfg).size), depth=_DEPTH, init=[])
        write = memory.write_port()
        read = memory.read_port(domain="comb")
        with m.If(goes):
            m.d.sync += late.eq(beat)
        (read_lands, lands), operands = landed
        arrives = read_lands | lands
        m.d.sync += read_late.eq(late)
        m.d.comb += [
            entry.eq(Mux(read_lands, read_late, late)), *(entry.x[k].eq(operand) for k, operand in enumerate(operands)),
            write.addr.eq(tail), write.data.eq(entry.as_value()), write.en.eq(arrives), read.addr.eq(head),
            self.o.payload.as_value().eq(read.data), self.o.valid.eq((waiting != 0) & ~self.holds),
            self.waiting.eq(room != _DEPTH),
        ]
        leaves = self.o.valid & self.o.ready
        m.d.sync += [
            tail.eq(tail + arrives), head.eq(head + leaves), waiting.eq(waiting + arrives - leaves),
            room.eq(room + leaves - goes),
        ]
        return room != 0

    def _address(self, m: Module, source: Value, second: Value, at: dict[str, Signal], form: Value) -> None:
        """Where the elements at hand are in the buffer, or among the accumulators."""
        base = Signal(ADDRESS_BITS)
        element = Signal(11)
        m.d.comb += [
            base.eq(Mux(source[4], self.term.p.address, Mux(second, self.b_block, self.a_block))),
            element.eq(Mux(second, at["b"], at["a"])),
            self.read.address.eq(base + Mux(form == Format.LANE, element << 1, element)),
            self.sum_index.eq(element),
        ]
