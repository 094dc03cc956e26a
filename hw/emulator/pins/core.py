"""A core with the emulated macro at its pins."""

from typing import Any

from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, connect

from hw.core.core import Core
from hw.core.write_verify import WriteVerifyConfig
from hw.emulator.layout import LoadLayout
from hw.emulator.pins.config import PinEmulatorConfig
from hw.emulator.pins.macro import PinLevelMacro
from hw.emulator.pins.records import peek_members

__all__ = ["PinLevelCore"]


class PinLevelCore(wiring.Component):
    """The core as it is on a chip, and :class:`PinLevelMacro` where the chip has its macro.

    Parameters
    ----------
    cfg
        Configuration of the macro.
    write
        Configuration of write-verify, with the verify bits of ``cfg``; None: the core does not program its cells.

    Members
    -------
    The members of :class:`hw.core.Core` but for ``macro``. A conversion without a table, too, sets ``status.error``.

    load, peek, peeked
        Those of the macro.
    """

    op: stream.Interface
    i: stream.Interface
    o: stream.Interface
    mask: stream.Interface
    load: Any
    peek: Any
    peeked: Any
    status: Any

    def __init__(self, cfg: PinEmulatorConfig, write: WriteVerifyConfig | None = None) -> None:
        if (None if write is None else write.verify_bits) != cfg.verify_bits:
            raise ValueError(f"verify_bits of write-verify must be {cfg.verify_bits}")
        self.cfg = cfg
        self.core = Core(cfg.core, write)
        self.macro = PinLevelMacro(cfg)
        members = dict(self.core.signature.members)
        del members["macro"]
        super().__init__({**members, "load": In(stream.Signature(LoadLayout(cfg))), **peek_members(cfg)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.core, m.submodules.macro = core, macro = self.core, self.macro
        connect(m, core.macro, macro.pins)
        connect(m, wiring.flipped(self.load), macro.load)
        if self.cfg.verify_bits is not None:
            connect(m, wiring.flipped(self.peek), macro.peek)
            m.d.comb += self.peeked.eq(macro.peeked)
        for name, member in self.signature.members.items():
            if name in ("load", "peek", "peeked", "status"):
                continue
            ours, its = getattr(self, name), getattr(core, name)
            if member.is_signature:
                connect(m, wiring.flipped(ours), its)
            else:
                m.d.comb += its.eq(ours) if member.flow is In else ours.eq(its)
        for name in self.status.signature.members:
            m.d.comb += getattr(self.status, name).eq(getattr(core.status, name))
        with m.If(macro.error):
            m.d.comb += self.status.error.eq(1)
        return m
