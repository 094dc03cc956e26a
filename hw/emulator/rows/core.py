"""A core of rows and columns with the emulated macro at its pins."""

from typing import Any

from amaranth.hdl import Module, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, connect, flipped

from mho.hw.core.port import join
from mho.hw.emulator.layout import LoadLayout
from mho.hw.emulator.rows.config import RowEmulatorConfig
from mho.hw.emulator.rows.macro import RowMacro

__all__ = ["RowLevelCore"]


class RowLevelCore(wiring.Component):
    """The core as it is on a chip, and :class:`RowMacro` where the chip has its macro.

    Members
    -------
    <the members of the core's vector port>
        The vector port. A conversion without thresholds, too, sets ``status.error``.
    load : In(stream of LoadLayout)
        As of the macro.
    """

    soft_reset: Value
    load: stream.Interface
    status: Any

    def __init__(self, cfg: RowEmulatorConfig) -> None:
        self.cfg, self.port = cfg, cfg.blocks.port
        super().__init__({**self.port.members, "load": In(stream.Signature(LoadLayout(cfg)))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        core: Any = self.cfg.blocks.digital()
        m.submodules.core, m.submodules.macro = core, macro = core, RowMacro(self.cfg)
        connect(m, core.macro, macro.pins)
        connect(m, flipped(self.load), macro.load)
        join(m, self.port, core, flipped(self), but=("status",))
        m.d.comb += [
            macro.soft_reset.eq(self.soft_reset),
            *(getattr(self.status, name).eq(getattr(core.status, name)) for name in self.status.signature.members),
        ]
        with m.If(macro.error):
            m.d.comb += self.status.error.eq(1)
        return m
