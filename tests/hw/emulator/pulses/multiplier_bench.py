"""A part that is lent a multiplier, with one of its own."""

from typing import Any

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from mho.hw.emulator.pulses.law import WideMultiplier

__all__ = ["WithMultiplier"]

_LENT = ("a", "b", "product")


class WithMultiplier(wiring.Component):
    """The members of ``inner`` but for those of the multiplier."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        super().__init__({name: member for name, member in inner.signature.members.items() if name not in _LENT})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.inner = inner = self.inner
        multiplier: Any = WideMultiplier()
        m.submodules.multiplier = multiplier
        for name, member in self.signature.members.items():
            ours, inner_port = getattr(self, name), getattr(inner, name)
            m.d.comb += inner_port.eq(ours) if member.flow is In else ours.eq(inner_port)
        m.d.comb += [multiplier.a.eq(inner.a), multiplier.b.eq(inner.b), inner.product.eq(multiplier.product)]
        return m
