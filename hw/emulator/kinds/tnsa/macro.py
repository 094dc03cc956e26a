"""The transposable macro behind its pins: its cells twice, row by row and column by column, and charges of lines."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from mho.hw.core.shape import MASK_WORD
from mho.hw.emulator.config import EXTRA
from mho.hw.emulator.kinds.tnsa.charges import LineCharges
from mho.hw.emulator.kinds.tnsa.config import LINES, TnsaEmulatorConfig
from mho.hw.emulator.kinds.tnsa.noise import add_noise
from mho.hw.emulator.macro import EmulatedMacro
from mho.hw.emulator.pulses.writes import CellWriter


class TnsaMacro(EmulatedMacro):
    """An :class:`EmulatedMacro` with a matrix for each direction, which programs its cells by pulses.

    A plane is summed at the first of its samples; the others say the same. The first compare of a conversion brings the
    sums into :class:`LineCharges`; each decrement goes through all lines. A tag has the direction, and a slot besides
    the word lines that are on, which region 3 of the load port has (:mod:`mho.hw.emulator.kinds.tnsa.config`).
    """

    cfg: TnsaEmulatorConfig

    def driven(self, m: Module) -> tuple[Value, Value]:
        pins = self.pins
        return Mux(pins.backward, pins.sl_pos, pins.bl_pos), Mux(pins.backward, pins.sl_neg, pins.bl_neg)

    def matrix(self) -> Value:
        return self.pins.backward

    def wanted(self) -> Value:
        return Cat(self.pins.step_code, self.pins.backward)

    def allowed(self, m: Module) -> Value:
        """Slots whose word lines are those that are on."""
        cfg, word = self.cfg, self.load.p
        width, allowed = min(MASK_WORD, cfg.lines), Signal(cfg.slots)
        for slot in range(cfg.slots):
            lines = Signal(cfg.lines, name=f"lines_{slot}", reset_less=True)
            for k in range(cfg.core.mask_words):
                with m.If(self.loads & (word.region == EXTRA) & (word.index == LINES + slot * cfg.core.mask_words + k)):
                    m.d.sync += lines.word_select(k, width).eq(word.data)
            m.d.sync += allowed[slot].eq(lines == self.pins.wl_en)
        return allowed

    def begins(self, m: Module) -> tuple[Value, Value]:
        pins, plane, self._charged = self.pins, Signal(3), Signal()
        m.submodules.charges = self._charges = LineCharges(self.cfg)
        m.d.comb += pins.hold.eq(self.held)
        begins, self._converts = pins.sample & (~self.begun | (pins.plane != plane)), pins.compare & ~self._charged
        with m.If(pins.sample):
            m.d.sync += plane.eq(pins.plane)
        with m.If(pins.precharge):
            m.d.sync += [self.begun.eq(0), self._charged.eq(0)]
        writes = self._add_writer(m) if self.cfg.verify_bits is not None else Const(0)
        self._noise = None
        if self.cfg.noise:
            self._noise = noise = add_noise(m, self, pins.op_id)
            m.d.comb += [noise.begins.eq(begins & self.idle), noise.draw.eq(self._converts & self.idle)]
        return begins, self._converts | pins.decrement | writes

    def add_idle(self, m: Module) -> None:
        pins, charges = self.pins, self._charges
        self._latches = Signal()
        with m.If(self._converts):
            m.d.sync += self._latches.eq(pins.latch)
            m.next = "Charge" if self._noise is None else "Draw"
            with m.If(~self.tables.known):
                m.d.sync += self.error.eq(1)
        with m.Elif(pins.compare):
            m.d.sync += pins.cmp.eq(charges.negative)
            m.d.comb += charges.latch.eq(pins.latch)
        with m.If(pins.decrement):
            m.d.comb += charges.decrement.eq(1)
            m.next = "Decrement"

    def add_states(self, m: Module) -> None:
        charges, tables, noise = self._charges, self.tables, self._noise
        wait = Signal(2)
        m.d.comb += [
            tables.place.eq(self.column), charges.offset.eq(tables.entry[0]), charges.pos.eq(tables.entry[1]),
            charges.neg.eq(tables.entry[2]),
            charges.charge.eq(self.value if noise is None else self.value + noise.noise),
            charges.scale.eq(self.pins.dec_scale),
        ]
        if noise is not None:
            m.d.comb += noise.follows.eq(charges.enter)
        with m.State("Draw"), m.If(Const(1) if noise is None else noise.ready):
            m.next = "Charge"
        with m.State("Charge"):
            # What there is of a line comes a cycle after it is named, its noise three.
            m.d.sync += wait.eq(wait + 1)
            with m.If(wait == 3):
                m.d.comb += charges.enter.eq(1)
                m.d.sync += self.column.eq(self.column + 1)
                with m.If(self.column == self.cfg.lines - 1):
                    m.next = "Sign"
        with m.State("Sign"), m.If(~charges.busy):
            m.next = "Compare"
        with m.State("Compare"):
            m.d.sync += [self._charged.eq(1), self.pins.cmp.eq(charges.negative)]
            m.d.comb += charges.latch.eq(self._latches)
            m.next = "Idle"
        with m.State("Decrement"), m.If(~charges.busy):
            m.next = "Idle"

    def _add_writer(self, m: Module) -> Value:
        """Add what answers to the programming pins; while it is busy it has the memory of the cells."""
        m.submodules.writer = writer = CellWriter(self.cfg)
        cells, parts = self.cells, self.cfg.word_bits // self.cfg.chunk_bits
        for name, member in writer.pins.signature.members.items():
            ours, writers = getattr(self.pins, name), getattr(writer.pins, name)
            m.d.comb += writers.eq(ours) if member.flow is In else ours.eq(writers)
        wiring.connect(m, wiring.flipped(self.peek), writer.peek)
        m.d.comb += [
            writer.cells.eq(cells.data), writer.load.eq(self.loads & (self.load.p.region == EXTRA)),
            writer.load_index.eq(self.load.p.index), writer.load_data.eq(self.load.p.data),
            self.peeked.eq(writer.peeked),
        ]
        with m.If(writer.busy):
            m.d.comb += [
                cells.address.eq(writer.address), cells.write.eq(writer.write),
                cells.value.eq(writer.value.replicate(parts)),
            ]
        return writer.busy
