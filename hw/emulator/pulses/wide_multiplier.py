"""A multiplier of 32 bits, for one product after the other."""

from amaranth.hdl import Const, Module, Signal, signed

from mho.hw.block import Resettable
from mho.hw.ports import In, Out

OPERAND_BITS = 33
"""Bits of a factor with its sign."""

_PART_BITS = 11
"""Bits of a factor that are multiplied in one stage: what an ECP5 does in 20 ns without its multipliers."""


class WideMultiplier(Resettable):
    """``product`` is that of ``a`` and ``b`` three cycles before; a product can begin in each cycle.

    Members
    -------
    a, b : In(signed(33))
        Factors.
    product : Out(signed(66))
        See above.
    """

    a = In(lambda self: signed(OPERAND_BITS))
    b = In(lambda self: signed(OPERAND_BITS))
    product = Out(signed(2 * OPERAND_BITS))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        a, b = Signal(signed(OPERAND_BITS), reset_less=True), Signal(signed(OPERAND_BITS), reset_less=True)
        m.d.sync += [a.eq(self.a), b.eq(self.b)]
        total = Const(0)
        for low in range(0, OPERAND_BITS, _PART_BITS):
            part = b[low : low + _PART_BITS]
            factor = part.as_signed() if low + _PART_BITS == OPERAND_BITS else part
            product = Signal(signed(OPERAND_BITS + _PART_BITS + 1), name=f"product_{low}", reset_less=True)
            m.d.sync += product.eq(a * factor)
            total = total + (product << low)
        m.d.sync += self.product.eq(total)
        return self.resets(m)
