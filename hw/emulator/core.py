"""A core with the emulated macro at its pins."""

from typing import Any

from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, connect, flipped

from mho.hw.core.port import VectorMembers, join
from mho.hw.emulator.config import EmulatorConfig
from mho.hw.emulator.layout import LoadLayout
from mho.hw.emulator.macro import EmulatedMacro
from mho.hw.emulator.pulses.records import peek_members


class EmulatedCore(wiring.Component, VectorMembers):
    """The core as it is on a chip, and an emulated macro where the chip has its own.

    Members
    -------
    <the members of the core's vector port>
        The vector port. A conversion without a table, too, sets ``status.error``.
    load, peek, peeked
        Those of the macro.
    """

    load: stream.Interface
    peek: Any
    peeked: Any

    def __init__(self, cfg: EmulatorConfig, macro_type: type[EmulatedMacro]) -> None:
        self.cfg, self.macro_type, self.port = cfg, macro_type, cfg.blocks.port
        self.core: Any = cfg.blocks.digital()
        self.macro = macro_type(cfg)
        super().__init__({**self.port.members, "load": In(stream.Signature(LoadLayout(cfg))), **peek_members(cfg)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.core, m.submodules.macro = core, macro = self.core, self.macro
        peeks = peek_members(self.cfg)
        connect(m, core.macro, macro.pins)
        connect(m, flipped(self.load), macro.load)
        if peeks:
            connect(m, flipped(self.peek), macro.peek)
            m.d.comb += self.peeked.eq(macro.peeked)
        join(m, self.port, core, flipped(self), but=("status",))
        m.d.comb += [
            macro.soft_reset.eq(self.soft_reset),
            *(getattr(self.status, name).eq(getattr(core.status, name)) for name in self.status.signature.members),
        ]
        with m.If(macro.error):
            m.d.comb += self.status.error.eq(1)
        return m
