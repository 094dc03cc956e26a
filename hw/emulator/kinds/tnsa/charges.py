"""Charges of the lines, and the decrements that are taken from them."""

from typing import Any

from amaranth.hdl import C, Cat, Module, Mux, Signal, Value, signed
from amaranth.lib.memory import Memory, ReadPort

from mho.hw.block import Resettable
from mho.hw.emulator.kinds.tnsa.config import TnsaEmulatorConfig
from mho.hw.emulator.macro import add_with_carry
from mho.hw.ports import In, Out


class LineCharges(Resettable[TnsaEmulatorConfig]):
    """Half charges of the lines with their half steps, in a memory.

    With the charge ``A = 2 r + 1`` and the even step ``s = 2 t`` all is integer: the sign of A is that of r, and a
    decrement takes t from r (:func:`mho.macro_models.integer.converter.convert`).

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
        write_rest, read_rest = rests.write_port(granularity=cfg.rest_bits), rests.read_port()
        write_step, read_step = steps.write_port(granularity=2 * bits), steps.read_port()
        # A line that enters: its charge is complete a cycle later.
        line = Signal(range(cfg.lines))
        entered = Signal()
        rest, step = Signal(signed(cfg.sum_bits + cfg.noise)), Signal(2 * bits)
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
        reading, arrived, shifted = Signal(), Signal(), Signal()
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
