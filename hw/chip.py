"""The tops of a chip: the core with its macro, bare or behind a bus."""

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import Out, connect, flipped

from hw.config import Chip
from hw.core import Core, CoreConfig
from hw.macro.adapter import MacroAdapter
from macro_models.errors import InputError

__all__ = ["WRAPS", "CoreTop", "build_top", "top_name"]

WRAPS = {"none": "core", "wishbone": "core_wb", "axil": "core_axil"}
"""Names of the tops, without the prefix, by what wraps the core."""


class CoreTop(wiring.Component):
    """One transposable core and its macro, at vector level.

    Parameters
    ----------
    cfg
        Configuration of the core.
    prefix
        Put before the name of the macro's adapter module.

    Members
    -------
    The ports of :class:`hw.core.Core`, without ``macro``.
    """

    def __init__(self, cfg: CoreConfig, *, prefix: str = "mho_") -> None:
        self.cfg = cfg
        self.prefix = prefix
        self._core = Core(cfg)
        members = dict(self._core.signature.members)
        del members["macro"]
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.digital = digital = self._core
        m.submodules.macro = macro = MacroAdapter(self.cfg.lines, f"{self.prefix}macro_adapter")
        connect(m, core=digital.macro, macro=macro.pins)
        for name, member in self.signature.members.items():
            inner = getattr(digital, name)
            if member.is_signature:
                connect(m, core=inner, outside=flipped(getattr(self, name)))
            elif member.flow is Out:
                m.d.comb += getattr(self, name).eq(inner)
            else:
                m.d.comb += inner.eq(getattr(self, name))
        return m


def top_name(wrap: str) -> str:
    """Name of the top module without the prefix.

    Raises
    ------
    InputError
        If there is no such wrap.
    """
    if wrap not in WRAPS:
        raise InputError(f"wrap must be one of {', '.join(WRAPS)}, not {wrap!r}")
    return WRAPS[wrap]


def build_top(chip: Chip, wrap: str = "wishbone", *, prefix: str | None = None) -> wiring.Component:
    """The top of ``chip`` behind the bus ``wrap``: ``none``, ``wishbone`` or ``axil``.

    Raises
    ------
    InputError
        If there is no such wrap, or the chip has more than one core.
    """
    top_name(wrap)
    if chip.cores != 1:
        raise InputError(f"{chip.name}: mesh must have 1 column and 1 row, not {chip.mesh.columns} x {chip.mesh.rows}")
    prefix = chip.verilog.prefix if prefix is None else prefix
    cfg = CoreConfig.from_chip(chip)
    if wrap == "none":
        return CoreTop(cfg, prefix=prefix)
    raise NotImplementedError
