"""Loads the next operation while the last one runs: its descriptor, and its codes as planes of sign and magnitude."""

from functools import reduce
from operator import and_
from typing import Any, TypeVar

import numpy as np
from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, unsigned
from amaranth.lib import stream
from numpy.typing import ArrayLike, NDArray

from mho.hw.block import Resettable
from mho.hw.core.layout import INPUT_WIDTH, INPUTS_PER_WORD, OpLayout, unreserved
from mho.hw.core.shape import CoreShape
from mho.hw.ports import Component, In, Out, array
from mho.macro_models.integer.operation import MAX_BITS, MvmOperation

_Shape = TypeVar("_Shape", bound=CoreShape)


def code_planes(op: MvmOperation, x: ArrayLike) -> NDArray[np.bool_]:
    """Reference of :func:`sign_magnitude` for a vector, shape (8, codes)."""
    code = np.asarray(x).astype(np.int64)
    magnitude = np.abs(code) if op.in_signed else code & 0xFF
    planes = (magnitude >> np.arange(MAX_BITS)[:, None] & 1).astype(np.bool_)
    if op.in_signed:
        planes[-1] = code < 0
    return planes


def sign_magnitude(m: Module, code: Value, in_signed: Value, k: int) -> Signal:
    """Bits 0..6 of the magnitude of the code number ``k`` of a word, then its sign, or bit 7 if it has none."""
    magnitude = Signal(8, name=f"magnitude_{k}")
    result = Signal(8, name=f"code_{k}")
    negative = in_signed & code[7]
    m.d.comb += [magnitude.eq(code), result.eq(Cat(magnitude[:7], Mux(in_signed, negative, magnitude[7])))]
    with m.If(negative):
        m.d.comb += magnitude.eq(-code)
    return result


class RowOpCheck(Component):
    """Decides whether a descriptor is legal for a core that drives rows alone, in one conversion. Combinational.

    Parameters
    ----------
    in_planes, out_bits
        The most magnitude planes of an input, and the most bits of an output.
    """

    op = In(OpLayout())
    """The descriptor."""
    legal = Out(1)
    """Whether there is such an operation."""
    planes = Out(4)
    """Magnitude planes of its inputs."""

    def __init__(self, in_planes: int = MAX_BITS, out_bits: int = MAX_BITS) -> None:
        self.in_planes, self.out_bits = in_planes, out_bits
        super().__init__()

    def mode_legal(self) -> Value:
        """Whether there is such a mode, and it may have the other fields."""
        return self.op.mode == 0

    def elaborate(self, platform: object) -> Module:
        m = Module()
        op = self.op
        # Of the widest there is nothing to compare.
        fits = op.out_bits <= self.out_bits if self.out_bits < 2 ** len(op.out_bits) - 1 else Const(1)
        m.d.comb += [
            self.planes.eq(op.in_bits - (op.in_signed & (op.in_bits != 1))),
            self.legal.eq(reduce(and_, (
                self.planes != 0, self.planes <= self.in_planes, op.out_bits != 0, fits, op.step_code != 0,
                self.mode_legal(), *unreserved(op, MvmOperation),
            ))),
        ]
        return m


