"""Where the digital core meets the macro: an instance of the one module that knows the macro's names."""

from typing import Any

from amaranth.hdl import ClockSignal, Instance
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from mho.hw.macro.contract import ContractPins

__all__ = ["MacroAdapter"]


class MacroAdapter(wiring.Component):
    """Instance of the macro's adapter module.

    The module's ports are the members of ``macro`` by their names, and ``clk``; the platform for Verilog names it.
    Amaranth's simulator knows no instance: there, bind a process to the pins of the core instead.

    Parameters
    ----------
    macro
        Pins of the macro.

    Members
    -------
    pins : In(macro)
        The macro, as it sees the digital core.
    """

    pins: wiring.PureInterface

    def __init__(self, macro: ContractPins) -> None:
        self.macro = macro
        super().__init__({"pins": In(macro)})

    def elaborate(self, platform: Any) -> Instance:
        # The component's ``In`` turns the pins round: what the core drives is an input here.
        ports = {
            f"{'i' if member.flow is wiring.Out else 'o'}_{name}": getattr(self.pins, name)
            for name, member in self.pins.signature.flip().members.items()
        }
        return Instance(platform.module_name(self), i_clk=ClockSignal(), **ports)
