"""A core with its macro: the unwrapped top."""

from typing import Any

from amaranth.hdl import ClockSignal, Instance, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, connect, flipped

from mho.hw.core.port import join
from mho.hw.macro.contract import ContractPins


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


class CoreTop(wiring.Component):
    """A core and its macro, at vector level.

    Parameters
    ----------
    blocks
        What the core is generated from: :class:`mho.hw.host.core.blocks.CoreBlocks`.

    Members
    -------
    <the members of the vector port and of ``blocks.beside``>
        As they are.
    """

    verilog_name = "core"

    def __init__(self, blocks: Any) -> None:
        self._made_from = blocks
        self.blocks = blocks.hardware  # what its module is called by: not the registers of a host
        self.port = blocks.port
        super().__init__({**self.port.members, **blocks.beside})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.digital = digital = self._made_from.digital()
        m.submodules.macro = macro = MacroAdapter(self._made_from.pins)
        connect(m, core=digital.macro, macro=macro.pins)
        join(m, self.signature, digital, flipped(self))
        return m
