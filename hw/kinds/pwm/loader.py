"""Pulses: loads the next operation while the last one runs, makes pulses of its codes, issues what is at the pins."""

from functools import reduce
from operator import and_, or_
from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import enum

from mho.hw.block import Resettable, named
from mho.hw.core.digital.loader import CodeLoader
from mho.hw.core.layout import INPUT_WIDTH, OpLayout, unreserved
from mho.hw.kinds.pwm.config import PwmCoreConfig
from mho.hw.kinds.pwm.engine.layout import COMMAND_MODE, Bank, Command
from mho.hw.ports import Component, In, Out, array
from mho.macro_models.integer.operation import MAX_BITS
from mho.macro_models.integer.pwm.operation import MAGNITUDE_BITS, PwmOperation

PULSE_BITS = MAGNITUDE_BITS + 1
"""Bits of a pulse: its width, and whether the input is negative."""


class PwmOpCheck(Component):
    """Decides whether a descriptor is legal, by the rules of :class:`PwmOperation`. Combinational.

    Parameters
    ----------
    commands
        Those of :class:`mho.hw.kinds.pwm.engine.layout.Command` are legal, too, in the form of
        :func:`mho.hw.kinds.pwm.engine.layout.pack_command`.
    """

    op = In(OpLayout())
    """The descriptor."""
    legal = Out(1)
    """Whether a :class:`PwmOperation` with these values exists."""
    shift = Out(3)
    """Bits by which magnitudes are shifted up to be widths."""
    codes = Out(1)
    """It takes input codes."""

    def __init__(self, *, commands: bool = False) -> None:
        self.commands = commands
        super().__init__()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        op = self.op
        planes = Signal(4)
        product, command = op.mode == 0, op.mode == COMMAND_MODE
        well_formed = (op.wl_select <= max(Command)) & (op.line_select <= max(Bank)) & (op.in_bits == 8) & op.in_signed
        mode = product | (command & well_formed) if self.commands else product
        m.d.comb += [
            planes.eq(op.in_bits - (op.in_signed & (op.in_bits != 1))), self.shift.eq(MAGNITUDE_BITS - planes),
            self.legal.eq(reduce(and_, (
                planes != 0, planes <= MAGNITUDE_BITS, op.out_bits != 0, op.out_bits <= MAX_BITS, op.step_code != 0,
                mode, *unreserved(op, PwmOperation),
            ))),
            self.codes.eq(product | (op.wl_select == Command.MEASURE)),
        ]
        return m


class PulseLoader(CodeLoader[PwmCoreConfig]):
    """Takes one descriptor, then its input codes as widths of pulses, and holds them until the sequencer takes them.

    See :class:`CodeLoader`. The step code is multiplied with the range register meanwhile.
    """

    range_code = In(16)
    """The range register."""
    shift = Out(3)
    step_code = Out(16)
    """The shift of the magnitudes of the operation that waits, and its step code at the pins: see
    :meth:`mho.macro_models.integer.pwm.calibration.Calibration.step_code`."""

    def op_check(self, m: Module) -> PwmOpCheck:
        return PwmOpCheck(commands=self.cfg.engine)

    def takes_codes(self, check: Any) -> Value:
        """Not all commands do."""
        return check.codes

    def derive(self, m: Module, check: Any) -> list[Any]:
        """The shift."""
        return [self.shift.eq(check.shift)]

    def beside(self, m: Module) -> None:
        """The step code at the pins: known two cycles after the descriptor, and the words take longer."""
        rounded = Signal(18)
        product = Signal(32)
        m.d.sync += product.eq(self.staged.step_code * self.range_code)
        m.d.comb += rounded.eq((product + (1 << 14)) >> 15)
        m.d.sync += self.step_code.eq(Mux(rounded > 0xFFFF, 0xFFFF, Mux(rounded == 0, 1, rounded)))

    def code_bits(self, m: Module, k: int) -> Signal:
        """Width of the pulse of a code, and its sign."""
        code = self.i.payload.word_select(k, INPUT_WIDTH)
        magnitude = Signal(8, name=f"magnitude_{k}")
        negative = self.staged.in_signed & code[7]
        pulse = Signal(PULSE_BITS, name=f"pulse_{k}")
        m.d.comb += [magnitude.eq(code), pulse.eq(Cat((magnitude << self.shift)[:MAGNITUDE_BITS], negative))]
        with m.If(negative):
            m.d.comb += magnitude.eq(-code)
        return pulse


