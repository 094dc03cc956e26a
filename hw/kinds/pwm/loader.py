"""Loads the next operation while the last one runs: its descriptor and the widths of its pulses; and makes these."""

from functools import reduce
from operator import and_, or_
from typing import Any

import numpy as np
from amaranth.hdl import Cat, Module, Mux, Signal, Value
from numpy.typing import ArrayLike, NDArray

from mho.hw.block import Resettable
from mho.hw.core.digital.loader import CodeLoader
from mho.hw.core.layout import INPUT_WIDTH, OpLayout
from mho.hw.kinds.pwm.config import PwmCoreConfig
from mho.hw.kinds.pwm.engine.layout import COMMAND_MODE, Bank, Command
from mho.hw.ports import Component, In, Out, array
from mho.macro_models.integer.operation import MAX_BITS
from mho.macro_models.integer.pwm.operation import MAGNITUDE_BITS, PwmOperation

PULSE_BITS = MAGNITUDE_BITS + 1
"""Bits of a pulse: its width, and whether the input is negative."""


def pulse_planes(op: PwmOperation, x: ArrayLike) -> NDArray[np.bool_]:
    """Reference of the planes of :class:`PulseLoader`, shape (8, lines): bits of the widths, then signs."""
    code = np.asarray(x).astype(np.int64)
    negative = (code < 0) if op.in_signed else np.zeros(len(code), dtype=np.bool_)
    width = np.abs(code) << op.shift & 2**MAGNITUDE_BITS - 1
    return np.concatenate([(width >> np.arange(MAGNITUDE_BITS)[:, None] & 1).astype(np.bool_), negative[None]])


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
            self.legal.eq(
                (planes != 0) & (planes <= MAGNITUDE_BITS) & (op.out_bits != 0) & (op.out_bits <= MAX_BITS)
                & (op.step_code != 0) & mode & ~op.backward & ~op.binary
            ),
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
        """What decides whether a descriptor is legal."""
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


def pulse_widths(op: PwmOperation, x: ArrayLike, sign: int) -> NDArray[np.int64]:
    """Widths of the pulses of inputs of one sign, 1 or -1, in units of an input of 1 of 127: of the shape of ``x``.

    Reference of :class:`PulseModulator`.
    """
    code = np.asarray(x).astype(np.int64)
    return np.where(np.sign(code) == sign, np.abs(code) << op.shift, 0)


class PulseModulator(Resettable[PwmCoreConfig]):
    """Drives a pulse a row, all beginning together.

    ``load``, ``begins`` and ``step`` take effect at the next clock edge.
    """

    load = In(1)
    planes = array(In(lambda self: self.cfg.lines), PULSE_BITS)
    """Take over pulses, see :func:`mho.hw.kinds.pwm.loader.pulse_planes`."""
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
