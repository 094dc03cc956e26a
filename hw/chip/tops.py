"""The tops of a chip: the core with its macro, or the mesh of tiles, bare or behind a bus."""

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import Out, connect, flipped

from hw.chip.chip import Chip
from hw.chip.config import ChipParts
from hw.chip.map import address_width
from hw.config import Chip as Description
from hw.core.port import join
from hw.host.bridges.axil import AxiLiteBridge
from hw.host.bridges.wishbone import WishboneBridge
from hw.kinds import CoreBlocks, core_blocks
from hw.tile.core_tile import CoreTile
from hw.tile.mesh import TileMesh
from macro_models.errors import InputError

__all__ = ["WRAPS", "BusTop", "ChipTop", "build_chip", "build_tile", "build_top", "configurations", "top_name"]

_BRIDGES = {"wishbone": ("wb", WishboneBridge), "axil": ("axil", AxiLiteBridge)}
"""Buses that may wrap a core or a chip: end of the top's name, and the bridge from its one member beside ``bus``."""

WRAPS = {"none": ""} | {wrap: f"_{end}" for wrap, (end, _) in _BRIDGES.items()}
"""What wraps a core or a chip, and how the name of its top ends."""


class BusTop(wiring.Component):
    """One core and its macro behind a bus.

    Parameters
    ----------
    blocks
        What the core is generated from.
    wrap
        ``wishbone`` or ``axil``.

    Members
    -------
    wb : Out(Wishbone), or s_axil : Out(AxiLite)
        The bus.
    irq : Out(1)
        Interrupt, as long as what raised it lasts.
    <what the core has beside its vector port>
        As it is, such as ``programming_enable``.
    """

    irq: Signal

    def __init__(self, blocks: CoreBlocks, *, wrap: str) -> None:
        self.blocks, self.wrap = blocks, wrap
        self._bridge: Any = _BRIDGES[wrap][1](blocks.registers.address_width)
        self._bus = next(name for name in self._bridge.signature.members if name != "bus")
        self._core: Any = blocks.core()
        self._own = {
            name: member for name, member in self._core.signature.members.items() if name not in self._core.port.members
        }
        super().__init__({self._bus: self._bridge.signature.members[self._bus], "irq": Out(1), **self._own})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules[self.wrap] = bridge = self._bridge
        host: Any = self.blocks.host()
        core = self._core
        m.submodules.host, m.submodules.core = host, core
        connect(m, outside=flipped(getattr(self, self._bus)), bridge=getattr(bridge, self._bus))
        connect(m, bridge=bridge.bus, host=host.bus)
        join(m, core.port, core, host)
        m.d.comb += self.irq.eq(host.irq)
        join(m, wiring.Signature(self._own), core, flipped(self))
        return m


class ChipTop(wiring.Component):
    """A chip of tiles behind a bus.

    Parameters
    ----------
    parts
        What the chip is made of.
    wrap
        ``wishbone`` or ``axil``.
    outside
        As at :class:`hw.tile.mesh.TileMesh`.

    Members
    -------
    wb : Out(Wishbone), or s_axil : Out(AxiLite)
        The bus.
    <what a chip has beside its bus>
        As it is, see :class:`hw.chip.chip.Chip`.
    """

    def __init__(self, parts: ChipParts, *, wrap: str, outside: bool = False) -> None:
        self.parts, self.wrap, self.outside = parts, wrap, outside
        self._bridge: Any = _BRIDGES[wrap][1](address_width(parts.mesh))
        self._chip: Any = Chip(parts, outside=outside)
        self._bus = next(name for name in self._bridge.signature.members if name != "bus")
        self._own = {name: member for name, member in self._chip.signature.members.items() if name != "bus"}
        super().__init__({self._bus: self._bridge.signature.members[self._bus], **self._own})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules[self.wrap], m.submodules.chip = self._bridge, self._chip
        connect(m, outside=flipped(getattr(self, self._bus)), bridge=getattr(self._bridge, self._bus))
        connect(m, bridge=self._bridge.bus, chip=self._chip.bus)
        join(m, wiring.Signature(self._own), self._chip, flipped(self))
        return m


def top_name(wrap: str, part: str = "core") -> str:
    """Name of the top module of a core or a chip, without the prefix.

    Raises
    ------
    InputError
        If there is no such wrap.
    """
    if wrap not in WRAPS:
        raise InputError(f"wrap must be one of {', '.join(WRAPS)}, not {wrap!r}")
    return f"{part}{WRAPS[wrap]}"


def configurations(chip: Description, part: str = "chip") -> tuple[object, ...]:
    """What the blocks of a chip are configured by, or of its ``core`` alone.

    Their modules are called by the names of the blocks alone.
    """
    tiles = chip.tiled and part != "core"
    return ChipParts.from_chip(chip).configurations if tiles else core_blocks(chip).configurations


def build_tile(chip: Description, number: int = 0) -> wiring.Component:
    """A tile of ``chip`` with its macro, by its ``number``, row by row.

    Raises
    ------
    InputError
        If the chip has one core, thus no tiles.
    """
    parts = ChipParts.from_chip(chip)
    return CoreTile(parts.tiles[number], parts.mesh, parts.core, outside=False)


def build_chip(chip: Description, wrap: str = "wishbone", *, outside: bool = False) -> wiring.Component:
    """All tiles of ``chip`` behind the bus ``wrap``; ``none``: the streams of :class:`hw.noc.host_port.HostPort`.

    Raises
    ------
    InputError
        If there is no such wrap, or the chip has one core, thus no tiles.
    """
    top_name(wrap)
    parts = ChipParts.from_chip(chip)
    if wrap == "none":
        return TileMesh(parts.tiles, parts.mesh, parts.core, outside=outside)
    return ChipTop(parts, wrap=wrap, outside=outside)


def build_top(chip: Description, wrap: str = "wishbone") -> wiring.Component:
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
    blocks = core_blocks(chip)
    if wrap == "none":
        return blocks.core()
    return BusTop(blocks, wrap=wrap)
