# amaranth: UnusedElaboratable=no
# Descriptions are checked against the ports of command ports that are never built.
"""Pins of a transposable (TNSA) macro, as the digital core sees them, and a port of commands in their place.

Every operation is a strobe of one cycle at the start of the operation; the sequencer then waits for the duration in
the chip description. Strobes come from flip-flops, so that an analog cell sees no glitches.
"""

from collections.abc import Callable
from dataclasses import dataclass

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring

from mho.hw.config import Chip, PulseChip
from mho.hw.config.macros.commands import CommandTable, CommandTerm, CommandWord
from mho.hw.macro.contract import ContractPins, WritePins, command_members
from mho.hw.ports import Bundle, Component, In, Out


class TnsaPins(Bundle):
    """Signature of the macro, seen from the digital side (``Out`` drives the macro).

    Parameters
    ----------
    lines
        Bit lines, source lines and word lines of the array: 16, 64 or 256.
    """

    backward = Out(1)
    """0: bit lines are driven and source lines converted; 1: the other way round."""
    bl_pos = Out(lambda self: self.lines)
    bl_neg = Out(lambda self: self.lines)
    sl_pos = Out(lambda self: self.lines)
    sl_neg = Out(lambda self: self.lines)
    """Line registers: V_ref + V_read, V_ref - V_read, or V_ref where both are 0. Never both 1."""
    wl_en = Out(lambda self: self.lines)
    """Word lines that are pulsed while sampling. Word line i gates the cells of bit line i."""
    precharge = Out(1)
    """Strobe: precharge the converted lines and the sampling capacitors, discharge the integrators."""
    sample = Out(1)
    """Strobe: word-line pulse, settle, sample the lines, move the charge to the integrators. Issued 2**plane times."""
    plane = Out(3)
    """Binary weight of the plane that is on the line registers."""
    compare = Out(1)
    """Strobe: compare the integrators; ``cmp`` is valid from the next cycle on, until the next compare."""
    latch = Out(1)
    """With ``compare``: keep the result as the direction of the decrements that follow."""
    decrement = Out(1)
    """Strobe: take ``step_code << dec_scale`` from the magnitude of the charge, direction from the latch."""
    dec_scale = Out(3)
    """Binary weight of this decrement (0 while counting)."""
    step_code = Out(16)
    """Charge of one decrement in V_read / 2**14."""
    op_id = Out(64)
    """Number of this conversion: {image, static operation}. Left open in silicon."""
    cmp = In(lambda self: self.lines)
    """1 where the charge of a line is negative. It has to stand in the last cycle of the compare."""
    hold = In(1)
    """Freezes the sequencer's timer. For slow bodies; 0 in silicon. It has to be 1 in the last cycle of an operation
    that it lengthens. Both may be in another clock: ``core.synchronise`` of the description."""

    def __init__(self, lines: int) -> None:
        self.lines = lines
        super().__init__()


class MacroPins(ContractPins):
    """Signature of a whole macro, seen from the digital side (``Out`` drives the macro).

    Parameters
    ----------
    lines
        Bit lines, source lines and word lines of the array.
    verify_bits
        Width of a verify read's code; None: the cells are programmed from outside, and there are no pins for it.

    Members
    -------
    The members of :class:`TnsaPins`, then those of :class:`WritePins`. ``hold`` is one pin for both.
    """

    module = "tnsa_macro"
    strobes = ("precharge", "sample", "compare", "decrement", "verify")

    def __init__(self, lines: int, verify_bits: int | None = None) -> None:
        self.lines = lines
        self.verify_bits = verify_bits
        write = {} if verify_bits is None else dict(WritePins(lines, verify_bits).members)
        super().__init__({**TnsaPins(lines).members, **write})

    @classmethod
    def from_chip(cls, chip: Chip) -> "MacroPins":
        """The pins of a chip's macro."""
        programming = PulseChip.of(chip).programming
        return cls(chip.lines, programming.verify_bits if programming.engine else None)

    @property
    def write_names(self) -> tuple[str, ...]:
        return () if self.verify_bits is None else tuple(WritePins(self.lines, self.verify_bits).members)

    def command_port(self, table: CommandTable) -> "CommandPort":
        return CommandPort(CommandPortConfig(lines=self.lines, table=table))


_SCALED = 25
"""Bits of ``step_code << dec_scale``, twice: 16 of the code, at most 7 more by the weight, 1 more for half a step."""


@dataclass(frozen=True, kw_only=True)
class CommandPortConfig:
    """A command port for a core of ``lines``; ``table`` is what the description says of it."""

    lines: int
    table: CommandTable

    @property
    def charge_bits(self) -> int:
        """Width of what is left of a code, signed: twice the code and plus one, or twice the largest decrement."""
        return max(self.table.code_bits + 1, _SCALED) + 1


