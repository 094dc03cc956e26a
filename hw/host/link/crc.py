"""CRC-32 of a stream of bytes, one bit a cycle."""


from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import stream

from mho.hw.ports import Component, In, Out

__all__ = ["POLYNOMIAL", "RESIDUE", "Crc32"]

POLYNOMIAL = 0xEDB88320
"""Of IEEE 802.3, bits reversed."""

RESIDUE = 0xDEBB20E3
"""What the register holds after a message and its own CRC, lowest byte first."""


class Crc32(Component):
    """CRC-32 (IEEE), whose reference is :func:`zlib.crc32`: a byte every 9 cycles.

    A byte on a serial line takes longer, and one bit a cycle is a third of the logic of a byte a cycle
    (:mod:`amaranth.lib.crc`).

    Members
    -------
    start : In(1)
        Begin a message; the byte that is being taken is dropped.
    i : In(stream of 8 bits)
        Its bytes.
    crc : Out(32)
        CRC of the bytes so far, while ``i.ready``.
    good : Out(1)
        The last four bytes were the CRC of those before, while ``i.ready``.
    """

    start = In(1)
    i = In(stream.Signature(8))
    crc = Out(32)
    good = Out(1)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        register = Signal(32, init=0xFFFFFFFF)
        left = Signal(range(9))
        m.d.comb += [self.i.ready.eq(left == 0), self.crc.eq(~register), self.good.eq(register == RESIDUE)]
        with m.If(self.start):
            m.d.sync += [register.eq(0xFFFFFFFF), left.eq(0)]
        with m.Elif(left != 0):
            feedback = Mux(register[0], Const(POLYNOMIAL, 32), 0)
            m.d.sync += [register.eq(Cat(register[1:], Const(0, 1)) ^ feedback), left.eq(left - 1)]
        with m.Elif(self.i.valid):
            m.d.sync += [register.eq(register ^ self.i.payload), left.eq(8)]
        return m
