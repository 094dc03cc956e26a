"""Two flip-flops for inputs of the analog world, where a chip description asks for them."""

from collections.abc import Mapping
from typing import Any

from amaranth.hdl import Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from mho.hw.block import Resettable
from mho.hw.config import SYNCHRONISER_CYCLES


class Synchroniser(Resettable):
    """Takes pins of the macro into the clock's domain: each bit through two flip-flops with nothing between them.

    It is a module of flip-flops alone, so that a library's synchronisers can take its place. The latency is
    :data:`mho.hw.config.SYNCHRONISER_CYCLES`.

    Parameters
    ----------
    widths
        Bits of the pins, by name.

    Members
    -------
    pins : Out(Signature)
        The pins, by name, as the macro drives them: all In.
    <pin> : Out(width)
        The pin, two cycles later.
    """

    pins: Any

    def __init__(self, widths: Mapping[str, int]) -> None:
        self.widths = widths
        pins = wiring.Signature({name: In(width) for name, width in widths.items()})
        super().__init__(members={"pins": Out(pins), **{name: Out(width) for name, width in widths.items()}})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for name, width in self.widths.items():
            value: Value = getattr(self.pins, name)
            for stage in range(SYNCHRONISER_CYCLES - 1):
                sampled = Signal(width, name=f"{name}_stage_{stage + 1}")
                m.d.sync += sampled.eq(value)
                value = sampled
            m.d.sync += getattr(self, name).eq(value)
        return self.resets(m)
