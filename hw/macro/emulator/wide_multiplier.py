"""A multiplier of 32 bits, for one product after the other."""

from amaranth.hdl import Module, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["OPERAND_BITS", "WideMultiplier"]

OPERAND_BITS = 33
"""Bits of a factor with its sign."""


class WideMultiplier(wiring.Component):
    """``product`` is that of ``a`` and ``b`` two cycles before; a product can begin in each cycle.

    Members
    -------
    a, b : In(signed(33))
        Factors.
    product : Out(signed(66))
        See above.
    """

    a: Value
    b: Value
    product: Signal

    def __init__(self) -> None:
        factor = signed(OPERAND_BITS)
        super().__init__({"a": In(factor), "b": In(factor), "product": Out(signed(2 * OPERAND_BITS))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        a, b = Signal(signed(OPERAND_BITS), reset_less=True), Signal(signed(OPERAND_BITS), reset_less=True)
        m.d.sync += [a.eq(self.a), b.eq(self.b), self.product.eq(a * b)]
        return m
