"""Input codes of an emulated core: how they are cut into conversions, and the memory that holds them."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib.memory import Memory

from mho.hw.block import Resettable
from mho.hw.core.layout import INPUTS_PER_WORD
from mho.hw.emulator.config import EmulatorConfig
from mho.hw.emulator.vector.lanes import LEVEL_BITS
from mho.hw.ports import In, Out

__all__ = ["BANKS", "InputMemory"]

BANKS = 2
"""Vectors that are held: one is used while the next one loads."""


class InputMemory(Resettable[EmulatorConfig]):
    """Levels of the driven lines of two vectors, for each of their two segments.

    Members
    -------
    write_bank, write_high, write_word : In
        Vector, segment and word of ``cfg.input_lanes`` levels that is written.
    write : In(cfg.input_lanes // 4)
        Parts of four levels that are written.
    value : In
        Levels for each part.
    read : In(1)
        Give the levels of the lanes, two cycles later.
    backward, read_bank, read_high, read_line : In
        Vector and segment. Backward each lane takes its own level, of the word of ``read_line``; forward all lanes take
        that of ``read_line``.
    levels : Out(5 * cfg.lanes)
        Levels of the lanes.
    """

    write_bank = In(1)
    write_high = In(1)
    write_word = In(lambda self: range(self.cfg.input_words))
    write = In(lambda self: self.cfg.input_lanes // INPUTS_PER_WORD)
    value = In(lambda self: LEVEL_BITS * self.cfg.input_lanes)
    read = In(1)
    backward = In(1)
    read_bank = In(1)
    read_high = In(1)
    read_line = In(lambda self: range(self.cfg.lines))
    levels = Out(lambda self: LEVEL_BITS * self.cfg.lanes)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        cfg = self.cfg
        width = LEVEL_BITS * cfg.lanes
        shape, depth = LEVEL_BITS * cfg.input_lanes, 2 * BANKS * cfg.input_words
        m.submodules.memory = memory = Memory(shape=shape, depth=depth, init=[])
        write, read = memory.write_port(granularity=LEVEL_BITS * INPUTS_PER_WORD), memory.read_port()
        word_bits, lane_bits = (cfg.input_lanes - 1).bit_length(), (cfg.lanes - 1).bit_length()
        m.d.comb += [
            write.addr.eq(Cat(self.write_word, self.write_high, self.write_bank)),
            write.data.eq(self.value), write.en.eq(self.write),
            read.addr.eq(Cat(self.read_line[word_bits:], self.read_high, self.read_bank)), read.en.eq(self.read),
        ]
        lane, backward, arrived = Signal(range(cfg.input_lanes)), Signal(), Signal()
        m.d.sync += [lane.eq(self.read_line), backward.eq(self.backward), arrived.eq(self.read)]
        one, levels = Signal(LEVEL_BITS), Signal(width, reset_less=True)
        m.d.comb += [one.eq(read.data.word_select(lane, LEVEL_BITS)), self.levels.eq(levels)]
        with m.If(arrived):
            lane_levels = read.data.word_select(lane >> lane_bits, width)
            m.d.sync += levels.eq(Mux(backward, lane_levels, one.replicate(cfg.lanes)))
        return self.resets(m)
