"""Where the digital core meets the macro: an instance of the one module that knows the macro's names."""

from amaranth.hdl import ClockSignal, Instance
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from hw.macro.pins import TnsaPins

__all__ = ["MacroAdapter"]


class MacroAdapter(wiring.Component):
    """Instance of the macro's adapter module.

    The module's ports are the members of :class:`TnsaPins` by their names, and ``clk``. Amaranth's simulator knows no
    instance: there, bind a process to the pins of the core instead.

    Parameters
    ----------
    lines
        Lines of the array each way.
    module
        Name of the adapter's module.

    Members
    -------
    pins : In(TnsaPins(lines))
        The macro, as it sees the digital core.
    """

    pins: wiring.PureInterface

    def __init__(self, lines: int, module: str) -> None:
        self.module = module
        super().__init__({"pins": In(TnsaPins(lines))})

    def elaborate(self, platform: object) -> Instance:
        # The component's ``In`` turns the pins round: what the core drives is an input here.
        ports = {
            f"{'i' if member.flow is wiring.Out else 'o'}_{name}": getattr(self.pins, name)
            for name, member in self.pins.signature.flip().members.items()
        }
        return Instance(self.module, i_clk=ClockSignal(), **ports)
