"""Write-verify in a core: the array belongs to products or to it, and its pins to whom the enabling pin allows."""

from typing import Any

from amaranth.hdl import Cat, ClockSignal, Const, Instance, Module, Signal, Value
from amaranth.lib import wiring

from mho.hw.core.port import VectorMembers, join
from mho.hw.core.write_verify.config import WriteVerifyConfig, write_pins
from mho.hw.core.write_verify.engine import WriteVerify
from mho.hw.ports import Component, In, Out


class ProgrammingPermission(Component):
    """Takes the pin that enables programming into the core, and keeps in mind that it fell.

    In Verilog its two flip-flops are cleared by the pin without a clock, so that a dip of any width counts; they are
    set by the second clock edge at which the pin is 1 and nothing programs. Amaranth's simulator, in which a pin
    changes at a clock edge, has them cleared at the next edge: together with the pin itself that is the same.
    """

    enable = In(1)
    """The pin, in no clock's domain."""
    busy = In(1)
    """Something programs, or waits to go on with it."""
    granted = Out(1)
    """Programming is allowed. Falls with ``enable``, without a clock."""

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
    """

    enable = In(1)
    """1: the macro sees the engine. Changes only while the engine is idle, or to stop it at once."""
    engine = In(lambda self: write_pins(self.cfg))
    """What the engine drives."""
    macro = Out(lambda self: write_pins(self.cfg))
    """What the macro sees."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for name, member in self.macro.signature.members.items():
            outer, inner = getattr(self.macro, name), getattr(self.engine, name)
            if member.flow is wiring.In:
                m.d.comb += inner.eq(outer)
            else:
                m.d.comb += outer.eq(inner & self.enable.replicate(len(Value.cast(inner))))
        return m


class WritesCells(VectorMembers):
    """Part of a core whose vector port has a :class:`WritePort`, if ``write`` is not None.

    A run begins when the operation in progress has ended, and an operation begins when no run is on or waits.
    """

    write: WriteVerifyConfig | None
    macro: Any
    programming_enable: Value

    def add_write_verify(
        self, m: Module, *, running: Value, hold: Value, verify_valid: Value | None, free: Value | int = 1
    ) -> Value:
        """Add write-verify; whether the array belongs to it, or will when the operation in progress has ended.

        Parameters
        ----------
        running
            An operation is at the pins.
        hold, verify_valid
            What the core sees of these pins.
        free
            Nobody else has the array.
        """
        if self.write is None or verify_valid is None:
            return Const(0)
        m.submodules.write_verify = engine = WriteVerify(self.write)
        # A start that waits for the array.
        waits = Signal()
        writing = Signal()
        wiring.connect(m, outside=wiring.flipped(self.target), engine=engine.i)
        wiring.connect(m, engine=engine.o, outside=wiring.flipped(self.cell))
        m.d.comb += [
            engine.p.eq(self.parameters), engine.stop.eq(self.write_stop),
            engine.start.eq(waits & ~running & free),
            engine.map_addr.eq(self.map_addr), self.map_data.eq(engine.map_data), engine.hold.eq(hold),
            writing.eq(waits | engine.status.busy),
            *(getattr(engine, name).eq(self.trim[name]) for name in self.write.duration_bits),
        ]
        with m.If(engine.start):
            m.d.sync += waits.eq(0)
        with m.Elif(self.write_start & ~engine.status.busy):
            m.d.sync += waits.eq(1)
        for name in engine.status.signature.members:
            value = writing if name == "busy" else getattr(engine.status, name)
            m.d.comb += getattr(self.write_status, name).eq(value)
        self._isolate(m, engine, verify_valid)
        return writing

    def _isolate(self, m: Module, engine: Any, verify_valid: Value) -> None:
        """Connect the engine with the macro where the pin allows it, and the engine, four cycles later, knows of it."""
        m.submodules.permission = permission = ProgrammingPermission()
        m.submodules.isolation = isolation = ProgrammingIsolation(engine.cfg)
        seen = Signal(2)
        m.d.sync += seen.eq(Cat(permission.granted, seen[0]))
        busy = self._connect_engine(m, engine, isolation, seen[1])
        m.d.comb += [
            permission.enable.eq(self.programming_enable), permission.busy.eq(busy),
            engine.enabled.eq(seen[1]), isolation.enable.eq(self.programming_enable & permission.granted),
        ]
        self._allows = isolation.enable
        join(m, isolation.macro.signature, isolation.macro, self.macro, but=("verify_valid",))
        m.d.comb += isolation.macro.verify_valid.eq(verify_valid)

    def _connect_engine(self, m: Module, engine: Any, isolation: Any, granted: Value) -> Value:
        """Connect the engine with what isolates it; whether the pins of programming are in use."""
        wiring.connect(m, engine=engine.macro, isolation=isolation.engine)
        return engine.status.busy
