"""Holds the result of an MVM and gives it out as a stream while the next one runs."""

import numpy as np
from amaranth.hdl import C, Cat, Module, Signal, Value, signed, unsigned
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out
from numpy.typing import ArrayLike, NDArray

from hw.block import Resettable
from hw.core.config import CoreConfig
from hw.core.counters import COUNT_BITS
from macro_models.exact.operation import LSB_SEGMENT_BITS

__all__ = ["CODE_WIDTH", "ResultBank", "pack_codes", "unpack_codes"]

CODE_WIDTH = 16
"""Bits of an output code."""


def pack_codes(codes: ArrayLike) -> list[int]:
    """Words of the output stream for the codes of one vector: two 16-bit codes a word, lowest first."""
    return np.asarray(codes).astype("<i2").view("<u4").tolist()


def unpack_codes(words: ArrayLike) -> NDArray[np.int16]:
    """Codes of shape (..., lines) from words of shape (..., lines // 2). Inverse of :func:`pack_codes`."""
    return np.ascontiguousarray(np.asarray(words, dtype="<u4")).view("<i2").astype(np.int16, copy=False)


class ResultBank(Resettable):
    """Takes a result over in one cycle and gives out two codes a word.

    A code is ``2n + 1`` half steps with its sign, or 0; two segments give ``16 * high + low``. The first word appears
    two cycles after ``finish``, then one every cycle; the bank is free again when the last word is in the output
    register, ``cfg.output_words`` cycles after ``finish`` at the earliest.

    Members
    -------
    finish : In(1)
        Take over the result of a conversion; only while ``free``.
    high, two : In(1)
        It is the MSB segment; the operation has two segments.
    negative, bits, live : In
        The result, see :class:`LineCounters`.
    free : Out(1)
        No result waits.
    busy : Out(1)
        A word waits or will.
    o : Out(stream.Signature(32))
        The words.
    """

    finish: Value
    high: Value
    two: Value
    negative: Value
    bits: list[Signal]
    live: Value
    free: Value
    busy: Value
    o: stream.Interface

    def __init__(self, cfg: CoreConfig) -> None:
        self.cfg = cfg
        lines = cfg.lines
        super().__init__({
            "finish": In(1), "high": In(1), "two": In(1),
            "negative": In(lines), "bits": In(lines).array(COUNT_BITS), "live": In(lines),
            "free": Out(1), "busy": Out(1), "o": Out(stream.Signature(unsigned(32))),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        lines = self.cfg.lines
        # Written before they are read: no reset. Vector k is bit k of all codes; two's complement of an odd number is
        # its complement but for bit 0, so that a sign costs a vector operation and no adder.
        low, high = (
            [Signal(lines, name=f"{name}_{k}", reset_less=True) for k in range(COUNT_BITS + 2)]
            for name in ("low", "high")
        )
        result = [self.live, *((bits ^ self.negative) & self.live for bits in self.bits), self.negative & self.live]
        two = Signal()
        full = Signal()
        word = Signal(range(self.cfg.output_words))
        m.d.comb += [self.free.eq(~full), self.busy.eq(full | self.o.valid)]

        with m.If(self.finish & self.high):
            m.d.sync += [bank.eq(vector) for bank, vector in zip(high, result, strict=True)]
        with m.Elif(self.finish):
            m.d.sync += [bank.eq(vector) for bank, vector in zip(low, result, strict=True)]
            m.d.sync += [two.eq(self.two), full.eq(1), word.eq(0)]

        codes = [self._code(m, low, high, two, Cat(C(line, 1), word), line) for line in range(2)]
        with m.If(~self.o.valid | self.o.ready):
            m.d.sync += self.o.valid.eq(full)
            with m.If(full):
                m.d.sync += [self.o.payload.eq(Cat(codes)), word.eq(word + 1)]
                with m.If(word.all()):
                    m.d.sync += full.eq(0)
        return self.resets(m)

    def _code(self, m: Module, low: list[Signal], high: list[Signal], two: Signal, line: Value, which: int) -> Value:
        """The code of a line."""
        low_code = Signal(signed(COUNT_BITS + 2), name=f"low_code_{which}")
        high_code = Signal.like(low_code, name=f"high_code_{which}")
        m.d.comb += low_code.eq(Cat(bits.bit_select(line, 1) for bits in low))
        with m.If(two):
            m.d.comb += high_code.eq(Cat(bits.bit_select(line, 1) for bits in high))
        code = Signal(signed(CODE_WIDTH), name=f"code_{which}")
        m.d.comb += code.eq((high_code << LSB_SEGMENT_BITS) + low_code)
        return code
