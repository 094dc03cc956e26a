"""A core with the emulated macro at its pins."""

from typing import Any

from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, connect

from mho.hw.core.port import VectorMembers, join
from mho.hw.core.write_verify import WriteVerifyConfig
from mho.hw.emulator.layout import LoadLayout
from mho.hw.emulator.pins.config import PinEmulatorConfig
from mho.hw.emulator.pins.macro import PinLevelMacro
from mho.hw.emulator.pins.records import peek_members
from mho.hw.kinds.tnsa.core import TnsaCore

__all__ = ["PinLevelCore"]


class PinLevelCore(wiring.Component, VectorMembers):
    """The core as it is on a chip, and :class:`PinLevelMacro` where the chip has its macro.

    Parameters
    ----------
    cfg
        Configuration of the macro.
    write
        Configuration of write-verify, with the verify bits of ``cfg``; None: the core does not program its cells.

    Members
    -------
    <the members of :func:`mho.hw.kinds.tnsa.port.tnsa_port`>
        The vector port. A conversion without a table, too, sets ``status.error``.
    load, peek, peeked
        Those of the macro.
    """

    load: Any
    peek: Any
    peeked: Any

    def __init__(self, cfg: PinEmulatorConfig, write: WriteVerifyConfig | None = None) -> None:
        if (None if write is None else write.verify_bits) != cfg.verify_bits:
            raise ValueError(f"verify_bits of write-verify must be {cfg.verify_bits}")
        self.cfg, self.write = cfg, write
        self.core = TnsaCore(cfg.core, write)
        self.macro = PinLevelMacro(cfg)
        self.port = self.core.port
        super().__init__({**self.port.members, "load": In(stream.Signature(LoadLayout(cfg))), **peek_members(cfg)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.core, m.submodules.macro = core, macro = self.core, self.macro
        connect(m, core.macro, macro.pins)
        connect(m, wiring.flipped(self.load), macro.load)
        if self.cfg.verify_bits is not None:
            connect(m, wiring.flipped(self.peek), macro.peek)
            m.d.comb += self.peeked.eq(macro.peeked)
        join(m, self.port, core, wiring.flipped(self), but=("status",))
        m.d.comb += macro.soft_reset.eq(self.soft_reset)
        for name in self.status.signature.members:
            m.d.comb += getattr(self.status, name).eq(getattr(core.status, name))
        with m.If(macro.error):
            m.d.comb += self.status.error.eq(1)
        return m
