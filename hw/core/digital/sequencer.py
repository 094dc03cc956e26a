"""Order of the phases of a product whose durations are constants."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring

from mho.hw.block import Resettable, named
from mho.hw.ports import In, Out
from mho.macro_models.integer.operation import MAX_BITS

_TIMER_BITS = 16


@dataclass(frozen=True)
class Phase:
    """One operation at the pins."""

    name: str
    """Its strobe."""
    cycles: int
    """Its cycles."""
    planes: bool = False
    """Every step has one: every plane of the input, where planes are driven one by one."""
    weighted: bool = False
    """It lasts as long as its plane counts: so many cycles times a power of two."""
    groups: int = 1
    """Steps of a plane, a power of two."""

    def of_planes(self, planes: int) -> int:
        """Cycles of all of a product of so many planes, or steps of these."""
        if self.weighted:
            return self.cycles * self.groups * ((1 << planes // self.groups) - 1)
        return self.cycles * (planes if self.planes else 1)


def phase_cycles(phases: Sequence[Phase], planes: int) -> int:
    """Cycles of the operations at the pins of one product of so many planes."""
    return sum(phase.of_planes(planes) for phase in phases)


class PhaseSequencer(Resettable):
    """Issues the phases of one product after another without a gap.

    A phase that every plane has is issued for one plane after the other, from the most significant on. After the last
    phase one cycle (:data:`mho.hw.core.shape.OVERHEAD_CYCLES`) moves the result and takes the next product; it waits
    before that cycle until the last result has gone.

    Parameters
    ----------
    phases
        The phases, in their order.
    most_planes
        The most that a product has.

    Members
    -------
    <name of a phase> : Out(1)
        Its strobe, from a flip-flop: its first cycle.
    """

    full = In(1)
    planes = In(lambda self: self.most_planes.bit_length())
    """A product waits, of so many planes."""
    take = Out(1)
    """It starts: the first phase follows in the next cycle."""
    begins = Out(1)
    plane = Out(lambda self: range(max(self.most_planes, 2)))  # of one, too, a number
    """A phase of a plane begins in the next cycle; the plane of the phase that is on."""
    next_plane = Out(lambda self: range(max(self.most_planes, 2)))
    """With ``begins``: its plane."""
    finish = Out(1)
    capture = Out(1)
    """The macro takes the result into what is read, in this cycle; the same from a flip-flop, for its pin."""
    free = In(1)
    """It can be taken."""
    running = Out(1)
    analog = Out(1)
    """A product is in progress; an operation is at the pins."""
    hold = In(1)
    """Freezes the timer."""

    def __init__(self, phases: tuple[Phase, ...], most_planes: int = MAX_BITS) -> None:
        self.phases, self.most_planes = phases, most_planes
        super().__init__(behind={phase.name: wiring.Out(1) for phase in phases})

    def elaborate(self, platform: object) -> Any:
        m = Module()
        phases, idle, finish = self.phases, 0, len(self.phases) + 1
        state = Signal(range(finish + 1))
        timer = Signal(_TIMER_BITS)
        last = Signal()
        waits = Signal()
        again = Signal()
        strobes = [getattr(self, phase.name) for phase in phases]
        cycles = [named(m, f"{phase.name.upper()}_CYCLES", phase.cycles, _TIMER_BITS) for phase in phases]
        m.d.comb += [
            waits.eq((state == len(phases)) & (timer == 0) & ~again & ~self.free),
            last.eq((timer == 0) & ~self.hold & ~waits), self.running.eq(state != idle),
            self.finish.eq(state == finish), self.analog.eq(self.running & ~self.finish & ~waits),
            self.take.eq(self.full & ((state == idle) | self.finish)),
        ]
        m.d.sync += [strobe.eq(0) for strobe in (*strobes, self.capture)]
        with m.If((timer != 0) & ~self.hold):
            m.d.sync += timer.eq(timer - 1)

        def enter(number: int) -> None:
            took, plane = cycles[number], self.next_plane[phases[number].groups.bit_length() - 1 :]
            took = took << plane if phases[number].weighted else took
            m.d.sync += [state.eq(number + 1), strobes[number].eq(1), timer.eq((took - 1)[:_TIMER_BITS])]
            if phases[number].planes:
                m.d.comb += self.begins.eq(1)

        with m.Switch(state):
            for number, phase in enumerate(phases):
                with m.Case(number + 1):
                    if phase.planes:
                        m.d.comb += [again.eq(self.plane != 0), self.next_plane.eq(self.plane - 1)]
                    with m.If(last):
                        with m.If(again):
                            enter(number)
                        with m.Else():
                            if number + 1 < len(phases):
                                enter(number + 1)
                            else:
                                m.d.sync += [state.eq(finish), self.capture.eq(1)]
            with m.Case(finish):
                m.d.sync += state.eq(idle)
        with m.If(self.take):
            m.d.comb += self.next_plane.eq(self.planes - 1)
            enter(0)
        with m.If(self.begins):
            m.d.sync += self.plane.eq(self.next_plane)
        return self.resets(m)