class CodeLoader(Resettable[_Shape]):
    """Takes one descriptor, then its input codes, and holds them until the sequencer takes them.

    A descriptor is taken in one cycle, then a word of four codes a cycle; ``full`` follows the last word by a cycle. A
    kind says what else it derives from a descriptor (:meth:`derive`) and from a code (:meth:`code_bits`).

    Parameters
    ----------
    cfg
        Shape of the core: one code a row.
    """

    op = In(stream.Signature(OpLayout()))
    """Descriptors. An illegal one is dropped."""
    i = In(stream.Signature(unsigned(32)))
    """Four codes a word, lowest byte first; taken only after a descriptor."""
    masks_ready = In(1)
    """The masks can be looked up."""
    accept = Out(1)
    error = Out(1)
    """A legal descriptor is taken, an illegal one is dropped in this cycle."""
    full = Out(1)
    """An operation is complete and waits."""
    staged = Out(OpLayout())
    """That operation."""
    planes = array(Out(lambda self: self.cfg.loaded), MAX_BITS)
    """Bits of its codes."""
    take = In(1)
    """The operation starts: the next may be loaded. Only while ``full``."""
    busy = Out(1)
    """An operation is being loaded or waits."""

    @property
    def descriptor(self) -> Any:
        """That of the operation that waits."""
        return self.staged

    def op_check(self, m: Module) -> Any:
        """What decides whether a descriptor is legal."""
        return RowOpCheck(out_bits=getattr(self.cfg, "most_out_bits", MAX_BITS))

    def takes_codes(self, check: Any) -> Value:
        """Whether a descriptor takes input codes at all."""
        return Const(1)

    def derive(self, m: Module, check: Any) -> list[Any]:
        """What is kept with a descriptor that is taken."""
        return []

    def code_bits(self, m: Module, k: int) -> Signal:
        """Bits of the code number ``k`` of a word."""
        return sign_magnitude(m, self.i.payload.word_select(k, INPUT_WIDTH), self.descriptor.in_signed, k)

    def elaborate(self, platform: object) -> Any:
        m = Module()
        # Written by every operation before they are read: no reset.
        self._stored = [Signal(len(port), name=f"plane_{k}", reset_less=True) for k, port in enumerate(self.planes)]
        m.d.comb += [port.eq(plane) for port, plane in zip(self.planes, self._stored, strict=True)]
        m.submodules.check = check = self.op_check(m)
        loading = Signal()
        transfer = self.op.valid & self.op.ready
        word = Signal(range(self._words))
        m.d.comb += [
            check.op.eq(self.op.payload), self.op.ready.eq(~loading & ~self.full & self.masks_ready),
            self.accept.eq(transfer & check.legal), self.error.eq(transfer & ~check.legal),
            self.i.ready.eq(loading), self.busy.eq(loading | self.full),
        ]
        codes = self.takes_codes(check)
        with m.If(self.accept):
            m.d.sync += [
                loading.eq(codes), self.full.eq(~codes), word.eq(0), self.descriptor.eq(self.op.payload),
                *self.derive(m, check),
            ]
        with m.If(self.i.valid & self.i.ready):
            codes = [self.code_bits(m, k) for k in range(INPUTS_PER_WORD)]
            self.store(m, word, [Cat(code[k] for code in codes) for k in range(MAX_BITS)])
            m.d.sync += word.eq(word + 1)
            with m.If(self.last(word)):
                m.d.sync += [loading.eq(0), self.full.eq(1)]
        with m.If(self.take):
            m.d.sync += self.full.eq(0)
        self.beside(m)
        return self.resets(m)

    @property
    def _words(self) -> int:
        """The most that an operation brings."""
        return max(self.cfg.input_words(), self.cfg.loaded // INPUTS_PER_WORD)

    def beside(self, m: Module) -> None:
        """What a kind works out while the words come."""

    def last(self, word: Value) -> Value:
        """Whether a word is the last one of an operation."""
        return word == self.cfg.input_words() - 1

    def store(self, m: Module, word: Signal, codes: list[Value]) -> None:
        """Write the four codes of a word, a plane of them after the other."""
        lines = []
        for k, bits in enumerate(codes):
            line = Signal(INPUTS_PER_WORD, name=f"lines_{k}")
            m.d.comb += line.eq(bits)
            lines.append(line)
        # One switch for all planes, and not a part-select in each, simulates faster.
        with m.Switch(word):
            for k in range(self._words):
                with m.Case(k):
                    m.d.sync += [
                        plane[INPUTS_PER_WORD * k : INPUTS_PER_WORD * (k + 1)].eq(line)
                        for plane, line in zip(self._stored, lines, strict=True)
                    ]
