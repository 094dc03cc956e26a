"""An update of all cells at once in hardware: trains on rows and columns, whose draws depend on its number.

The reference is :mod:`mho.macro_models.integer.update`.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from amaranth.hdl import Cat, Module, Mux, Signal, Value

from mho.hw.block import Resettable
from mho.hw.core.digital.loader import CodeLoader, RowOpCheck
from mho.hw.core.draws import Draws
from mho.hw.core.layout import OpLayout
from mho.hw.core.reference import CoreReference
from mho.hw.kinds.array.config import ArrayCoreConfig
from mho.hw.ports import In, Out, array
from mho.macro_models.errors import InputError
from mho.macro_models.integer.draws import DRAW_WORDS
from mho.macro_models.integer.operation import MAX_BITS, STEP_WIDTH
from mho.macro_models.integer.update import (
    HALVING_BITS,
    MAGNITUDE_BITS,
    SLOT_BITS,
    UPDATE_MODE,
    ParallelUpdate,
    coincidences,
    trains,
)

UPDATE_PINS = "update", "update_reset", "row_pulse", "column_pulse"
"""Pins of the macro for it."""
UPDATE_DOCS = {
    "mode": f"0: a product; {UPDATE_MODE}: an update of all cells by pulse trains, whose codes are those of the rows, "
    "then of the columns, signed, 8 bits, and which gives no output: `busy` falls when it has ended.",
    "step_code": "Step of the converters, in 2**-14 of the most that they take; of an update the slots of its trains, "
    f"and from bit {SLOT_BITS} on how often probabilities are halved.",
}

_STATE = 32 * DRAW_WORDS
_APART = 63
"""Bits that follow from those before at once."""


class UpdateOpCheck(RowOpCheck):
    """Products, and updates, whose codes have 8 bits and a sign."""

    def mode_legal(self) -> Value:
        """See :class:`RowOpCheck`."""
        op, settings = self.op, self.op.step_code
        codes = (op.in_bits == MAX_BITS) & op.in_signed
        legal = codes & settings[:SLOT_BITS].any() & ~settings[SLOT_BITS + HALVING_BITS :].any()
        return (op.mode == 0) | ((op.mode == UPDATE_MODE) & legal)


class UpdateLoader(CodeLoader[ArrayCoreConfig]):
    """Takes the codes of columns, too, with an update."""

    def op_check(self, m: Module) -> UpdateOpCheck:
        """See :class:`CodeLoader`."""
        return UpdateOpCheck(out_bits=self.cfg.most_out_bits)

    def last(self, word: Value) -> Value:
        """See :class:`CodeLoader`."""
        is_update = self.staged.mode == UPDATE_MODE
        return word == Mux(is_update, self.cfg.most_input_words, self.cfg.input_words()) - 1


class ParallelUpdates(Resettable[ArrayCoreConfig]):
    """Carries out one update after another, which waits at its inputs meanwhile.

    4 cycles take the random numbers over. A slot takes one for each bit that a line draws, and one for each of its four
    parts: cells that go up, of positive codes and of negative ones, then cells that go down, of positive rows and of
    negative ones. A part in which a row and a column pulse takes ``cfg.update_cycles`` more. The last cycle ends the
    update.
    """

    accept = In(1)
    """Strobe: its descriptor is taken."""
    number = In(64)
    """What all of its draws follow from; there from the next cycle on."""
    full = In(1)
    """It waits, with its codes."""
    settings = In(STEP_WIDTH)
    """Slots, and halvings."""
    planes = array(In(lambda self: self.cfg.loaded), MAX_BITS)
    """Bits of the codes, of rows first; the last are the signs."""
    live = In(lambda self: self.cfg.loaded)
    """Lines that may pulse."""
    begins = Out(1)
    done = Out(1)
    """Strobes: it begins, and its last cycle."""
    running = Out(1)
    pulsing = Out(1)
    """It is in progress; pulses are at the pins."""
    hold = In(1)
    """Freezes the width of a pulse."""
    update = Out(1)
    update_reset = Out(1)
    row_pulse = Out(lambda self: self.cfg.rows)
    column_pulse = Out(lambda self: self.cfg.columns)
    """Pins, from flip-flops."""

    def elaborate(self, platform: object) -> Any:
        m = Module()
        m.submodules.draws = draws = Draws()
        step = Signal(range(MAGNITUDE_BITS + 2**HALVING_BITS))
        slot = Signal(SLOT_BITS)
        pulses = Signal(self.cfg.loaded, reset_less=True)
        state = Signal(_STATE, reset_less=True)
        drawn = self._drawn(m, state)
        m.d.comb += [draws.start.eq(self.accept), draws.key.eq(self.number), self.running.eq(1)]
        with m.FSM(name="stage"):
            with m.State("Idle"):
                m.d.comb += [self.running.eq(0), self.begins.eq(self.full & draws.ready)]
                with m.If(self.begins):
                    m.d.sync += [step.eq(0), slot.eq(1)]
                    m.next = "Fill"
            with m.State("Fill"):
                m.d.comb += draws.next.eq(1)
                m.d.sync += [state.eq(Cat(state[32:], draws.word)), step.eq(step + 1)]
                with m.If(step == DRAW_WORDS - 1):
                    self._begin_slot(m, step, pulses)
            with m.State("Draw"):
                self._draw(m, step, pulses, drawn[: len(pulses)])
                m.d.sync += [state.eq(drawn[len(pulses) :]), step.eq(step + 1)]
                with m.If(step == MAGNITUDE_BITS - 1 + self.settings[SLOT_BITS : SLOT_BITS + HALVING_BITS]):
                    m.next = "Part"
            self._parts(m, pulses, slot, step)
            with m.State("End"):
                m.d.comb += self.done.eq(1)
                m.next = "Idle"
        return self.resets(m)

    def _drawn(self, m: Module, state: Signal) -> Value:
        """The bits of a step, and behind them what the state is then: each is of two before, as far apart as it can."""
        bits: Value = state
        for first in range(0, self.cfg.loaded, _APART):
            count = min(_APART, self.cfg.loaded - first)
            follow = Signal(count, name=f"follow_{first}")
            m.d.comb += follow.eq(bits[first + 1 :][:count] ^ bits[first + 65 :][:count])
            bits = Cat(bits, follow)
        return bits

    def _begin_slot(self, m: Module, step: Signal, pulses: Signal) -> None:
        m.d.sync += [step.eq(0), pulses.eq(self.planes[MAGNITUDE_BITS - 1])]
        m.next = "Draw"

    def _draw(self, m: Module, step: Signal, pulses: Signal, drawn: Value) -> None:
        """Replace what lines do by the next bit of their codes, where a 1 is drawn."""
        plane = Signal.like(pulses)
        with m.Switch(step):
            for k in range(MAGNITUDE_BITS):
                with m.Case(k):
                    m.d.comb += plane.eq(self.planes[k])
        m.d.sync += pulses.eq((drawn & plane) | (~drawn & pulses))

    def _parts(self, m: Module, pulses: Signal, slot: Signal, step: Signal) -> None:
        """The four parts of a slot, of which those are at the pins that move cells."""
        rows = self.cfg.rows
        part = Signal(2)
        timer = Signal(range(max(self.cfg.update_cycles, 2)))
        # Negative rows in every other part; columns of the same sign first, as then cells go up.
        of_sign = Signal.like(pulses)
        signs = Cat(part[0].replicate(rows), (part[0] ^ part[1]).replicate(self.cfg.columns))
        m.d.comb += of_sign.eq(pulses & self.live & ~(self.planes[-1] ^ signs))
        with m.State("Part"):
            with m.If(of_sign[:rows].any() & of_sign[rows:].any()):
                m.d.sync += [
                    self.row_pulse.eq(of_sign[:rows]), self.column_pulse.eq(of_sign[rows:]), self.update.eq(1),
                    self.update_reset.eq(part[1]), timer.eq(self.cfg.update_cycles - 1),
                ]
                m.next = "Pulse"
            with m.Else():
                self._end_part(m, part, slot, step, pulses)
        with m.State("Pulse"):
            m.d.comb += self.pulsing.eq(1)
            m.d.sync += self.update.eq(0)
            with m.If(~self.hold):
                m.d.sync += timer.eq(timer - 1)
                with m.If(timer == 0):
                    m.d.sync += [self.row_pulse.eq(0), self.column_pulse.eq(0)]
                    self._end_part(m, part, slot, step, pulses)

    def _end_part(self, m: Module, part: Signal, slot: Signal, step: Signal, pulses: Signal) -> None:
        m.d.sync += part.eq(part + 1)
        m.next = "Part"
        with m.If(part.all()):
            m.d.sync += slot.eq(slot + 1)
            with m.If(slot == self.settings[:SLOT_BITS]):
                m.next = "End"
            with m.Else():
                self._begin_slot(m, step, pulses)


class UpdatedReference(CoreReference):
    """See :class:`CoreReference`; an update gives no words, and moves the cells of the model (its ``pulse``)."""

    def run(self, descriptor: int, words: Sequence[int]) -> list[int]:
        """See :class:`CoreReference`."""
        fields = OpLayout().from_bits(descriptor)
        if fields["mode"] != UPDATE_MODE:
            return super().run(descriptor, words)
        settings = fields["step_code"]
        try:
            update = ParallelUpdate(slots=settings & (1 << SLOT_BITS) - 1, halvings=settings >> SLOT_BITS)
        except InputError:
            self.error = True
            return []
        self._update(update, fields["op_id"], np.asarray(words, dtype="<u4").view(np.int8).astype(np.int64), fields)
        return []

    def _update(self, update: ParallelUpdate, number: int, codes: Any, fields: Any) -> None:
        masks, rows = self.masks.as_masks(), self.cfg.rows
        live = np.concatenate([
            masks.wl[fields["wl_select"]] & ~masks.bl_skip, masks.lines[fields["line_select"]] & ~masks.sl_skip])
        pulsed = 0
        for slot in trains(update, number, codes):
            for *lines, sign in coincidences(slot & live, codes < 0, rows):
                if lines[0].any() and lines[1].any():
                    pulsed += 1
                    self.macro.pulse(*lines, sign)
        self.cycles_analog += pulsed * self.cfg.update_cycles
        self.cycles += update_cycles(self.cfg, update, pulsed)


def update_cycles(cfg: ArrayCoreConfig, update: ParallelUpdate, parts: int) -> int:
    """Cycles of an update with pulses in so many parts of its slots."""
    return DRAW_WORDS + update.slots * (update.steps + 4) + parts * cfg.update_cycles + 1
