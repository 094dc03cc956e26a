"""Where the digital core meets the macro: an instance of the one module that knows the macro's names."""

from amaranth.hdl import ClockSignal, Instance
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from hw.macro.macro_pins import MacroPins

__all__ = ["MacroAdapter"]


class MacroAdapter(wiring.Component):
    """Instance of the macro's adapter module.

    The module's ports are the members of :class:`MacroPins` by their names, and ``clk``. Amaranth's simulator knows no
    instance: there, bind a process to the pins of the core instead.

    Parameters
    ----------
    signature
        Pins of the macro.
    module
        Name of the adapter's module.

    Members
    -------
    pins : In(MacroPins)
        The macro, as it sees the digital core.
    """

    pins: wiring.PureInterface

    def __init__(self, signature: MacroPins, module: str) -> None:
        self.module = module
        super().__init__({"pins": In(signature)})

    def elaborate(self, platform: object) -> Instance:
        # The component's ``In`` turns the pins round: what the core drives is an input here.
        ports = {
            f"{'i' if member.flow is wiring.Out else 'o'}_{name}": getattr(self.pins, name)
            for name, member in self.pins.signature.flip().members.items()
        }
        return Instance(self.module, i_clk=ClockSignal(), **ports)
