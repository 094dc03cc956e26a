"""Why and how a program stops: instructions that are illegal, and traps of the sequencer and of engines."""

from typing import Any

from amaranth.hdl import Const, Module, Mux, Signal, Value

from mho.hw.tile.isa import Cause, Engine, Op
from mho.hw.tile.rtl.layouts import TrapLayout
from mho.hw.tile.rtl.sequencer.loops import CAUSES, Decoder, field


class ProgramStop:
    """What of the sequencer stops its program.

    Parameters
    ----------
    m, trap
        The sequencer, and why its program stopped.

    Members
    -------
    own
        The sequencer's own cause, if none of the instructions before traps.
    wrong, runs_out, illegal
        What was decoded is illegal by its own bits: by which of :data:`CAUSES`, as a SET beyond the end; by either.
    judged
        That is known, or no engine has taken the instruction before it is.
    changes
        Something changes a ring in the next cycle.
    """

    def __init__(self, m: Module, trap: Any) -> None:
        self._m, self.trap = m, trap
        self.own = Signal(TrapLayout(), name="own_trap", reset_less=True)
        self.illegal, self.changes = Signal(name="illegal"), Signal(name="changes_next")
        self.wrong, self.runs_out = Signal(len(CAUSES), name="its_wrongs"), Signal(name="runs_out")
        self.judged = Signal(name="judged")

    def judge(self, decoder: Decoder, op: Value, at: Value, instructions: int) -> None:
        """Whether an instruction is legal by its own bits, in the cycle behind ``Decode``, for those that follow.

        In the cycle of ``Decode`` the memory has only just given it: half of that cycle is gone.
        """
        m = self._m
        word = decoder.word
        runs_out = at + field(word, Op.SET, "words") >= instructions
        m.d.comb += self.illegal.eq(self.wrong.any() | self.runs_out)
        m.d.sync += [
            self.wrong.eq(decoder.wrong), self.runs_out.eq((op == Op.SET) & runs_out), self.judged.eq(1),
        ]

    def take(self, start: Value, trapped: Any, dead: Value, stops: Value) -> None:
        """Why the program stopped: the first cause stays until the next start."""
        m = self._m
        with m.If(start):
            m.d.sync += self.trap.eq(0)
        with m.Elif(~dead & ((trapped.cause != 0) | stops)):
            m.d.sync += self.trap.eq(Mux(trapped.cause != 0, trapped, self.own))

    def stop(self, cause: Cause | Value, number: Value | int = 0, engine: Engine = Engine.SEQUENCER) -> None:
        """A trap of the sequencer itself, if none of the instructions before it traps."""
        m = self._m
        m.d.sync += [self.own.cause.eq(cause), self.own.engine.eq(engine), self.own.stream.eq(number)]
        m.d.comb += self.changes.eq(0)
        m.next = "Stop"

    def obey(self, dead: Value) -> None:
        """Leave a state since the instruction is illegal, or since an engine trapped."""
        m = self._m
        with m.If(self.illegal):
            self.refuse()
        with m.If(dead):
            m.next = "Idle"
        with m.If(self.illegal | dead):
            m.d.comb += self.changes.eq(0)

    def refuse(self) -> None:
        """Stops since the instruction is illegal by its own bits: with the least cause."""
        bits: dict[Cause, Value] = {**dict(zip(CAUSES, self.wrong, strict=True)), Cause.END: self.runs_out}
        first: Value = Const(0, 4)
        for cause in sorted(bits, reverse=True):
            first = Mux(bits[cause], cause, first)
        self.stop(first)
