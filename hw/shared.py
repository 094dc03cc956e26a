"""Many equal parts of a design as instances of one module."""

from collections.abc import Callable
from typing import Any

from amaranth.hdl import ClockSignal, Instance, Module, ResetSignal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import Out, connect, flipped

__all__ = ["Shared"]


class Shared(wiring.Component):
    """One of many equal components: elaborated for each in simulation, generated once as Verilog.

    A platform for Verilog has a method ``share(name, make)``, which makes the first component of a name and returns its
    path. What differs between the parts, such as a position, must come in through their ports, and none may sit under a
    ``ResetInserter``, which does not see through the instance.

    Parameters
    ----------
    make
        Makes the component.
    members
        Its ports, and those of this one.
    name
        Name of the module, without the prefix.
    """

    def __init__(self, make: Callable[[], wiring.Component], members: dict[str, wiring.Member], name: str) -> None:
        self._make, self._name = make, name
        super().__init__(members)

    def elaborate(self, platform: Any) -> Module | Instance:
        if not hasattr(platform, "share"):
            return self._whole()
        path = platform.share(self._name, self._make)
        ports = {
            f"{'o' if member.flow is Out else 'i'}_{'__'.join(map(str, where))}": Value.cast(value)
            for where, member, value in self.signature.flatten(self)
        }
        return Instance(path, i_clk=ClockSignal(), i_rst=ResetSignal(), **ports)

    def _whole(self) -> Module:
        m = Module()
        component: Any = self._make()
        m.submodules[self._name] = component
        for name, member in self.signature.members.items():
            inner, outer = getattr(component, name), getattr(self, name)
            if member.is_signature:
                connect(m, inner, flipped(outer))
            else:
                m.d.comb += outer.eq(inner) if member.flow is Out else inner.eq(outer)
        return m
