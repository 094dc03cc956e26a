"""The transposable macro behind its pins: its cells twice, row by row and column by column, and charges of lines."""

from typing import Any

from amaranth.hdl import C, Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.memory import Memory, ReadPort

from mho.hw.block import Resettable
from mho.hw.core.shape import MASK_WORD
from mho.hw.emulator.config import EXTRA
from mho.hw.emulator.kinds.tnsa.config import LINES, TnsaEmulatorConfig
from mho.hw.emulator.kinds.tnsa.noise import add_noise
from mho.hw.emulator.macro import EmulatedMacro, add_with_carry
from mho.hw.emulator.pulses.writes import CellWriter
from mho.hw.ports import In, Out


class LineCharges(Resettable[TnsaEmulatorConfig]):
    """Half charges of the lines with their half steps, in a memory.

    With the charge ``A = 2 r + 1`` and the even step ``s = 2 t`` all is integer: the sign of A is that of r, and a
    decrement takes t from r (:func:`mho.macro_models.integer.tnsa.converter.convert`).

    A decrement goes through the groups of ``cfg.converters`` lines one after the other. A line that has changed its
    sign since the latch keeps its charge: further decrements in the same direction would not change its sign.
    """

    enter = In(1)
    """``charge``, ``offset``, ``pos`` and ``neg`` of the next line are there."""
    charge = In(lambda self: signed(self.cfg.sum_bits + self.cfg.noise))
    offset = In(lambda self: signed(self.cfg.step_bits))
    pos = In(lambda self: self.cfg.step_bits)
    neg = In(lambda self: self.cfg.step_bits)
    """See there."""
    latch = In(1)
    """Take the signs as the directions of the decrements that follow."""
    decrement = In(1)
    """Take a step, shifted by ``scale``, from all lines: a strobe, not while ``busy``."""
    scale = In(3)
    """Binary weight. Stable while ``busy``."""
    busy = Out(1)
    """A line or a decrement is under way. It falls a cycle before the signs are complete."""
    negative = Out(lambda self: self.cfg.lines)
    """Signs of the lines."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        cfg, count, bits = self.cfg, self.cfg.converters, self.cfg.step_bits
        m.submodules.rests = rests = Memory(shape=count * cfg.rest_bits, depth=max(cfg.converter_groups, 2), init=[])
        m.submodules.steps = steps = Memory(shape=count * 2 * bits, depth=max(cfg.converter_groups, 2), init=[])
        write_rest = rests.write_port(granularity=cfg.rest_bits)
        read_rest = rests.read_port()
        write_step = steps.write_port(granularity=2 * bits)
        read_step = steps.read_port()
        # A line that enters: its charge is complete a cycle later.
        line = Signal(range(cfg.lines))
        entered = Signal()
        rest = Signal(signed(cfg.sum_bits + cfg.noise))
        step = Signal(2 * bits)
        m.d.sync += [
            entered.eq(self.enter), rest.eq(self.charge + self.offset), step.eq(Cat(self.pos, self.neg)),
            line.eq(line + entered),
        ]
        lane_bits = (count - 1).bit_length()
        here = Cat(entered & (line[:lane_bits] == k) for k in range(count))
        entering = Cat(rest, rest[-1].replicate(cfg.rest_bits - len(rest)))
        group, number, after = self._decrement(m, read_rest, read_step)
        done = number[-1]
        m.d.comb += [
            read_rest.addr.eq(group), read_step.addr.eq(group),
            write_step.addr.eq(line[lane_bits:]), write_step.data.eq(step.replicate(count)), write_step.en.eq(here),
            write_rest.addr.eq(Mux(entered, line[lane_bits:], number[:-1])),
            write_rest.data.eq(Mux(entered, entering.replicate(count), Cat(after))),
            write_rest.en.eq(here | done.replicate(count)),
        ]
        with m.If(entered):
            m.d.sync += self.negative.eq(Cat(self.negative[1:], rest[-1]))
        with m.If(done):
            m.d.sync += self.negative.eq(Cat(self.negative[count:], *(value[-1] for value in after)))
        return self.resets(m)

    def _decrement(
        self, m: Module, rests: "ReadPort[Any, Any]", steps: "ReadPort[Any, Any]"
    ) -> tuple[Signal, Value, list[Signal]]:
        """The group that is read; that which is written with its last bit for whether; what is written."""
        cfg, bits = self.cfg, self.cfg.step_bits
        group = Signal(range(max(cfg.converter_groups, 2)))
        reading = Signal()
        arrived = Signal()
        shifted = Signal()
        groups = [Signal.like(group, name=f"group_{k}") for k in range(2)]
        directions = Signal(cfg.lines)
        with m.If(self.decrement):
            m.d.sync += reading.eq(1)
        with m.Elif(group == cfg.converter_groups - 1):
            m.d.sync += reading.eq(0)
        with m.If(reading):
            m.d.sync += group.eq(Mux(group == cfg.converter_groups - 1, 0, group + 1))
        m.d.sync += [arrived.eq(reading), shifted.eq(arrived), groups[0].eq(group), groups[1].eq(groups[0])]
        m.d.comb += self.busy.eq(self.enter | reading | arrived)
        with m.If(self.latch):
            m.d.sync += directions.eq(self.negative)
        with m.Elif(arrived):
            m.d.sync += directions.eq(directions.rotate_right(cfg.converters))
        results = []
        for k in range(cfg.converters):
            value = rests.data.word_select(k, cfg.rest_bits).as_signed()
            pos, neg = (steps.data.word_select(2 * k + sign, bits) for sign in range(2))
            charge_left = Signal(signed(cfg.rest_bits), name=f"held_{k}", reset_less=True)
            step = Signal(bits + 7, name=f"step_{k}", reset_less=True)
            up = Signal(name=f"up_{k}", reset_less=True)
            after = Signal(signed(cfg.rest_bits), name=f"after_{k}")
            keeps = value[-1] ^ directions[k]
            m.d.sync += [
                charge_left.eq(value), up.eq(directions[k]),
                step.eq(Mux(keeps, 0, Mux(directions[k], neg, pos) << self.scale)),
            ]
            signed_step = Cat(step, C(0, 1)) ^ (~up).replicate(bits + 8)
            # The carry completes the two's complement of a step down.
            m.d.comb += after.eq(add_with_carry(charge_left, signed_step.as_signed(), ~up))
            results.append(after)
        return group, Cat(groups[1], shifted), results


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
        width = min(MASK_WORD, cfg.lines)
        allowed = Signal(cfg.slots)
        for slot in range(cfg.slots):
            lines = Signal(cfg.lines, name=f"lines_{slot}", reset_less=True)
            for k in range(cfg.core.mask_words):
                with m.If(self.loads & (word.region == EXTRA) & (word.index == LINES + slot * cfg.core.mask_words + k)):
                    m.d.sync += lines.word_select(k, width).eq(word.data)
            m.d.sync += allowed[slot].eq(lines == self.pins.wl_en)
        return allowed

    def begins(self, m: Module) -> tuple[Value, Value]:
        pins = self.pins
        plane = Signal(3)
        self._charged = Signal()
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
            m.d.comb += writers.eq(ours) if member.flow is wiring.In else ours.eq(writers)
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
