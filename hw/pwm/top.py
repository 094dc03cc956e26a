"""One phase-change core with its macro: the unwrapped top."""

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import connect, flipped

from mho.hw.core.port import join
from mho.hw.macro.adapter import MacroAdapter
from mho.hw.pwm.config import PwmCoreConfig
from mho.hw.pwm.core import PwmCore, pwm_port

__all__ = ["PwmTop"]


class PwmTop(wiring.Component):
    """One phase-change core and its macro, at vector level.

    Parameters
    ----------
    cfg
        Configuration of the core.

    Members
    -------
    The vector port, of :func:`mho.hw.pwm.core.pwm_port`.
    """

    verilog_name = "core"

    def __init__(self, cfg: PwmCoreConfig) -> None:
        self.cfg = cfg
        self.port = pwm_port(cfg)
        super().__init__({**self.port.members})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.digital = digital = PwmCore(self.cfg)
        m.submodules.macro = macro = MacroAdapter(digital.pins)
        connect(m, core=digital.macro, macro=macro.pins)
        join(m, self.port, digital, flipped(self))
        return m