class CommandPort(wiring.Component):
    """Turns strobes into commands, holds the core meanwhile, and answers comparisons from the codes.

    Precharge gives the commands ``clear``, sample the commands ``sample``, and the first compare after a sample the
    commands ``read`` for each group of lines with converters; the last of these brings the codes. ``hold`` is 1 from
    the strobe until the last command has ended. A code a is kept as 2 a + 1, which is never 0; from then on comparing
    and counting down is arithmetic.

    A command is at ``command`` and ``data`` from its first cycle to its last. With ``handshake`` "level",
    ``request`` is 1 in the first cycle, and the command ends in the first cycle after that in which ``done`` is 1, a
    pulse or a level. With "ready", ``request`` is 1 until ``done`` is 1, which may be at once, and the command ends
    there. With "four_phase", ``request`` is 1 until ``done`` is 1, and the command ends when ``done`` is 0 again.

    The codes are taken in the cycle in which ``done`` ends the command or, with "four_phase", its request. A precharge
    that comes meanwhile, because the core was reset alone, takes its turn when the command has ended.

    Parameters
    ----------
    cfg
        Lines and commands.

    Members
    -------
    backward, bl_pos, ..., step_code : In
        The core, as :class:`mho.hw.kinds.tnsa.pins.TnsaPins` says; ``op_id`` is not needed.
    cmp : Out(cfg.lines), hold : Out(1)
        To the core.
    request : Out(1), command : Out(table.command_bits), data : Out(table.data_bits)
        To the macro.
    done : In(1), code : In(table.code_bits * table.codes)
        From the macro: signed codes, the lowest line lowest.
    """

    backward: Signal
    bl_pos: Signal
    bl_neg: Signal
    sl_pos: Signal
    sl_neg: Signal
    wl_en: Signal
    precharge: Signal
    sample: Signal
    plane: Signal
    compare: Signal
    latch: Signal
    decrement: Signal
    dec_scale: Signal
    step_code: Signal
    cmp: Signal
    hold: Signal
    request: Signal
    command: Signal
    data: Signal
    done: Signal
    code: Signal

    def __init__(self, cfg: CommandPortConfig) -> None:
        self.cfg = cfg
        core = {name: member.flip() for name, member in TnsaPins(cfg.lines).members.items() if name != "op_id"}
        macro = command_members(cfg.table).items()
        super().__init__(core | {
            name: wiring.In(width) if driven else wiring.Out(width) for name, (width, driven) in macro
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        table = self.cfg.table
        converted = table.converted(self.cfg.lines)
        self._fresh = Signal(name="fresh")
        self._first = Signal(name="first")
        self._again = Signal(name="again")
        self._step = Signal(range(max(len(table.clear), len(table.sample), len(table.read), 2)), name="step")
        self._line = Signal(range(max(self.cfg.lines, 2)), name="line")
        self._ends = Signal(name="ends")
        accepted = Signal(name="taken")
        answers = self.request & self.done
        m.d.comb += [
            accepted.eq({"level": ~self.request & self.done}.get(table.handshake, answers)),
            self._ends.eq({"four_phase": ~self.request & ~self.done}.get(table.handshake, accepted)),
        ]
        m.d.sync += self.request.eq(0) if table.handshake == "level" else self.request.eq(self.request & ~self.done)
        with m.If(self.precharge):
            m.d.sync += self._again.eq(1)
        clears, reads = (self.precharge if table.clear else Const(0)), self.compare & self._fresh
        with m.FSM(name="run") as fsm:
            m.d.comb += self.hold.eq(~fsm.ongoing("Idle") | clears | self.sample | reads)
            with m.State("Idle"):
                m.d.sync += [
                    self._step.eq(0), self._line.eq(0), self._fresh.eq(self.sample | (self._fresh & ~self.compare)),
                ]
                with m.If(self.precharge):
                    self._clear(m)
                with m.Elif(self.sample):
                    self._begin(m, "Sample")
                with m.Elif(reads):
                    self._begin(m, "Read")
            if table.clear:
                with m.State("Clear"):
                    self._run(m, table.clear, lambda: self._leave(m))
            with m.State("Sample"):
                self._run(m, table.sample, lambda: self._after_sample(m))
            with m.State("Read"):
                self._run(m, table.read, lambda: self._next_lines(m, converted))
            last = self._step == len(table.read) - 1
            arrives = fsm.ongoing("Read") & accepted & last
        self._lines(m, arrives, converted)
        return m

    # ---- Commands

    def _begin(self, m: Module, state: str) -> None:
        m.d.sync += self.request.eq(1)
        m.next = state

    def _clear(self, m: Module) -> None:
        """Begin a conversion."""
        m.d.sync += [self._fresh.eq(0), self._first.eq(1), self._again.eq(0), self._step.eq(0), self._line.eq(0)]
        if self.cfg.table.clear:
            self._begin(m, "Clear")
        else:
            m.next = "Idle"

    def _run(self, m: Module, words: tuple[CommandWord, ...], after: Callable[[], None]) -> None:
        """One command of a run after the other; ``after`` the last."""
        with m.Switch(self._step):
            for number, word in enumerate(words):
                with m.Case(number):
                    m.d.comb += [self.command.eq(word.command), self.data.eq(self._word(word))]
        with m.If(self._ends):
            with m.If(self._again | self.precharge):
                self._clear(m)
            with m.Elif(self._step == len(words) - 1):
                m.d.sync += self._step.eq(0)
                after()
            with m.Else():
                m.d.sync += [self._step.eq(self._step + 1), self.request.eq(1)]

    def _leave(self, m: Module) -> None:
        m.next = "Idle"

    def _after_sample(self, m: Module) -> None:
        m.d.sync += self._first.eq(0)
        m.next = "Idle"

    def _next_lines(self, m: Module, converted: int) -> None:
        """The next group of lines with converters."""
        with m.If(self._line == converted - self.cfg.table.codes):
            m.next = "Idle"
        with m.Else():
            m.d.sync += [self._line.eq(self._line + self.cfg.table.codes), self.request.eq(1)]

    def _word(self, word: CommandWord) -> Value:
        result: Value = Const(0)
        for term in word.terms:
            part = self._term(term) << term.shift
            result = part if word.terms[0] is term else result | part
        return result

    def _term(self, term: CommandTerm) -> Value:
        if not term.source:
            return Const(term.value)
        if term.source in ("pos", "neg"):
            value = Mux(self.backward, getattr(self, f"sl_{term.source}"), getattr(self, f"bl_{term.source}"))
        else:
            value = {"line": self._line, "first": self._first}.get(term.source, getattr(self, term.source, None))
        assert value is not None
        return Value.cast(value)[term.low : None if term.high is None else term.high + 1]

    # ---- Codes

    def _lines(self, m: Module, arrives: Value, converted: int) -> None:
        """The code of each line, and what is left of it."""
        table = self.cfg.table
        step = Signal(_SCALED)
        turn = Signal()
        reached = Signal(self.cfg.lines)
        m.d.comb += [
            reached.eq(arrives << self._line),
            step.eq(Cat(Const(0, 1), self.step_code) << self.dec_scale),
            turn.eq(self.compare & self.latch & ~self._fresh),
        ]
        for line in range(self.cfg.lines):
            part = ConvertedLine(self.cfg)
            m.submodules[f"line_{line}"] = part
            group = line - line % table.codes if line < converted else 0
            m.d.comb += [
                part.arrives.eq(reached[group]), part.decrement.eq(self.decrement), part.step.eq(step),
                part.turn.eq(turn), self.cmp[line].eq(part.negative),
            ]
            if line < converted:
                m.d.comb += part.code.eq(self.code.word_select(line % table.codes, table.code_bits))


class ConvertedLine(Component[CommandPortConfig]):
    """What is left of the code of a line while decrements count it, and the direction of these.

    A code a is 2 a + 1 here, so that its sign is known whatever it is. A register takes its value at the next
    clock edge.

    Parameters
    ----------
    cfg
        Widths.
    """

    arrives = In(1)
    code = In(lambda self: self.cfg.table.code_bits)
    """The code of the line."""
    decrement = In(1)
    step = In(_SCALED)
    """Take ``step``, twice a decrement, from the magnitude that the code had when the direction was kept."""
    turn = In(1)
    """Keep the sign as the direction of the decrements that follow."""
    negative = Out(1)
    """What is left is negative."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        charge = Signal(self.cfg.charge_bits, reset_less=True)
        minus = Signal(reset_less=True)
        m.d.comb += self.negative.eq(charge[-1])
        with m.If(self.arrives):
            sign = self.code[-1]
            m.d.sync += [charge.eq(Cat(Const(1, 1), self.code, sign.replicate(len(charge)))), minus.eq(sign)]
        with m.Elif(self.decrement):
            m.d.sync += charge.eq(Mux(minus, charge + self.step, charge - self.step))
        with m.Elif(self.turn):
            m.d.sync += minus.eq(charge[-1])
        return m
