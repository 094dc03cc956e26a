"""A transposable core whose digital part is serial, too: for devices that have no room for one of so many lines."""

from typing import Any

from amaranth.hdl import C, Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import connect, flipped

from mho.hw.core.counting import tally
from mho.hw.core.digital.groups import WordRange
from mho.hw.core.layout import CODE_WIDTH, INPUT_WIDTH, OpLayout
from mho.hw.core.masks import MaskStore
from mho.hw.core.port import VectorMembers
from mho.hw.emulator.kinds.tnsa.config import TnsaEmulatorConfig
from mho.hw.emulator.kinds.tnsa.noise import add_noise
from mho.hw.emulator.macro import EmulatedMacro, add_with_carry
from mho.hw.kinds.tnsa.inputs import OpCheck
from mho.hw.kinds.tnsa.results import COUNT_BITS
from mho.macro_models.integer.operation import LSB_SEGMENT_BITS


class SerialCore(EmulatedMacro, VectorMembers):
    """An :class:`EmulatedMacro` with the streams of :class:`mho.hw.kinds.tnsa.core.TnsaCore` in place of its pins.

    One operation after the other: its codes are taken, planes summed, lines converted, codes given.

    In halves of the charge ``A = 2 r + 1`` and of the even step ``s = 2 t`` all is integer: the sign of A is that of r,
    and a decrement takes t from r. A binary search that always steps towards zero finds ``floor(|A| / s)``, limited to
    the bits that it searches, if the steps of both signs are equal: so counting is the search with the step of the
    sign, and a binary search is the one with both (:func:`mho.macro_models.integer.tnsa.converter.convert`).

    Members
    -------
    <the members of :func:`mho.hw.kinds.tnsa.core.tnsa_port`>
        The vector port. ``cycles_total`` are cycles of the emulator, ``cycles_analog`` those that the operations at the
        pins of the chip would have taken, ``cycles_hold`` is 0. ``error`` is set, too, by an operation without a table:
        its codes are 0.
    load : In(stream of LoadLayout)
        As of the macro. A tag has the number of the mask of word lines, and a slot nothing else.
    """

    cfg: TnsaEmulatorConfig
    after_sum = "Summed"
    by_group = True

    def __init__(self, cfg: TnsaEmulatorConfig) -> None:
        self.port = cfg.blocks.port
        super().__init__(cfg)

    @staticmethod
    def outside(cfg: TnsaEmulatorConfig) -> dict[str, Any]:
        return dict(cfg.blocks.port.members)

    def prepare(self, m: Module) -> None:
        self._op = Signal(OpLayout())
        self._planes = Signal(4)
        self._two = Signal()
        self._high = Signal()
        self._plane = Signal(2)
        self._top = Signal(2)
        self._known = Signal()
        self._line = Signal(range(self.cfg.lines))
        self._loading = Signal()
        self._loads = Signal()
        self._count = Signal(COUNT_BITS)
        self._negative = Signal()
        self._ends = Signal()
        self._caps = Signal(COUNT_BITS)
        m.submodules.masks = self._masks = MaskStore(self.cfg.core)
        m.d.comb += [
            self._top.eq(Mux(self._two & ~self._high, LSB_SEGMENT_BITS - 1, (self._planes - 1)[:2])),
            self._caps.eq(Cat(self._op.out_bits > k + 1 for k in range(COUNT_BITS))),
        ]

    def matrix(self) -> Value:
        return self._op.backward

    def wanted(self) -> Value:
        return Cat(self._op.step_code, self._op.backward, self._op.wl_select)

    def add_level(self, m: Module) -> None:
        """A bit of the magnitude that is kept of an input, with its sign; 0 of a line that is not driven."""
        m.submodules.inputs = inputs = Memory(shape=INPUT_WIDTH + 1, depth=self.cfg.lines, init=[])
        self._inputs = inputs.write_port()
        read = inputs.read_port()
        bit = read.data[:INPUT_WIDTH].bit_select(Cat(self._plane, self._high), 1)
        m.d.comb += [read.addr.eq(self.row), read.en.eq(1), self.level.eq(Cat(bit, bit & read.data[-1]).as_signed())]

    def begins(self, m: Module) -> tuple[Value, Value]:
        masks, op, status = self._masks, self._op, self.status
        m.submodules.check = check = OpCheck()
        connect(m, masks.i, flipped(self.mask))
        transfer = self.op.valid & self.op.ready
        accept = Signal()
        m.d.comb += [
            self.op.ready.eq(self.idle & masks.ready), check.op.eq(self.op.payload), accept.eq(transfer & check.legal),
            masks.read.eq(accept), masks.backward.eq(op.backward), masks.wl_select.eq(op.wl_select),
            masks.line_select.eq(op.line_select), status.busy.eq(~self.idle),
        ]
        tally(m, status.cycles_total, ~self.idle, "total")
        with m.If(transfer & ~check.legal):
            m.d.sync += status.error.eq(1)
        with m.If(accept):
            m.d.sync += [
                op.eq(self.op.payload), self._planes.eq(check.planes), self._two.eq(check.two),
                self._high.eq(check.two), self.begun.eq(0),
            ]
        self._accept = accept
        self._noise = None
        if self.cfg.noise:
            self._noise = add_noise(m, self, number=op.op_id + (self._two & ~self._high))
        self._given = self.o
        if self.cfg.core.ranged:
            m.submodules.word_range = words = WordRange(self.cfg.core.output_words)
            connect(m, words.o, flipped(self.o))
            m.d.comb += [words.accept.eq(accept), words.words.eq(self.words)]
            self._given = words.i
        driven, enabled = self._add_masks(m, Mux(self._loading, self._line, self.column))
        self._keep(m, driven)
        self._add_codes(m, enabled)
        self._tally_steps(m, enabled & ~(op.relu & self._negative))
        return Const(0), transfer

    def add_idle(self, m: Module) -> None:
        with m.If(self._accept):
            m.next = "Masks"

    def add_states(self, m: Module) -> None:
        line, loading = self._line, self._loading
        with m.State("Masks"):
            m.d.comb += loading.eq(1)
            m.d.sync += self._known.eq(self.tables.known)
            with m.If(~self._masks.busy):
                m.next = "Fetch"
        with m.State("Fetch"):
            m.d.comb += loading.eq(1)
            with m.If(~self._known):
                m.d.sync += self.status.error.eq(1)
            m.next = "Load"
        with m.State("Load"):
            m.d.comb += [loading.eq(1), self._loads.eq(1)]
            with m.If(self.i.valid):
                m.d.sync += line.eq(line + 1)
                m.next = "Fetch"
                with m.If(line == self.cfg.lines - 1):
                    m.d.sync += self._plane.eq(self._top)
                    m.next = "Plane"
        with m.State("Plane"):
            if self._noise is not None:
                m.d.comb += self._noise.begins.eq(1)
            m.next = "Sum"
        with m.State("Summed"):
            m.d.sync += self._plane.eq(self._plane - 1)
            m.next = "Plane"
            with m.If(self._plane == 0):
                m.next = "Charge"
                if self._noise is not None:
                    # The inputs of all rows were seen with the first group.
                    m.d.comb += self._noise.draw.eq(self.group == 0)
                    m.next = "Draw"
        if self._noise is not None:
            with m.State("Draw"), m.If(self._noise.ready):
                m.next = "Charge"
        self._convert(m)
        self._drain(m, line)

    def _add_masks(self, m: Module, line: Value) -> tuple[Value, Value]:
        """Whether a line is driven, and converted, a cycle after it is named."""
        masks, width = self._masks, self.cfg.core.mask_width
        depth = max(self.cfg.core.mask_words, 2)  # an address has a bit at least
        m.submodules.lines_on = memory = Memory(shape=2 * width, depth=depth, init=[])
        write = memory.write_port()
        read = memory.read_port()
        place = Signal(range(width))
        m.d.sync += place.eq(line)
        m.d.comb += [
            write.addr.eq(masks.word_index), write.data.eq(Cat(masks.word_driven, masks.word_enabled)),
            write.en.eq(masks.word_valid), read.addr.eq(line >> len(place)), read.en.eq(1),
        ]
        return read.data[:width].bit_select(place, 1), read.data[width:].bit_select(place, 1)

    def _keep(self, m: Module, driven: Value) -> None:
        """Keep the input of a line; forward of the first or the second of a pair."""
        backward, line, loads = self._op.backward, self._line, self._loads
        code = Signal(INPUT_WIDTH)
        magnitude = Signal(INPUT_WIDTH)
        negative = Signal()
        m.d.comb += [
            code.eq(self.i.payload.word_select(Mux(backward, line[:2], line[1:3]), INPUT_WIDTH)),
            negative.eq(self._op.in_signed & code[-1]), magnitude.eq(Mux(negative, -code, code)),
            self._inputs.addr.eq(line), self._inputs.en.eq(loads),
            self._inputs.data.eq(Mux(driven, Cat(magnitude, negative ^ (line[0] & ~backward)), 0)),
            self.i.ready.eq(loads & line[:2].all() & (backward | line[2])),
        ]

    def _convert(self, m: Module) -> None:
        """States in which a line after the other becomes a charge, and then a code."""
        cfg, op, tables, column = self.cfg, self._op, self.tables, self.column
        wait = Signal(2)
        search = Signal(range(COUNT_BITS))
        pos = Signal(cfg.step_bits)
        neg = Signal(cfg.step_bits)
        # Half of what is left of the charge, rounded down, moved up so that a half step meets its upper part.
        rest = Signal(signed(cfg.step_bits + 1 + COUNT_BITS))
        cap = Signal(COUNT_BITS)
        negative = self._negative
        value = self.value if self._noise is None else self.value + self._noise.noise
        m.d.comb += [tables.place.eq(column), pos.eq(tables.entry[1]), neg.eq(tables.entry[2])]
        with m.State("Charge"):
            # What there is of a line comes a cycle after it is named, its noise two.
            m.d.sync += [wait.eq(wait + 1), rest.eq(value + tables.entry[0])]
            with m.If(wait == 3):
                m.d.sync += [negative.eq(rest[-1]), cap.eq(self._caps), search.eq(COUNT_BITS - 1), rest.eq(rest)]
                m.next = "Search"
        with m.State("Search"):
            upper = rest[COUNT_BITS - 1 :].as_signed()
            below, searched = upper < 0, cap[-1]
            step = Signal.like(upper)
            after = Signal.like(upper)
            up, down = Mux(negative | op.binary, neg, pos), Mux(negative & ~op.binary, neg, pos)
            # The carry completes the two's complement of a step down.
            m.d.comb += [
                step.eq(Mux(below, Cat(up, C(0, 2)), ~Cat(down, C(0, 2))) & searched.replicate(len(step))),
                after.eq(add_with_carry(upper, step, searched & ~below)),
            ]
            m.d.sync += [
                rest.eq(Cat(C(0, 1), rest[: COUNT_BITS - 1], after)), cap.eq(cap << 1), search.eq(search - 1),
                self._count.eq(Cat(searched & ((after < 0) == negative), self._count)),
            ]
            with m.If(search == 0):
                m.next = "Code"
        with m.State("Code"):
            m.d.sync += column.eq(column + 1)
            m.d.comb += [self._codes.en.eq(1), self._ends.eq(column == cfg.lines - 1)]
            if self._noise is not None:
                m.d.comb += self._noise.follows.eq(1)
            m.next = "Charge"
            with m.If((column & (cfg.lanes - 1)) == cfg.lanes - 1):
                m.d.sync += [self.begun.eq(0), self._plane.eq(self._top), self.next_group()]
                m.next = "Plane"
            with m.If(self._ends):
                m.next = "Even"
                with m.If(self._high):
                    m.d.sync += [self._high.eq(0), self._plane.eq(LSB_SEGMENT_BITS - 1)]
                    m.next = "Plane"

    def _add_codes(self, m: Module, enabled: Value) -> None:
        """The memory of codes, to which that of a line is written, with that of the MSB segment if there is one."""
        m.submodules.codes = codes = Memory(shape=signed(CODE_WIDTH), depth=self.cfg.lines, init=[])
        self._codes = codes.write_port()
        self._read = codes.read_port()
        part = Signal(signed(COUNT_BITS + 2))
        op, negative = self._op, self._negative
        with m.If(enabled & self._known & ~(op.relu & negative)):
            # Minus an odd number is its complement but for bit 0.
            m.d.comb += part.eq(Cat(C(1, 1), self._count ^ negative.replicate(COUNT_BITS), negative).as_signed())
        m.d.comb += [
            self._codes.addr.eq(self.column), self._read.addr.eq(self.column), self._read.en.eq(1),
            self._codes.data.eq(Mux(self._two & ~self._high, self._read.data << LSB_SEGMENT_BITS, 0) + part),
        ]
        m.d.sync += self.status.done.eq(self._ends & ~self._high)

    def _tally_steps(self, m: Module, waits: Value) -> None:
        """Cycles that the operations at the pins of a macro would have taken, after each conversion."""
        core, op, status, caps, ends = self.cfg.core, self._op, self.status, self._caps, self._ends
        most = Signal(COUNT_BITS + 1)
        found = Signal(COUNT_BITS + 1)
        steps = Signal(COUNT_BITS)
        mine = Mux(waits, self._count + 1, 0)
        m.d.comb += [found.eq(Mux(mine > most, mine, most)), steps.eq(caps)]
        with m.If(op.binary):
            # A search makes one decrement for each bit of the cap.
            m.d.comb += steps.eq(sum((caps[k] for k in range(COUNT_BITS)), Const(0)))
        with m.Elif(op.early_stop & (found < caps)):
            m.d.comb += steps.eq(found)
        fixed = Signal(32)
        taken = Signal(COUNT_BITS)
        ended = Signal()
        with m.Switch(self._top):
            for k in range(LSB_SEGMENT_BITS):
                with m.Case(k):
                    m.d.comb += fixed.eq(int(core.segment_cycles(k + 1, 0)))
        with m.If(self._codes.en):
            m.d.sync += most.eq(Mux(ends, 0, found))
        m.d.sync += [ended.eq(ends), taken.eq(steps)]
        with m.If(ends):
            m.d.sync += status.mvms.eq(status.mvms + 1)
            m.d.sync += status.cycles_analog.eq(status.cycles_analog + fixed)
        with m.If(ended):
            taken_cycles = taken * (core.decrement_cycles + core.compare_cycles)
            m.d.sync += status.cycles_analog.eq(status.cycles_analog + taken_cycles)

    def _drain(self, m: Module, line: Signal) -> None:
        """States in which codes are given, two a word."""
        even = Signal(CODE_WIDTH)
        target = self._given
        m.d.comb += target.payload.eq(Cat(even, self._read.data))
        with m.State("Even"):
            m.d.comb += self._read.addr.eq(line)
            m.next = "Odd"
        with m.State("Odd"):
            m.d.comb += self._read.addr.eq(line | 1)
            m.d.sync += even.eq(self._read.data)
            m.next = "Give"
        with m.State("Give"):
            m.d.comb += [self._read.addr.eq(line | 1), target.valid.eq(1)]
            with m.If(target.ready):
                m.d.sync += line.eq(line + 2)
                m.next = "Even"
                with m.If(line == self.cfg.lines - 2):
                    m.next = "Idle"
