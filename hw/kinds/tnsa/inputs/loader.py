"""Loads the next operation while the last one runs: its descriptor, its input codes, its masks."""

from typing import Any

import numpy as np
from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data
from numpy.typing import ArrayLike, NDArray

from mho.hw.core.digital.loader import CodeLoader, code_planes
from mho.hw.core.layout import OpLayout
from mho.hw.kinds.tnsa.config import LIMITS, TnsaCoreConfig
from mho.hw.ports import Component, In, Out, array
from mho.macro_models.integer.operation import LSB_SEGMENT_BITS, MAX_BITS, Direction, MvmOperation


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


def staged_planes(op: MvmOperation, x: ArrayLike) -> NDArray[np.bool_]:
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
    most_in_bits, most_out_bits : In(4)
        With ``cfg.trim``: see :class:`mho.hw.kinds.tnsa.inputs.loader.OpCheck`.
    """

    staged = Out(StagedLayout())
    planes = array(Out(lambda self: self.cfg.lines), MAX_BITS)
    most_in_bits = In(4, when=lambda self: self.cfg.trim)
    most_out_bits = In(4, when=lambda self: self.cfg.trim)

    @property
    def descriptor(self) -> Any:
        """That of the operation that waits."""
        return self.staged.op

    def op_check(self, m: Module) -> OpCheck:
        """What decides whether a descriptor is legal."""
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
