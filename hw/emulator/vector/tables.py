"""Offsets and converter steps of each line, for a few operations at a time."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data
from amaranth.lib.memory import Memory

from mho.hw.block import Resettable
from mho.hw.emulator.config import EmulatorConfig
from mho.hw.emulator.layout import TagLayout
from mho.hw.ports import In, Out

__all__ = ["TableStore"]


class TableStore(Resettable[EmulatorConfig]):
    """Memory of tables, and the slot of the one that an operation needs.

    Neither tables nor tags know reset: a board that was reset goes on with what was loaded.

    Members
    -------
    write : In(1)
        Write half an offset (``field`` 0) or half a step, from a positive (1) or from a negative charge (2), to
        ``write_line`` of all slots, counted from slot 0.
    field, write_line, value : In
        See above.
    tag_write : In(1)
        Write ``tag`` to the slot ``tag_slot``.
    tag_slot, tag : In
        See above.
    wanted : In(TagLayout())
        What an operation needs, ``valid`` is 1.
    allowed : In(cfg.slots)
        Slots that may be used for it.
    known, slot : Out
        There is a table for it, and in which slot. Combinational.
    read : In(1)
        ``entry`` is that of ``read_line`` in ``read_slot`` in the next cycle.
    read_slot, read_line : In
        See above.
    entry : Out
        Three numbers of ``cfg.step_bits`` bits: half the offset, two's complement, and both half steps.
    """

    write = In(1)
    field = In(2)
    write_line = In(lambda self: range(self.cfg.slots * self.cfg.lines))
    value = In(lambda self: self.cfg.step_bits)
    tag_write = In(1)
    tag_slot = In(lambda self: range(self.cfg.slots))
    tag = In(TagLayout())
    wanted = In(TagLayout())
    allowed = In(lambda self: self.cfg.slots)
    known = Out(1)
    slot = Out(lambda self: range(self.cfg.slots))
    read = In(1)
    read_slot = In(lambda self: range(self.cfg.slots))
    read_line = In(lambda self: range(self.cfg.lines))
    entry = Out(lambda self: data.ArrayLayout(self.cfg.step_bits, 3))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        cfg = self.cfg
        m.submodules.memory = memory = Memory(shape=3 * cfg.step_bits, depth=cfg.slots * cfg.lines, init=[])
        write, read = memory.write_port(granularity=cfg.step_bits), memory.read_port()
        m.d.comb += [
            write.addr.eq(self.write_line), write.data.eq(self.value.replicate(3)),
            write.en.eq(Mux(self.write, Cat(self.field == k for k in range(3)), 0)),
            read.addr.eq(Cat(self.read_line, self.read_slot)), read.en.eq(self.read), self.entry.eq(read.data),
        ]
        for slot in range(cfg.slots):
            tag = Signal(TagLayout(), name=f"tag_{slot}", reset_less=True)
            with m.If(self.tag_write & (self.tag_slot == slot)):
                m.d.sync += tag.eq(self.tag)
            with m.If((tag.as_value() == self.wanted.as_value()) & self.allowed[slot]):
                m.d.comb += [self.known.eq(1), self.slot.eq(slot)]
        return self.resets(m)
