"""Output codes of an emulated core, and what its converters would have taken."""

from typing import Any

from amaranth.hdl import C, Cat, Module, Mux, Signal, signed, unsigned
from amaranth.lib import stream
from amaranth.lib.memory import Memory, ReadPort

from mho.hw.block import Resettable
from mho.hw.core.layout import CODE_WIDTH
from mho.hw.emulator.config import EmulatorConfig
from mho.hw.emulator.vector.converter import LineLayout
from mho.hw.kinds.tnsa.results.counters import COUNT_BITS
from mho.hw.ports import In, Out
from mho.macro_models.integer.operation import LSB_SEGMENT_BITS

__all__ = ["ResultStore", "StepCounter"]

_SEGMENT_WIDTH = COUNT_BITS + 2


class ResultStore(Resettable[EmulatorConfig]):
    """Collects the codes of lines in ``cfg.banks`` banks, and gives the banks out one after the other.

    Members
    -------
    done : In(1)
        ``line`` is converted. Lines come in their order; there is a bank for them.
    line : In(LineLayout(cfg))
        See above.
    last : Out(1)
        With ``done``: it is the last line of its conversion.
    finish : Out(1)
        The result of an operation is complete: strobe.
    freed : Out(1)
        The last word of a result is in the output register: strobe.
    busy : Out(1)
        A word waits or will.
    o : Out(stream.Signature(32))
        Two codes a word, lowest line first.
    """

    done = In(1)
    line = In(lambda self: LineLayout(self.cfg))
    last = Out(1)
    finish = Out(1)
    freed = Out(1)
    busy = Out(1)
    o = Out(stream.Signature(unsigned(32)))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        cfg, of = self.cfg, self.line.of
        words = cfg.core.output_words
        m.submodules.high = high = Memory(shape=signed(_SEGMENT_WIDTH), depth=cfg.lines, init=[])
        high_write, high_read = high.write_port(), high.read_port()
        m.submodules.memory = memory = Memory(shape=unsigned(2 * CODE_WIDTH), depth=cfg.banks * words, init=[])
        write, read = memory.write_port(), memory.read_port()
        number = Signal(range(cfg.lines))
        following = Signal.like(number)
        bank = Signal(range(cfg.banks))
        even = Signal(CODE_WIDTH)

        live = self.line.live & of.known & ~(of.relu & self.line.negative)
        part = Signal(signed(_SEGMENT_WIDTH))
        code = Signal(signed(CODE_WIDTH))
        magnitude = self.line.count[:COUNT_BITS] ^ self.line.negative.replicate(COUNT_BITS)
        m.d.comb += [
            # Minus an odd number is its complement but for bit 0.
            part.eq(Mux(live, Cat(C(1, 1), magnitude, self.line.negative).as_signed(), 0)),
            code.eq(Mux(of.two, high_read.data << LSB_SEGMENT_BITS, 0) + part),
            self.last.eq(number == cfg.lines - 1),
            # The MSB segment of a line is read one line ahead.
            following.eq(number + self.done), high_read.addr.eq(following),
            high_write.addr.eq(number), high_write.data.eq(part), high_write.en.eq(self.done & of.high),
            write.addr.eq(Cat(number[1:], bank)), write.data.eq(Cat(even, code)),
            write.en.eq(self.done & ~of.high & number[0]),
        ]
        m.d.sync += self.finish.eq(self.done & self.last & ~of.high)
        with m.If(self.done):
            m.d.sync += number.eq(following)
            with m.If(~number[0]):
                m.d.sync += even.eq(code)
        with m.If(self.finish):
            m.d.sync += bank.eq(bank + 1)
        self._drain(m, read)
        return self.resets(m)

    def _drain(self, m: Module, read: "ReadPort[Any, Any]") -> None:
        """Give out the banks that are full."""
        cfg = self.cfg
        place = Signal(range(cfg.banks * cfg.core.output_words))
        full = Signal(range(cfg.banks + 1))
        advance = ~self.o.valid | self.o.ready
        m.d.comb += [
            read.addr.eq(place), read.en.eq(advance & (full != 0)), self.o.payload.eq(read.data),
            self.busy.eq((full != 0) | self.o.valid),
            self.freed.eq(read.en & ((place & (cfg.core.output_words - 1)) == cfg.core.output_words - 1)),
        ]
        with m.If(advance):
            m.d.sync += self.o.valid.eq(full != 0)
        with m.If(read.en):
            m.d.sync += place.eq(place + 1)
        m.d.sync += full.eq(full + self.finish - self.freed)


class StepCounter(Resettable[EmulatorConfig]):
    """Cycles that operations at the pins of a macro would have taken for the same conversions.

    Members
    -------
    done, last : In(1)
        A line is converted; it is the last of its conversion.
    line : In(LineLayout(cfg))
        That line.
    conversions : Out(32)
        Conversions that ended.
    cycles : Out(48)
        Sum over them of :meth:`mho.hw.core.CoreConfig.segment_cycles`.
    """

    done = In(1)
    last = In(1)
    line = In(lambda self: LineLayout(self.cfg))
    conversions = Out(32)
    cycles = Out(48)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        core, line, of = self.cfg.core, self.line, self.line.of
        most = Signal(COUNT_BITS + 1)
        found = Signal(COUNT_BITS + 1)
        counted = Signal(COUNT_BITS)
        waits = line.live & ~(of.relu & line.negative)
        mine = Signal(COUNT_BITS + 1)
        m.d.comb += mine.eq(Mux(waits, line.count[:COUNT_BITS] + 1, 0))
        m.d.comb += found.eq(Mux(mine > most, mine, most))
        with m.If(of.binary):
            # A search makes one decrement for each bit of the cap.
            m.d.comb += counted.eq(sum(of.cap[k] for k in range(COUNT_BITS)))
        with m.Elif(of.early_stop & (found < of.cap)):
            m.d.comb += counted.eq(found)
        with m.Else():
            m.d.comb += counted.eq(of.cap)

        end, steps, planes = Signal(), Signal(COUNT_BITS), Signal(2)
        m.d.sync += end.eq(self.done & self.last)
        with m.If(self.done):
            m.d.sync += [most.eq(Mux(self.last, 0, found)), steps.eq(counted), planes.eq(of.planes)]
        fixed = Signal(range(int(core.segment_cycles(LSB_SEGMENT_BITS, 0)) + 1))
        with m.Switch(planes):
            for k in range(LSB_SEGMENT_BITS):
                with m.Case(k):
                    m.d.comb += fixed.eq(int(core.segment_cycles(k + 1, 0)))
        with m.If(end):
            m.d.sync += [
                self.conversions.eq(self.conversions + 1),
                self.cycles.eq(self.cycles + fixed + steps * (core.decrement_cycles + core.compare_cycles)),
            ]
        return self.resets(m)
