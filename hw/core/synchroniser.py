"""Two flip-flops for inputs of the analog world, where a chip description asks for them."""

from typing import Any

from amaranth.hdl import Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from mho.hw.block import Resettable
from mho.hw.config import SYNCHRONISER_CYCLES
from mho.hw.core.config import CoreConfig

__all__ = ["PinSynchroniser"]


class PinSynchroniser(Resettable):
    """Takes pins of the macro into the clock's domain: each bit through two flip-flops with nothing between them.

    It is a module of flip-flops alone, so that a library's synchronisers can take its place. The latency is
    :data:`mho.hw.config.SYNCHRONISER_CYCLES`.

    Parameters
    ----------
    cfg, verify
        Configuration of the core, which names the pins; the macro has those of programming.

    Members
    -------
    pins : Out(Signature)
        The pins, by name, as the macro drives them: all In.
    <pin> : Out(width)
        The pin, two cycles later.
    """

    pins: Any

    def __init__(self, cfg: CoreConfig, *, verify: bool) -> None:
        self.cfg, self.verify = cfg, verify
        all_pins = {"cmp": cfg.lines, "hold": 1} | ({"verify_valid": 1} if verify else {})
        self.widths = widths = {name: width for name, width in all_pins.items() if name in cfg.synchronise}
        pins = wiring.Signature({name: In(width) for name, width in widths.items()})
        super().__init__({"pins": Out(pins), **{name: Out(width) for name, width in widths.items()}})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for name, width in self.widths.items():
            value: Value = getattr(self.pins, name)
            for stage in range(SYNCHRONISER_CYCLES - 1):
                taken = Signal(width, name=f"{name}_stage_{stage + 1}")
                m.d.sync += taken.eq(value)
                value = taken
            m.d.sync += getattr(self, name).eq(value)
        return self.resets(m)
