"""Loads the next operation while the last one runs, whether it is legal, and its lines at the pins, plane by plane."""

from typing import Any

import numpy as np
from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data
from numpy.typing import ArrayLike, NDArray

from mho.hw.block import Resettable
from mho.hw.core.digital.loader import CodeLoader, code_planes
from mho.hw.core.layout import OpLayout
from mho.hw.kinds.tnsa.config import LIMITS, TnsaCoreConfig
from mho.hw.ports import Component, In, Out, array
from mho.macro_models.integer.operation import LSB_SEGMENT_BITS, MAX_BITS, Direction, Masks
from mho.macro_models.integer.tnsa.operation import TnsaOperation


class OpCheck(Component):
    """Decides whether a descriptor is legal, by the rules of :class:`MvmOperation`, and derives what depends on it.

    Combinational.

    Parameters
    ----------
    limited
        There are limits of the widths, below those of all cores.
    """

    op = In(OpLayout())
    """The descriptor."""
    legal = Out(1)
    """Whether an :class:`MvmOperation` with these values exists."""
    planes = Out(4)
    """Magnitude planes of the input, 1..8 if legal."""
    two = Out(1)
    """The operation runs as two conversions."""
    most_in_bits = In(4, when=lambda self: self.limited)
    most_out_bits = In(4, when=lambda self: self.limited)
    """The limits, if there are any, 1..8."""

    def __init__(self, *, limited: bool = False) -> None:
        self.limited = limited
        super().__init__()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        op = self.op
        bipolar = op.in_signed & (op.in_bits == 1)
        most_in, most_out = (self.most_in_bits, self.most_out_bits) if self.limited else (MAX_BITS, MAX_BITS)
        m.d.comb += [
            self.planes.eq(op.in_bits - (op.in_signed & ~bipolar)),
            self.two.eq(self.planes > LSB_SEGMENT_BITS),
            self.legal.eq(
                (op.in_bits != 0) & (op.in_bits <= most_in)
                & (op.out_bits != 0) & (op.out_bits <= most_out)
                & (op.step_code != 0) & (op.mode == 0) & ~(op.relu & self.two)
            ),
        ]
        return m


class StagedLayout(data.StructLayout):
    """An operation that waits to start: its descriptor and what was derived from it."""

    def __init__(self) -> None:
        super().__init__({"op": OpLayout(), "planes": 4, "two": 1})


def staged_planes(op: TnsaOperation, x: ArrayLike) -> NDArray[np.bool_]:
    """Reference of the planes of :class:`OperationLoader`, shape (8, lines); bits above ``op.planes`` are theirs too.

    ``x`` is one vector: (lines // 2,) codes forward, (lines,) backward.
    """
    planes = code_planes(op, x)
    return planes if op.direction is Direction.BACKWARD else planes.repeat(2, axis=1)


