"""The tops of a chip: the core with its macro, bare or behind a bus."""

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import Out, connect, flipped

from hw.config import Chip, PulseChip
from hw.core import Core, CoreConfig
from hw.core.port import core_port, join
from hw.core.write_verify import WriteVerifyConfig
from hw.host.axil import AxiLiteBridge
from hw.host.core_host import CoreHost
from hw.host.core_map import ADDRESS_WIDTH, chip_map
from hw.host.registers import RegisterMap
from hw.host.wishbone import WishboneBridge
from hw.macro.adapter import MacroAdapter
from hw.macro.macro_pins import MacroPins
from hw.noc.config import MeshConfig
from macro_models.errors import InputError

__all__ = ["WRAPS", "BusTop", "CoreTop", "build_top", "configurations", "top_name"]

_BRIDGES = {"wishbone": ("core_wb", WishboneBridge), "axil": ("core_axil", AxiLiteBridge)}
"""Buses that may wrap a core: name of the top, and the bridge from its one member beside ``bus`` to that."""

WRAPS = {"none": "core"} | {wrap: top for wrap, (top, _) in _BRIDGES.items()}
"""Names of the tops, without the prefix, by what wraps the core."""


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
    The vector port, of :func:`hw.core.port.core_port`.
    """

    verilog_name = "core"

    def __init__(self, cfg: CoreConfig, write: WriteVerifyConfig | None = None) -> None:
        self.cfg, self.write = cfg, write
        self.port = core_port(cfg, write)
        super().__init__(self.port)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.digital = digital = Core(self.cfg, self.write)
        m.submodules.macro = macro = MacroAdapter(digital.pins)
        connect(m, core=digital.macro, macro=macro.pins)
        join(m, self.port, digital, flipped(self))
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

    Members
    -------
    wb : Out(Wishbone), or s_axil : Out(AxiLite)
        The bus.
    irq : Out(1)
        Interrupt, as long as what raised it lasts.
    """

    irq: Signal

    def __init__(
        self, cfg: CoreConfig, map: RegisterMap, write: WriteVerifyConfig | None = None, *, wrap: str
    ) -> None:
        self.cfg, self.map, self.write, self.wrap = cfg, map, write, wrap
        self._bridge: Any = _BRIDGES[wrap][1](ADDRESS_WIDTH)
        self._bus = next(name for name in self._bridge.signature.members if name != "bus")
        super().__init__({self._bus: self._bridge.signature.members[self._bus], "irq": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules[self.wrap] = bridge = self._bridge
        m.submodules.host = host = CoreHost(self.cfg, self.map, self.write)
        m.submodules.core = core = CoreTop(self.cfg, self.write)
        connect(m, outside=flipped(getattr(self, self._bus)), bridge=getattr(bridge, self._bus))
        connect(m, bridge=bridge.bus, host=host.bus)
        join(m, core.port, core, host)
        m.d.comb += self.irq.eq(host.irq)
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


def configurations(chip: Chip) -> tuple[object, ...]:
    """What the blocks of a chip are configured by: their modules are called by the names of the blocks alone."""
    if chip.cores > 1:
        return (MeshConfig.from_chip(chip),)
    return CoreConfig.from_chip(chip), _write_verify(chip), chip_map(chip), MacroPins.from_chip(chip)


def _write_verify(chip: Chip) -> WriteVerifyConfig | None:
    return WriteVerifyConfig.from_chip(chip) if PulseChip.of(chip).programming.engine else None


def build_top(chip: Chip, wrap: str = "wishbone") -> wiring.Component:
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
    cfg = CoreConfig.from_chip(chip)
    write = _write_verify(chip)
    if wrap == "none":
        return CoreTop(cfg, write)
    return BusTop(cfg, chip_map(chip), write, wrap=wrap)