class PulseModulator(Resettable[PwmCoreConfig]):
    """Drives a pulse a row, all beginning together.

    ``load``, ``begins`` and ``step`` take effect at the next clock edge.
    """

    load = In(1)
    planes = array(In(lambda self: self.cfg.lines), PULSE_BITS)
    """Take over pulses: magnitudes shifted up, and signs."""
    begins = In(1)
    positive = In(1)
    negative = In(1)
    """Pulses begin: of inputs of these signs, and not of width 0."""
    step = In(1)
    index = In(MAGNITUDE_BITS)
    """The pulses of width ``index`` end."""
    pos = Out(lambda self: self.cfg.lines)
    neg = Out(lambda self: self.cfg.lines)
    """Pulses of positive and of negative inputs."""

    def elaborate(self, platform: object) -> Any:
        m = Module()
        n = self.cfg.lines
        stored = [Signal(n, name=f"held_{k}", reset_less=True) for k in range(PULSE_BITS)]
        widths, sign = stored[:MAGNITUDE_BITS], stored[MAGNITUDE_BITS]
        some = Signal(n)
        ends = Signal(n)
        m.d.comb += [
            some.eq(reduce(or_, widths)),
            # Over all rows bit by bit, which simulates faster than a comparator a row.
            ends.eq(reduce(and_, (~(plane ^ self.index[k].replicate(n)) for k, plane in enumerate(widths)))),
        ]
        with m.If(self.load):
            m.d.sync += [register.eq(plane) for register, plane in zip(stored, self.planes, strict=True)]
        with m.If(self.begins):
            m.d.sync += [
                self.pos.eq(some & ~sign & self.positive.replicate(n)),
                self.neg.eq(some & sign & self.negative.replicate(n)),
            ]
        with m.Elif(self.step):
            m.d.sync += [self.pos.eq(self.pos & ~ends), self.neg.eq(self.neg & ~ends)]
        return self.resets(m)


class _State(enum.Enum, shape=3):
    IDLE = 0
    START = 1
    WINDOW = 2
    SWITCH = 3
    CONVERT = 4
    FINISH = 5


