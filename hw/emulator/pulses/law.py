"""The law of pulses and verify reads as steps of arithmetic, one cell at a time."""

from typing import Any

from amaranth.hdl import Array, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data
from amaranth.lib.memory import Memory

from mho.hw.block import Resettable
from mho.hw.ports import In, Out
from mho.macro_models.integer.pulse import (
    AMPLITUDE_BITS,
    CONDUCTANCE_BITS,
    DRAW_BITS,
    FORMED_BIT,
    MOVED,
    MOVED_BITS,
    RATE_BITS,
    SCALE_BITS,
    SIGMA_BITS,
    STUCK_BIT,
    TABLE_LOW,
    THRESHOLD_BITS,
    WEAK_BIT,
    LawWords,
    Polarity,
)

OPERAND_BITS = 33
"""Bits of a factor with its sign."""

_PART_BITS = 11
"""Bits of a factor that are multiplied in one stage: what an ECP5 does in 20 ns without its multipliers."""


class WideMultiplier(Resettable):
    """``product`` is that of ``a`` and ``b`` three cycles before; a product can begin in each cycle."""

    a = In(lambda self: signed(OPERAND_BITS))
    b = In(lambda self: signed(OPERAND_BITS))
    """Factors."""
    product = Out(signed(2 * OPERAND_BITS))
    """See above."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        a = Signal(signed(OPERAND_BITS), reset_less=True)
        b = Signal(signed(OPERAND_BITS), reset_less=True)
        m.d.sync += [a.eq(self.a), b.eq(self.b)]
        total = Const(0)
        for low in range(0, OPERAND_BITS, _PART_BITS):
            part = b[low : low + _PART_BITS]
            factor = part.as_signed() if low + _PART_BITS == OPERAND_BITS else part
            product = Signal(signed(OPERAND_BITS + _PART_BITS + 1), name=f"product_{low}", reset_less=True)
            m.d.sync += product.eq(a * factor)
            total = total + (product << low)
        m.d.sync += self.product.eq(total)
        return self.resets(m)


_VALUE_BITS = 26
"""Bits of a constant of the law with its sign."""
_LOG_BITS = 40
"""Bits of ln a before it is limited, and of a verify code with its fraction."""
_HALF_STEP = 1 << RATE_BITS - 1


class CellLayout(data.StructLayout):
    """A cell as the law sees it: the words of its record that a pulse needs, and which pulse."""

    def __init__(self) -> None:
        super().__init__({
            "state": 32, "threshold": signed(32), "high": CONDUCTANCE_BITS, "formed": CONDUCTANCE_BITS,
            "polarity": 2, "amplitude": AMPLITUDE_BITS,
        })


class PulseArithmetic(Resettable):
    """What a pulse makes of a cell, and the code of a verify read.

    The bit-exact reference is :class:`mho.macro_models.integer.pulse.PulseLaw`. It takes 13 cycles from ``start`` to
    ``done`` for a pulse, 6 for a read. ``old``, ``z`` and ``reads`` stay from two cycles before ``start`` until
    ``done``.
    """

    start = In(1)
    reads = In(1)
    """Begin; ``reads``: a verify read, else a pulse."""
    old = In(CellLayout())
    """The cell before."""
    z = In(signed(16))
    """Its normal code."""
    done = Out(1)
    """``state`` or ``code`` are valid from the next cycle on."""
    state = Out(32)
    """Word of the state of the cell after the pulse."""
    code = Out(lambda self: self.verify_bits)
    """Verify code."""
    a = Out(lambda self: signed(OPERAND_BITS))
    b = Out(lambda self: signed(OPERAND_BITS))
    """Factors for the multiplier; 0 while idle."""
    product = In(signed(2 * OPERAND_BITS))
    """Their product three cycles later."""
    moved_load = In(1)
    constant_load = In(1)
    """Write ``load_data`` to ``load_index`` of the table, or of the constants (:class:`LawWords`)."""
    load_index = In(range(len(MOVED)))
    load_data = In(32)
    """See above."""
    key = Out(64)
    """Key of the draws, which is among the constants."""

    def __init__(self, verify_bits: int) -> None:
        self.verify_bits = verify_bits
        super().__init__()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        cell = self.old
        constant = self._constants(m)
        slope, rate = (
            Array(constant(first + k) for k in range(len(Polarity)))[cell.polarity]
            for first in (LawWords.SLOPE, LawWords.LOG_RATE)
        )
        over = Signal(signed(_VALUE_BITS + 6))
        way = Signal(signed(CONDUCTANCE_BITS + 1))
        log = Signal(signed(_LOG_BITS))
        moves = Signal(signed(CONDUCTANCE_BITS + 1))
        step = Signal(range(len(MOVED)))
        moved = self._table(m, step)
        self._prepare(m, constant, over, way)
        with m.FSM():
            with m.State("Idle"), m.If(self.start):
                m.next = "First factor"
            with m.State("First factor"):
                sigma = constant(LawWords.VERIFY_SIGMA)
                m.d.comb += [self.a.eq(Mux(self.reads, self.z, over)), self.b.eq(Mux(self.reads, sigma, slope))]
                m.next = "Second factor"
            with m.State("Second factor"):
                m.d.comb += [self.a.eq(self.z), self.b.eq(constant(LawWords.SPREAD))]
                g, weak = cell.state[:CONDUCTANCE_BITS], cell.state[WEAK_BIT]
                added = rate + Mux(weak, constant(LawWords.LOG_WEAK), 0)
                m.d.sync += log.eq(Mux(self.reads, (g << self.verify_bits) - g, added))
                m.next = "Multiply"
            with m.State("Multiply"):
                # Half a step, to round; and zero for the first entry of the table.
                m.d.sync += log.eq(log + Mux(self.reads, 1 << SCALE_BITS - 1, _HALF_STEP - (TABLE_LOW << RATE_BITS)))
                m.next = "First product"
            with m.State("First product"):
                noise = self.product >> SIGMA_BITS + DRAW_BITS - SCALE_BITS
                m.d.sync += log.eq(log + Mux(self.reads, noise, self.product >> THRESHOLD_BITS))
                m.next = "Second product"
                with m.If(self.reads):
                    m.next = "Code"
            with m.State("Second product"):
                m.d.sync += log.eq(log + (self.product >> DRAW_BITS))
                m.next = "Step"
            with m.State("Step"):
                m.d.sync += step.eq(_limited(log >> RATE_BITS, len(MOVED) - 1))
                m.next = "Look up"
            with m.State("Look up"):
                m.next = "Way"
            with m.State("Way"):
                m.d.comb += [self.a.eq(way), self.b.eq(moved)]
                m.next = "Multiply way"
            with m.State("Multiply way"):
                m.next = "Add way"
            with m.State("Add way"):
                m.next = "Round way"
            with m.State("Round way"):
                m.d.sync += moves.eq((self.product >> MOVED_BITS) + self.product[MOVED_BITS - 1])
                m.next = "Move"
            with m.State("Move"):
                self._move(m, over, moves)
                m.d.comb += self.done.eq(1)
                m.next = "Idle"
            with m.State("Code"):
                m.d.sync += self.code.eq(_limited(log >> SCALE_BITS, 2**self.verify_bits - 1))
                m.d.comb += self.done.eq(1)
                m.next = "Idle"
        return self.resets(m)

    def _prepare(self, m: Module, constant: Any, over: Signal, way: Signal) -> None:
        """What follows from the cell alone, in two cycles."""
        cell = self.old
        g, high, low = cell.state[:CONDUCTANCE_BITS], cell.high, constant(LawWords.LOW)[:CONDUCTANCE_BITS]
        sets = cell.polarity == Polarity.SET
        end = Signal(CONDUCTANCE_BITS)
        m.d.sync += [
            over.eq((cell.amplitude << THRESHOLD_BITS) - cell.threshold),
            end.eq(Mux(sets, Mux(high > g, high, g), Mux(low < g, low, g))), way.eq(end - g),
        ]

    def _move(self, m: Module, over: Signal, moves: Signal) -> None:
        """The cell after a pulse."""
        cell = self.old
        g, flags = cell.state[:CONDUCTANCE_BITS], cell.state[CONDUCTANCE_BITS:]
        formed = cell.state[FORMED_BIT]
        forms = Signal()
        acts = Signal()
        m.d.comb += [
            acts.eq((over >= 0) & ~cell.state[STUCK_BIT]), forms.eq(cell.polarity == Polarity.FORM),
        ]
        m.d.sync += self.state.eq(cell.state)
        with m.If(acts & forms & ~formed):
            m.d.sync += [self.state[:CONDUCTANCE_BITS].eq(cell.formed), self.state[FORMED_BIT].eq(1)]
        with m.Elif(acts & ~forms & formed):
            m.d.sync += self.state[:CONDUCTANCE_BITS].eq(g + moves)
        assert len(flags) + CONDUCTANCE_BITS == 32

    def _constants(self, m: Module) -> Any:
        """Registers that are loaded and know no reset; gives the value of one by its place."""
        count = LawWords.KEY + 2
        words = [Signal(32, name=f"constant_{k}", reset_less=True) for k in range(count)]
        for k, word in enumerate(words):
            with m.If(self.constant_load & (self.load_index[: count.bit_length()] == k)):
                m.d.sync += word.eq(self.load_data)
        m.d.comb += [self.key.word_select(k, 32).eq(words[LawWords.KEY + k]) for k in range(2)]
        return lambda place: words[place][:_VALUE_BITS].as_signed()

    def _table(self, m: Module, step: Value) -> Value:
        """The part that a pulse moves a cell, a cycle after ``step``."""
        m.submodules.moved = memory = Memory(shape=MOVED_BITS, depth=len(MOVED), init=[])
        write: Any = memory.write_port()
        read: Any = memory.read_port()
        m.d.comb += [
            write.addr.eq(self.load_index), write.data.eq(self.load_data), write.en.eq(self.moved_load),
            read.addr.eq(step), read.en.eq(1),
        ]
        return read.data


def _limited(value: Value, high: int) -> Value:
    """From 0 to ``high``."""
    bits = high.bit_length()
    above = value[bits:-1].any() | (value[:bits] > high)
    return Mux(value[-1], 0, Mux(above, high, value[:bits]))
