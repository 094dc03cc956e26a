"""The core with its macro."""

from amaranth.hdl import Module, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import connect, flipped

from mho.hw.core.config import CoreConfig
from mho.hw.core.core import Core
from mho.hw.core.port import core_port, join
from mho.hw.core.write_verify import WriteVerifyConfig
from mho.hw.macro.adapter import MacroAdapter
from mho.hw.macro.write_pins import ENABLE

__all__ = ["CoreTop"]


class CoreTop(wiring.Component):
    """One transposable core and its macro, at vector level.

    Parameters
    ----------
    cfg
        Configuration of the core.
    write
        Configuration of write-verify, if the core programs its cells.

    Members
    -------
    The vector port, of :func:`mho.hw.core.port.core_port`.
    programming_enable : In(1)
        See :class:`mho.hw.core.core.Core`.
    """

    verilog_name = "core"

    programming_enable: Value

    def __init__(self, cfg: CoreConfig, write: WriteVerifyConfig | None = None) -> None:
        self.cfg, self.write = cfg, write
        self.port = core_port(cfg, write)
        enable = {} if write is None else {"programming_enable": ENABLE}
        super().__init__({**self.port.members, **enable})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.digital = digital = Core(self.cfg, self.write)
        m.submodules.macro = macro = MacroAdapter(digital.pins)
        connect(m, core=digital.macro, macro=macro.pins)
        join(m, self.port, digital, flipped(self))
        if self.write is not None:
            m.d.comb += digital.programming_enable.eq(self.programming_enable)
        return m
