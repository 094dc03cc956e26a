"""The tops of a chip: the core with its macro, bare or behind a bus."""

from typing import Any

from amaranth.hdl import Module, ResetInserter, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import Out, connect, flipped

from hw.config import Chip, PulseChip
from hw.core import Core, CoreConfig
from hw.core.write_verify import WriteVerifyConfig
from hw.host.axil import AxiLiteBridge
from hw.host.core_host import CoreHost
from hw.host.core_map import ADDRESS_WIDTH, chip_map
from hw.host.registers import RegisterMap
from hw.host.wishbone import WishboneBridge
from hw.macro.adapter import MacroAdapter
from macro_models.errors import InputError

__all__ = ["WRAPS", "BusTop", "CoreTop", "build_top", "connect_write", "top_name"]

WRAPS = {"none": "core", "wishbone": "core_wb", "axil": "core_axil"}
"""Names of the tops, without the prefix, by what wraps the core."""


class CoreTop(wiring.Component):
    """One transposable core and its macro, at vector level.

    Parameters
    ----------
    cfg
        Configuration of the core.
    write
        Configuration of write-verify, if the core programs its cells.
    prefix
        Put before the name of the macro's adapter module.

    Members
    -------
    The ports of :class:`hw.core.Core`, without ``macro``.
    """

    def __init__(self, cfg: CoreConfig, write: WriteVerifyConfig | None = None, *, prefix: str = "mho_") -> None:
        self.cfg = cfg
        self.prefix = prefix
        self._core = Core(cfg, write)
        members = dict(self._core.signature.members)
        del members["macro"]
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.digital = digital = self._core
        m.submodules.macro = macro = MacroAdapter(digital.pins, f"{self.prefix}macro_adapter")
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


class BusTop(wiring.Component):
    """One transposable core and its macro behind a bus.

    Parameters
    ----------
    cfg
        Configuration of the core.
    map
        Its registers, of :func:`hw.host.core_map.core_map`.
    write
        Configuration of write-verify, if the core programs its cells.
    wrap
        ``wishbone`` or ``axil``.
    prefix
        Put before the name of the macro's adapter module.

    Members
    -------
    wb : Out(Wishbone), or s_axil : Out(AxiLite)
        The bus.
    irq : Out(1)
        Interrupt, as long as what raised it lasts.
    """

    irq: Signal

    def __init__(
        self, cfg: CoreConfig, map: RegisterMap, write: WriteVerifyConfig | None = None, *, wrap: str,
        prefix: str = "mho_",
    ) -> None:
        self.cfg, self.map, self.write, self.wrap, self.prefix = cfg, map, write, wrap, prefix
        self._bridge = WishboneBridge(ADDRESS_WIDTH) if wrap == "wishbone" else AxiLiteBridge(ADDRESS_WIDTH)
        self._bus = next(name for name in self._bridge.signature.members if name != "bus")
        super().__init__({self._bus: self._bridge.signature.members[self._bus], "irq": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules[self.wrap] = bridge = self._bridge
        m.submodules.host = host = CoreHost(self.cfg, self.map, self.write)
        core: Any = CoreTop(self.cfg, self.write, prefix=self.prefix)
        m.submodules.core = ResetInserter(host.soft_reset)(core)
        connect(m, outside=flipped(getattr(self, self._bus)), bridge=getattr(bridge, self._bus))
        connect(m, bridge=bridge.bus, host=host.bus)
        for name in ("op", "i", "o", "mask"):
            connect(m, host=getattr(host, name), core=getattr(core, name))
        m.d.comb += self.irq.eq(host.irq)
        for name in ("busy", "mvms", "cycles_total", "cycles_analog", "cycles_hold"):
            m.d.comb += getattr(host, name).eq(getattr(core.status, name))
        if self.write is not None:
            connect_write(m, host, core)
        return m


def connect_write(m: Module, host: Any, core: Any) -> None:
    """Connect write-verify of a core with a :class:`hw.host.core_host.CoreHost`."""
    for name in ("target", "cell", "write_status"):
        connect(m, host=getattr(host, name), core=getattr(core, name))
    for name in ("parameters", "write_start", "write_stop", "map_addr"):
        m.d.comb += getattr(core, name).eq(getattr(host, name))
    m.d.comb += host.map_data.eq(core.map_data)


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
        raise InputError(
            f"{chip.name}: mesh must have 1 column and 1 row for a core, not {chip.mesh.columns} x {chip.mesh.rows}"
        )
    prefix = chip.verilog.prefix if prefix is None else prefix
    cfg = CoreConfig.from_chip(chip)
    write = WriteVerifyConfig.from_chip(chip) if PulseChip.of(chip).programming.engine else None
    if wrap == "none":
        return CoreTop(cfg, write, prefix=prefix)
    return BusTop(cfg, chip_map(chip), write, wrap=wrap, prefix=prefix)
