"""Programming of emulated cells: pulses change their codes, verify reads tell them."""

from typing import Any

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.macro.emulator.pin_config import (
    END_BITS,
    ENDS,
    PART_BITS,
    PULSE_WORDS,
    SEED,
    SPREAD,
    SPREAD_BITS,
    PinEmulatorConfig,
)
from hw.macro.emulator.pulse_reference import COUNT_BITS
from hw.macro.emulator.shift_register import mix
from hw.macro.write_pins import WritePins
from macro_models.exact.pulse import AMPLITUDE_BITS, Polarity

__all__ = ["CellWriter"]


class CellWriter(wiring.Component):
    """Answers the programming pins. A pulse acts at its begin and holds for :data:`PULSE_HOLD` cycles.

    The numpy reference is :class:`hw.macro.emulator.EmulatedCells`.

    Members
    -------
    pins : In(WritePins)
        As the macro sees the digital core.
    load : In(1)
        Write ``load_data`` to ``load_index`` of region 3, see :mod:`hw.macro.emulator.pin_config`.
    load_index, load_data : In
        See above.
    busy : Out(1)
        The memory of the cells is used: a strobe or a pulse begins, or it is under way. Combinational.
    hold : Out(1)
        The same, of a pulse.
    address : Out
        Word that is read or written.
    read : Out(1)
        ``cells`` is that word in the next cycle.
    cells : In
        Word that was read.
    write : Out
        Parts of the word that are written.
    value : Out
        Cells of such a part.
    """

    pins: Any
    load: Value
    load_index: Value
    load_data: Value
    busy: Value
    hold: Value
    address: Value
    read: Value
    cells: Value
    write: Value
    value: Value

    def __init__(self, cfg: PinEmulatorConfig) -> None:
        if cfg.verify_bits is None:
            raise ValueError("The cells are not programmed by pulses.")
        self.cfg = cfg
        self.verify_bits = cfg.verify_bits
        super().__init__({
            "pins": In(WritePins(cfg.lines, cfg.verify_bits)),
            "load": In(1), "load_index": In(range(PULSE_WORDS + 256)), "load_data": In(32),
            "busy": Out(1), "hold": Out(1), "address": Out(range(cfg.cell_words)), "read": Out(1),
            "cells": In(cfg.word_bits), "write": Out(cfg.word_bits // cfg.chunk_bits), "value": Out(cfg.chunk_bits),
        })  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        m = Module()
        cfg, pins = self.cfg, self.pins
        line_bits = (cfg.lines - 1).bit_length()
        pulses = Cat(pins.set_pulse, pins.reset_pulse, pins.form_pulse)
        before, reads = Signal(), Signal()
        row, column = Signal(line_bits), Signal(line_bits)
        code, chunk = Signal(cfg.g_bits), Signal(cfg.chunk_bits)
        self._kind = kind = Signal(2)
        begins = pulses.any() & ~before
        m.d.sync += before.eq(pulses.any())
        self._count_pulses(m, Cat(column, row) == Cat(_number(pins.write_sl), _number(pins.write_wl)), begins)
        self._add_loads(m)
        self._add_law(m, code, row, column)

        cell_bits = (cfg.chunk_cells - 1).bit_length()
        part_bits = (cfg.word_bits // cfg.chunk_bits - 1).bit_length()
        cell = column[:cell_bits]
        # At least one bit, also where a word has one part.
        part = Cat(column[cell_bits : cell_bits + part_bits], Const(0, 1))
        m.d.comb += self.address.eq(Cat(column[cell_bits + part_bits :], row))
        for k in range(cfg.chunk_cells):
            one = self.value.word_select(k, cfg.g_bits)
            m.d.comb += one.eq(Mux(cell == k, self._moved, chunk.word_select(k, cfg.g_bits)))
        with m.FSM() as fsm:
            m.d.comb += self.busy.eq(~fsm.ongoing("Idle") | begins | pins.verify)
            m.d.comb += self.hold.eq(begins | (~fsm.ongoing("Idle") & ~reads))
            with m.State("Idle"), m.If(begins | pins.verify):
                m.d.sync += [
                    row.eq(_number(pins.write_wl)), column.eq(_number(pins.write_sl)), reads.eq(pins.verify),
                    kind.eq(Mux(pins.form_pulse, Polarity.FORM, pins.reset_pulse)),
                ]  # fmt: skip
                with m.If(pins.verify):
                    m.d.sync += pins.verify_valid.eq(0)
                m.next = "Read"
            with m.State("Read"):
                m.d.comb += self.read.eq(1)
                m.next = "Chunk"
            with m.State("Chunk"):
                m.d.sync += chunk.eq(self.cells.word_select(part, cfg.chunk_bits))
                m.next = "Cell"
            with m.State("Cell"):
                m.d.sync += code.eq(chunk.word_select(cell, cfg.g_bits))
                m.next = "Code"
            with m.State("Code"):
                m.next = "Draw"
                with m.If(reads):
                    m.d.sync += [pins.verify_code.eq(self._verify_code(code)), pins.verify_valid.eq(1)]
                    m.next = "Idle"
            # The law needs a cycle for each of its steps.
            steps = ("Draw", "Shift", "Look up", "Multiply", "Move")
            for state, following in zip(steps, (*steps[1:], "Write"), strict=True):
                with m.State(state):
                    m.next = following
            with m.State("Write"):
                m.d.comb += self.write.eq(Const(1) << part)
                m.next = "Idle"
        return m

    def _count_pulses(self, m: Module, same: Value, begins: Value) -> None:
        """Number of this pulse of a cell in a pass, as long as nothing else is selected."""
        pins = self.pins
        self._count = Signal(COUNT_BITS)
        count, on, write_pass = Signal.like(self._count), Signal(), Signal.like(pins.write_pass)
        with m.If(begins | pins.verify):
            following = Mux(same & on & (pins.write_pass == write_pass), count, 0)
            m.d.sync += [
                self._count.eq(following), count.eq(following + begins), on.eq(1), write_pass.eq(pins.write_pass),
            ]  # fmt: skip
        with m.Elif(~pins.write_mode):
            m.d.sync += on.eq(0)

    def _verify_code(self, code: Signal) -> Value:
        repeats = -(-self.verify_bits // self.cfg.g_bits)
        return code.replicate(repeats)[-self.verify_bits :]

    def _add_loads(self, m: Module) -> None:
        """What is loaded; none of it knows reset."""
        cfg = self.cfg
        m.submodules.parts = memory = Memory(shape=PART_BITS + 1, depth=PULSE_WORDS, init=[])
        write, self._parts = memory.write_port(), memory.read_port()
        self._seed = Signal(32, reset_less=True)
        self._spreads = [Signal(SPREAD_BITS, name=name, reset_less=True) for name in ("cell_spread", "pulse_spread")]
        self._ends = [Signal(cfg.g_bits + END_BITS, name=f"end_{kind.name}", reset_less=True) for kind in Polarity]
        m.d.comb += [
            write.addr.eq(self.load_index), write.data.eq(self.load_data),
            write.en.eq(self.load & (self.load_index < PULSE_WORDS)),
        ]  # fmt: skip
        with m.If(self.load):
            with m.Switch(self.load_index):
                with m.Case(SEED):
                    m.d.sync += self._seed.eq(self.load_data)
                with m.Case(SPREAD):
                    m.d.sync += [spread.eq(self.load_data[8 * k :]) for k, spread in enumerate(self._spreads)]
                for kind, end in zip(Polarity, self._ends, strict=True):
                    with m.Case(ENDS + kind):
                        m.d.sync += end.eq(self.load_data)

    def _add_law(self, m: Module, code: Signal, row: Signal, column: Signal) -> None:
        """Registers that follow each other; the states above wait until what has changed has come through."""
        cfg, kind = self.cfg, self._kind
        down = kind == Polarity.RESET
        seeded, own, draw = Signal(32), Signal(32), Signal(32)
        at = Signal(AMPLITUDE_BITS)
        shift = Signal(signed(SPREAD_BITS + 6))
        target = Signal(signed(SPREAD_BITS + 7))
        end = Signal(cfg.g_bits + END_BITS)
        way = Signal(cfg.g_bits + END_BITS)
        product = Signal(len(way) + PART_BITS + 1)
        moved = Signal(len(way) + 1)
        self._moved = after = Signal(cfg.g_bits)
        distance = Signal(signed(len(end) + 1))
        changed = Signal(signed(len(moved) + 2))
        m.d.comb += [
            end.eq(Array(self._ends)[kind]), distance.eq(Mux(down, code - end, end - code)),
            target.eq(self.pins.amplitude + (shift >> 1)),
            self._parts.addr.eq(Cat(at, kind)),
            moved.eq((product + draw[16 : 16 + PART_BITS]) >> PART_BITS),
            changed.eq(Mux(down, code - moved, code + moved)),
        ]  # fmt: skip
        m.d.sync += [
            # Three cycles until the code is known.
            seeded.eq(mix(self._seed ^ Cat(column, Const(0, 16 - len(column)), row))), own.eq(mix(seeded)),
            draw.eq(mix(own ^ Cat(self.pins.amplitude, kind, code, Const(0, 16 - cfg.g_bits), self._count))),
            shift.eq(
                _deviation(Mux(down, own[16:], own[:16])) * self._spreads[0] + _deviation(draw[:16]) * self._spreads[1]
            ),
            at.eq(Mux(target < 0, 0, Mux(target >= 2**AMPLITUDE_BITS, 2**AMPLITUDE_BITS - 1, target[:AMPLITUDE_BITS]))),
            way.eq(Mux(distance < 0, 0, distance[: len(way)])),
            product.eq(way * self._parts.data),
            after.eq(Mux(changed < 0, 0, Mux(changed >= 2**cfg.g_bits, 2**cfg.g_bits - 1, changed[: cfg.g_bits]))),
        ]  # fmt: skip


def _number(one_hot: Value) -> Value:
    """Number of the line that is selected."""
    bits = (len(one_hot) - 1).bit_length()
    return Cat(Cat(line for k, line in enumerate(one_hot) if k >> bit & 1).any() for bit in range(bits))


def _deviation(bits: Value) -> Value:
    return (sum((bits[k] for k in range(16)), Const(0)) - 8).as_signed()
