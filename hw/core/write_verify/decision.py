"""What to do with a cell after a verify read, and the map of those that were given up."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data

from mho.hw.block import Resettable
from mho.hw.core.counting import following, last
from mho.hw.core.write_verify.config import COUNT_BITS, LIMIT_BITS, ParameterLayout, WriteVerifyConfig
from mho.hw.memory import block_memory, has_one_port
from mho.hw.ports import Component, In, Out
from mho.macro_models.integer.pulse import AMPLITUDE_BITS, Polarity


class RunLayout(data.StructLayout):
    """What is remembered of a cell during one pass. All 0 before its first read.

    ``started``: it had a pulse, of ``polarity`` and ``amplitude``. ``confirmed``: reads in the band since the last
    pulse.
    """

    def __init__(self) -> None:
        super().__init__({
            "started": 1, "polarity": 2, "amplitude": AMPLITUDE_BITS, "reversals": LIMIT_BITS,
            "at_ceiling": LIMIT_BITS, "pulses": COUNT_BITS, "confirmed": 2,
        })


class PulseLayout(data.StructLayout):
    """A pulse that a cell might get, and what it would make of :class:`RunLayout`; ``refused``: give the cell up."""

    def __init__(self) -> None:
        super().__init__({
            "polarity": 2, "amplitude": AMPLITUDE_BITS, "reversal": 1, "at_ceiling": LIMIT_BITS, "refused": 1,
        })


class Decision(Component[WriteVerifyConfig]):
    """Decides whether a cell is done, is read again, gets a pulse or is given up.

    Combinational, but that ``p``, ``target`` and ``run`` must stay for a cycle before: the band, and what either pulse
    would be, are in flip-flops when the code of a read, which takes two cycles at least, comes. The numpy
    reference is :func:`mho.hw.core.write_verify.reference.program`.
    """

    p = In(lambda self: ParameterLayout(self.cfg))
    """The registers."""
    code = In(lambda self: self.cfg.verify_bits)
    target = In(lambda self: self.cfg.verify_bits)
    """What was read, and what is wanted."""
    run = In(RunLayout())
    """The cell so far."""
    next = Out(RunLayout())
    """The cell after the decision."""
    done = Out(1)
    """The cell is in the band, and confirmed."""
    again = Out(1)
    """Read once more."""
    give_up = Out(1)
    """The cell is faulty. If nothing of these, a pulse with the amplitude and the polarity in ``next`` follows."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        p, run = self.p, self.run
        low, inside = self._band(m)
        options = [
            self._pulse(m, "up", Mux(p.form, Polarity.FORM, Polarity.SET)),
            self._pulse(m, "down", Mux(p.form, Polarity.FORM, Polarity.RESET)),
        ]
        pulse = Signal(PulseLayout())
        m.d.comb += [
            pulse.eq(Mux(low, *options)),
            self.done.eq(inside & (run.confirmed == p.confirmations)),
            self.again.eq(inside & (run.confirmed != p.confirmations)),
            self.give_up.eq(~inside & pulse.refused),
            self.next.eq(run),
        ]
        with m.If(inside):
            # A cell that is done is not looked at again.
            m.d.comb += self.next.confirmed.eq(run.confirmed + 1)
        with m.Elif(~pulse.refused):
            m.d.comb += [
                self.next.started.eq(1), self.next.polarity.eq(pulse.polarity), self.next.amplitude.eq(pulse.amplitude),
                self.next.reversals.eq(run.reversals + pulse.reversal), self.next.at_ceiling.eq(pulse.at_ceiling),
                self.next.pulses.eq(run.pulses + 1), self.next.confirmed.eq(0),
            ]
        return m

    def _pulse(self, m: Module, name: str, polarity: Value) -> data.View:
        """A pulse of a polarity, after what the cell had."""
        p, run = self.p, self.run
        pulse = Signal(PulseLayout(), name=f"pulse_{name}")
        start, step, ceiling = (Signal(AMPLITUDE_BITS, name=f"{what}_{name}") for what in ("start", "step", "ceiling"))
        with m.Switch(polarity):
            for kind in Polarity:
                names = [f"{kind.name.lower()}_{what}" for what in ("start", "step", "ceiling")]
                with m.Case(kind):
                    m.d.comb += [
                        bound.eq(getattr(p, name)) for bound, name in zip((start, step, ceiling), names, strict=True)
                    ]
        same, reversal, top = (Signal(name=f"{what}_{name}") for what in ("same", "reversal", "top"))
        more = Signal(AMPLITUDE_BITS + 1, name=f"more_{name}")
        amplitude = Signal(AMPLITUDE_BITS, name=f"height_{name}")
        at_ceiling = Signal(LIMIT_BITS, name=f"at_ceiling_{name}")
        m.d.comb += [
            same.eq(run.started & (polarity == run.polarity)), reversal.eq(run.started & (polarity != run.polarity)),
            more.eq(run.amplitude + step),
            amplitude.eq(Mux(same, Mux(more > ceiling, ceiling, more[:AMPLITUDE_BITS]), start)),
            top.eq(amplitude == ceiling), at_ceiling.eq(Mux(reversal, 0, run.at_ceiling)),
            pulse.polarity.eq(polarity), pulse.amplitude.eq(amplitude), pulse.reversal.eq(reversal),
            pulse.at_ceiling.eq(at_ceiling + top),
            pulse.refused.eq(
                (reversal & (run.reversals == p.max_reversals))
                | (top & (at_ceiling == p.max_at_ceiling))
                | (run.pulses == p.max_pulses)
            ),
        ]
        pulse_kept = Signal(PulseLayout(), name=f"held_{name}", reset_less=True)
        m.d.sync += pulse_kept.eq(pulse)
        return pulse_kept

    def _band(self, m: Module) -> tuple[Signal, Signal]:
        """Whether the code is below the target, and whether it is in the band."""
        low = Signal()
        inside = Signal()
        tolerance, target = self.p.tolerance, self.target
        least = Signal(self.cfg.verify_bits, reset_less=True)
        most = Signal(self.cfg.verify_bits + 1, reset_less=True)
        m.d.sync += [least.eq(Mux(tolerance > target, 0, target - tolerance)), most.eq(target + tolerance)]
        m.d.comb += [
            low.eq(self.code < target),
            inside.eq(Mux(self.p.form, ~low, (self.code >= least) & (self.code <= most))),
        ]
        return low, inside


