"""Whether programming is allowed: once forbidden, however shortly, it stays so until what programs has ended."""

from typing import Any

from amaranth.hdl import Cat, ClockSignal, Instance, Module, Signal, Value
from amaranth.lib import wiring

from mho.hw.core.write_verify.config import WriteVerifyConfig, write_pins
from mho.hw.ports import Component, In, Out


class ProgrammingPermission(Component):
    """Takes the pin that enables programming into the core, and keeps in mind that it fell.

    In Verilog its two flip-flops are cleared by the pin without a clock, so that a dip of any width counts; they are
    set by the second clock edge at which the pin is 1 and nothing programs. Amaranth's simulator, in which a pin
    changes at a clock edge, has them cleared at the next edge: together with the pin itself that is the same.

    Members
    -------
    enable : In(1)
        The pin, in no clock's domain.
    busy : In(1)
        Something programs, or waits to go on with it.
    granted : Out(1)
        Programming is allowed. Falls with ``enable``, without a clock.
    """

    enable = In(1)
    busy = In(1)
    granted = Out(1)

    def elaborate(self, platform: Any) -> Module | Instance:
        if hasattr(platform, "module_name"):
            return Instance(
                platform.module_name(self), i_clk=ClockSignal(), i_enable=self.enable, i_busy=self.busy,
                o_granted=self.granted,
            )
        m = Module()
        held = Signal(2, reset_less=True)  # as in Verilog, only the pin clears them
        with m.If(self.enable):
            m.d.sync += held.eq(Cat(held[0] | ~self.busy, held[0]))
        with m.Else():
            m.d.sync += held.eq(0)
        m.d.comb += self.granted.eq(held[1])
        return m


class ProgrammingIsolation(Component[WriteVerifyConfig]):
    """Ands what drives the programming side of a macro with ``enable``; the way back is open.

    While ``enable`` is 0 each output is 0, also where what drives it is unknown: before a clock, before a reset.
    It is a module of gates alone, so that isolation cells of another supply can take its place.

    Parameters
    ----------
    cfg
        Configuration of write-verify.

    Members
    -------
    enable : In(1)
        1: the macro sees the engine. Changes only while the engine is idle, or to stop it at once.
    engine : In(write_pins(cfg))
        What the engine drives.
    macro : Out(write_pins(cfg))
        What the macro sees.
    """

    enable = In(1)
    engine = In(lambda self: write_pins(self.cfg))
    macro = Out(lambda self: write_pins(self.cfg))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for name, member in self.macro.signature.members.items():
            outer, inner = getattr(self.macro, name), getattr(self.engine, name)
            if member.flow is wiring.In:
                m.d.comb += inner.eq(outer)
            else:
                m.d.comb += outer.eq(inner & self.enable.replicate(len(Value.cast(inner))))
        return m