class OperationLoader(CodeLoader[TnsaCoreConfig]):
    """Takes one descriptor, then its input codes, and holds them until the sequencer takes them.

    Codes become sign and magnitude. They are held one bit of the magnitude a plane, because the lines are driven plane
    by plane; forward, both bit lines of a pair hold the code. Plane 7 is the sign of signed codes, which have at most
    seven planes, or bit 7 of unsigned ones. Codes out of the range of the operation lose the bits above its planes.
    ``take`` is the start of the last conversion of an operation.

    Members
    -------
    <the members of :class:`CodeLoader`>
        ``staged`` is a :class:`StagedLayout`, ``planes`` are those of all lines, see :func:`staged_planes`.
    """

    staged = Out(StagedLayout())
    planes = array(Out(lambda self: self.cfg.lines), MAX_BITS)

    most_in_bits = In(4, when=lambda self: self.cfg.trim)
    most_out_bits = In(4, when=lambda self: self.cfg.trim)
    """With ``cfg.trim``: see :class:`mho.hw.kinds.tnsa.inputs.OpCheck`."""

    @property
    def descriptor(self) -> Any:
        return self.staged.op

    def op_check(self, m: Module) -> OpCheck:
        check = OpCheck(limited=self.cfg.trim)
        if self.cfg.trim:
            m.d.comb += [getattr(check, name).eq(getattr(self, name)) for name in LIMITS]
        return check

    def derive(self, m: Module, check: Any) -> list[Any]:
        """How many planes and conversions it has."""
        return [self.staged.planes.eq(check.planes), self.staged.two.eq(check.two)]

    def last(self, word: Value) -> Value:
        """Whether a word is the last of a vector, of which one that goes forward has half as many."""
        words, backward = self.cfg.input_words(), self.staged.op.backward
        if words == 1 << len(word):
            return word[:-1].all() & (word[-1] | ~backward)
        return word == Mux(backward, words - 1, words // 2 - 1)

    def store(self, m: Module, word: Signal, codes: list[Value]) -> None:
        """Write the four codes of a word to eight lines (forward) or to one half of them (backward)."""
        op = self.staged.op
        group = Signal(range(self.cfg.lines // 8))
        lower = Signal()
        upper = Signal()
        m.d.comb += [
            group.eq(Mux(op.backward, word[1:], word[:-1])),
            lower.eq(~op.backward | ~word[0]), upper.eq(~op.backward | word[0]),
        ]
        lines = []
        for k, bits in enumerate(codes):
            line = Signal(8, name=f"lines_{k}")
            m.d.comb += line.eq(Mux(op.backward, Cat(bits, bits), Cat(bit.replicate(2) for bit in bits)))
            lines.append(line)
        # One switch for all planes, and not a part-select in each, simulates faster.
        with m.Switch(group):
            for k in range(self.cfg.lines // 8):
                with m.Case(k):
                    for half, enable in ((slice(0, 4), lower), (slice(4, 8), upper)):
                        with m.If(enable):
                            m.d.sync += [
                                plane[8 * k : 8 * k + 8][half].eq(line[half])
                                for plane, line in zip(self._stored, lines, strict=True)
                            ]


def line_levels(op: TnsaOperation, masks: Masks, x: ArrayLike) -> NDArray[np.int8]:
    """Levels of the driven lines, +1, 0 or -1, for each plane from the most significant: shape (op.planes, lines).

    Reference of :class:`LineRegisters`. ``x`` is one vector: (lines // 2,) codes forward, (lines,) backward.
    """
    planes = staged_planes(op, x)
    sign = np.where(planes[-1] if op.in_signed else False, -1, 1) * np.ones(planes.shape[1], dtype=np.int64)
    if op.direction is Direction.FORWARD:
        sign[1::2] *= -1
    levels = planes[: op.planes] * sign * masks.driven(op)
    return levels[::-1].astype(np.int8)


class LineRegisters(Resettable[TnsaCoreConfig]):
    """Holds the planes of the conversion that runs, and drives one of them.

    ``load``, ``drive`` and ``clear`` take effect at the next clock edge. The registers are 0 outside sampling, so that
    no line is driven while the converter works.
    """

    load = In(1)
    """Take over a conversion: ``backward``, ``in_signed``, ``planes`` (see :class:`OperationLoader`), ``driven``."""
    upper = In(1)
    """With ``load``: its planes are 4 to 7, those of an MSB segment, and not 0 to 3."""
    backward = In(1)
    in_signed = In(1)
    planes = array(In(lambda self: self.cfg.lines), MAX_BITS)
    driven = In(lambda self: self.cfg.lines)

    drive = In(1)
    """Put a plane on the lines."""
    select = In(2)
    """Which of the four."""
    clear = In(1)
    """Release the lines."""
    bl_pos = Out(lambda self: self.cfg.lines)
    bl_neg = Out(lambda self: self.cfg.lines)
    sl_pos = Out(lambda self: self.cfg.lines)
    sl_neg = Out(lambda self: self.cfg.lines)
    """To the pins: a flip-flop behind gates, whose other sides change only with ``load``, while all lines are 0."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        lines = self.cfg.lines
        negate_odd = int("10" * (lines // 2), 2)

        # Written by every conversion before they are read: no reset.
        planes = [Signal(lines, name=f"plane_{k}", reset_less=True) for k in range(LSB_SEGMENT_BITS)]
        negative = Signal(lines, reset_less=True)
        backward = Signal()
        with m.If(self.load):
            m.d.sync += backward.eq(self.backward)
            low, high = self.planes[:LSB_SEGMENT_BITS], self.planes[LSB_SEGMENT_BITS:]
            for plane, *segments in zip(planes, low, high, strict=True):
                m.d.sync += plane.eq(Mux(self.upper, segments[1], segments[0]) & self.driven)
            sign = Mux(self.in_signed, self.planes[-1], 0)
            m.d.sync += negative.eq(sign ^ Mux(self.backward, 0, negate_odd))

        level = Signal(lines)
        with m.If(self.drive):
            with m.Switch(self.select):
                for k, plane in enumerate(planes):
                    with m.Case(k):
                        m.d.sync += level.eq(plane)
        with m.Elif(self.clear):
            m.d.sync += level.eq(0)
        for driven, pos, neg in ((~backward, self.bl_pos, self.bl_neg), (backward, self.sl_pos, self.sl_neg)):
            with m.If(driven):
                m.d.comb += [pos.eq(level & ~negative), neg.eq(level & negative)]
        return self.resets(m)
