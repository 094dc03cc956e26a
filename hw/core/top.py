"""A core with its macro: the unwrapped top."""

from typing import Any

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import connect, flipped

from mho.hw.core.port import join
from mho.hw.macro.adapter import MacroAdapter

__all__ = ["CoreTop"]


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
        self.blocks = blocks
        self.port = blocks.port
        super().__init__({**self.port.members, **blocks.beside})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.digital = digital = self.blocks.digital()
        m.submodules.macro = macro = MacroAdapter(self.blocks.pins)
        connect(m, core=digital.macro, macro=macro.pins)
        join(m, self.signature, digital, flipped(self))
        return m