class RegisterCheck(Component[WriteVerifyConfig]):
    """Whether a :class:`WriteVerifyParameters` with these values exists. Combinational."""

    p = In(lambda self: ParameterLayout(self.cfg))
    """The registers."""
    legal = Out(1)
    """They can be run with."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        p = self.p
        legal = p.passes != 0
        for kind in ("set", "reset", "form"):
            legal &= (p[f"{kind}_start"] <= p[f"{kind}_ceiling"]) & (p[f"{kind}_cycles"] != 0)
        m.d.comb += self.legal.eq(legal)
        return m


class FaultMap(Resettable[WriteVerifyConfig]):
    """Memory of one bit a cell, which cells are entered into in their order.

    It is cleared after reset and by ``clear``, one word a cycle (``cfg.map_words`` cycles).
    """

    clear = In(1)
    """Clear the map, and start again from the first cell."""
    cleared = Out(1)
    """Cells may be entered."""
    enter = In(1)
    fault = In(1)
    """Enter the next cell. After the last cell the first follows."""
    row_end = Out(1)
    """The next cell is the last of its row."""
    array_end = Out(1)
    """It is the last of the array."""
    addr = In(lambda self: range(self.cfg.map_words))
    """Word to read: ``row * cfg.row_words + col // cfg.map_width``."""
    data = Out(lambda self: self.cfg.map_width)
    """The word, one cycle later."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        width, words = self.cfg.map_width, self.cfg.map_words
        m.submodules.memory = memory = block_memory(platform, width, words)
        write = memory.write_port()
        read = memory.read_port()
        # The word is read anew where another one is asked for, or something was written.
        at = Signal.like(self.addr)
        known = Signal()
        one_port = has_one_port(platform, words)
        if not one_port:
            m.d.sync += known.eq(~write.en)
        m.d.comb += [
            read.addr.eq(self.addr), read.en.eq(~known | (self.addr != at)), self.data.eq(read.data),
        ]
        with m.If(read.en):
            m.d.sync += at.eq(self.addr)

        # The cell, least significant part first: bit of the word, word.
        bit = Signal(range(width))
        word = Signal(range(words))
        cell = Cat(bit, word)
        (rows, columns), places = self.cfg.shape, (self.cfg.shape[1] - 1).bit_length()
        column, row, even = cell[:places], cell[places:], self.cfg.cells == 1 << len(cell)
        # Faults of the word so far. A word is written with every cell, so that a run can end anywhere.
        faults = Signal(width)
        entered = Signal(width)
        m.d.comb += [
            self.row_end.eq(last(column, columns)),
            self.array_end.eq(cell.all() if even else self.row_end & last(row, rows)),
            entered.eq(Mux(bit == 0, 0, faults) | (self.fault << bit)),
        ]
        clears = ~self.cleared
        if one_port:
            clears = self._write_late(m, read, write, known, word, entered)
        else:
            m.d.comb += [
                write.addr.eq(word), write.data.eq(Mux(self.cleared, entered, 0)),
                write.en.eq(~self.cleared | self.enter),
            ]
        with m.If(self.clear):
            m.d.sync += [self.cleared.eq(0), cell.eq(0)]
        with m.Elif(clears):
            m.d.sync += [word.eq(following(word, words)), self.cleared.eq(word == words - 1)]
        with m.Elif(self.enter):
            m.d.sync += [faults.eq(entered), cell.eq(cell + 1)]
            if not even:
                with m.If(self.row_end):
                    m.d.sync += [column.eq(0), row.eq(following(row, rows))]
        return self.resets(m)

    def _write_late(
        self, m: Module, read: Any, write: Any, known: Signal, word: Signal, entered: Signal
    ) -> Value:
        """Writing through the one port, which reads have first; gives whether a word is cleared in this cycle.

        A word that is entered waits until nothing is read. Others are asked for every second cycle at most, and cells
        are entered every second cycle at most, so one place to wait is enough.
        """
        waits = Signal()
        late_word = Signal.like(word)
        late = Signal.like(entered, reset_less=True)
        clears = Signal()
        with m.If(self.enter):
            m.d.sync += [late_word.eq(word), late.eq(entered)]
        m.d.sync += [
            waits.eq(self.enter | (waits & read.en & self.cleared)),
            known.eq(~write.en | (write.addr != self.addr)),
        ]
        m.d.comb += [
            clears.eq(~self.cleared & ~read.en), write.en.eq(clears | (waits & self.cleared & ~read.en)),
            write.addr.eq(Mux(self.cleared, late_word, word)), write.data.eq(Mux(self.cleared, late, 0)),
        ]
        return clears