class PwmSequencer(Resettable[PwmCoreConfig]):
    """Start, windows, conversion; then one cycle captures, and takes the next.

    A window lasts 128 times the pulse of an input of 1. Of four windows each is followed by a switch, in which the
    modulators take the signs of the next. Durations do not depend on data.

    Members
    -------
    full : In(1)
        A conversion waits.
    single, second : In(1)
        It has one window: of positive inputs and devices, or if ``second`` of negative ones.
    take : Out(1)
        It starts: the counters go to 0 in the next cycle.
    free : In(1)
        The result before was read.
    finish : Out(1)
        The counters are captured in this cycle.
    running, analog : Out(1)
        A conversion is in progress; an operation is issued at the pins.
    hold : In(1)
        Freezes everything.
    begins, positive, negative, step, index : Out
        To :class:`mho.hw.kinds.pwm.loader.PulseModulator`.
    start, window, device_pos, device_neg, capture : Out(1)
        To the macro.
    """

    full = In(1)
    single = In(1)
    second = In(1)
    free = In(1)
    hold = In(1)
    take = Out(1)
    finish = Out(1)
    running = Out(1)
    analog = Out(1)
    begins = Out(1)
    positive = Out(1)
    negative = Out(1)
    step = Out(1)
    start = Out(1)
    window = Out(1)
    device_pos = Out(1)
    device_neg = Out(1)
    capture = Out(1)
    index = Out(MAGNITUDE_BITS)

    def elaborate(self, platform: object) -> Any:
        m = Module()
        cfg = self.cfg
        state = Signal(_State)
        timer = Signal(16)
        phase = Signal(2)
        last = Signal()
        next_phase = Signal(2)
        begins = Signal()
        ends = Signal()
        waits = Signal()
        m.d.comb += [
            last.eq((timer == 0) & ~self.hold), self.running.eq(state != _State.IDLE),
            waits.eq((state == _State.CONVERT) & (timer == 0) & ~self.free),
            self.analog.eq(self.running & (state != _State.FINISH) & ~waits),
            self.finish.eq(state == _State.FINISH), ends.eq((state == _State.CONVERT) & last & self.free),
            self.take.eq(self.full & ((state == _State.IDLE) | self.finish)), self.begins.eq(begins),
            next_phase.eq(Mux(state == _State.START, self.single & self.second, phase + 1)),
        ]
        m.d.sync += [self.start.eq(self.take), self.capture.eq(ends)]
        with m.If((timer != 0) & ~self.hold):
            m.d.sync += timer.eq(timer - 1)

        durations = {"LSB": cfg.lsb_cycles, "START": cfg.start_cycles, "CONVERT": cfg.convert_cycles}
        if cfg.phases > 1:
            durations["SWITCH"] = cfg.switch_cycles
        cycles = {name: named(m, f"{name}_CYCLES", value, len(timer)) for name, value in durations.items()}

        def lasts(name: str) -> Any:
            return timer.eq((cycles[name] - 1)[: len(timer)])

        def enter(where: _State, name: str) -> list[Any]:
            return [state.eq(where), lasts(name)]

        convert = [*enter(_State.CONVERT, "CONVERT"), self.device_pos.eq(0), self.device_neg.eq(0)]
        after = enter(_State.SWITCH, "SWITCH") if cfg.phases > 1 else convert
        with m.Switch(state):
            with m.Case(_State.START):
                with m.If(last):
                    m.d.comb += begins.eq(1)
            with m.Case(_State.WINDOW):
                with m.If(last):
                    m.d.comb += self.step.eq(1)
                    m.d.sync += [self.index.eq(self.index + 1), lasts("LSB")]
                    with m.If(self.index == 0):
                        m.d.sync += [self.window.eq(0), *after]
            with m.Case(_State.SWITCH):
                with m.If(last & ((phase == 3) | self.single)):
                    m.d.sync += convert
                with m.Elif(last):
                    m.d.comb += begins.eq(1)
            with m.Case(_State.CONVERT):
                with m.If(ends):
                    m.d.sync += state.eq(_State.FINISH)
            with m.Case(_State.FINISH):
                m.d.sync += state.eq(_State.IDLE)
        with m.If(begins):
            m.d.sync += [*enter(_State.WINDOW, "LSB"), self.window.eq(1), phase.eq(next_phase),
                         self.index.eq(1)]
            self._select(m, next_phase)
        with m.If(self.take):
            m.d.sync += [*enter(_State.START, "START"), phase.eq(0)]
        return self.resets(m)

    def _select(self, m: Module, phase: Value) -> None:
        """Signs of a window: of the inputs whose pulses begin, and of the devices that they drive."""
        if self.cfg.phases == 1:
            m.d.comb += [self.positive.eq(1), self.negative.eq(1)]
            m.d.sync += [self.device_pos.eq(1), self.device_neg.eq(1)]
            return
        inputs, devices = phase[0], phase[0] ^ phase[1]
        m.d.comb += [self.positive.eq(~inputs), self.negative.eq(inputs)]
        m.d.sync += [self.device_pos.eq(~devices), self.device_neg.eq(devices)]
