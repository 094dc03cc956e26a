"""A chip of tiles behind one register bus."""

from typing import Any

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from mho.hw.chip.config import ChipParts
from mho.hw.chip.map import PAGE_BITS, address_width, chip_base
from mho.hw.chip.port import FlitPort
from mho.hw.core.port import join
from mho.hw.host.bus import RegisterBus
from mho.hw.host.split import BusSplit, Region
from mho.hw.macro.contract import ENABLE
from mho.hw.noc.registers.packet import host_address_bits
from mho.hw.tile.rtl.mesh import TileMesh


class TiledChip(wiring.Component):
    """The mesh of tiles and one bus to every register and memory of every tile; flits of the host come the same way.

    Parameters
    ----------
    parts
        What the chip is made of.
    outside
        As at :class:`mho.hw.tile.rtl.mesh.TileMesh`.

    Members
    -------
    bus : In(RegisterBus(address_width(parts.mesh)))
        Everything, see :mod:`mho.hw.chip.map`.
    irq : Out(1)
        Interrupt.
    power_off : Out(parts.mesh.nodes)
        For a power switch of each tile, see :class:`mho.hw.tile.rtl.mesh.TileMesh`.
    programming_enable : In(1)
        Of all cores, see :class:`mho.hw.kinds.tnsa.core.TnsaCore`; only if they program their cells.
    macro_0, macro_1, .. : Out(MacroPins)
        The macros, row by row; only if they are outside.
    """

    verilog_name = "chip"
    bus: Any
    irq: Any

    def __init__(self, parts: ChipParts, *, outside: bool = False) -> None:
        self.parts, self.outside = parts, outside
        mesh = parts.mesh
        macros = {f"macro_{node}": Out(parts.core.pins) for node in range(mesh.nodes)} if outside else {}
        enable = {"programming_enable": ENABLE} if parts.core.programs else {}
        self._own = macros | enable | {"power_off": Out(mesh.nodes)}
        super().__init__({"bus": In(RegisterBus(address_width(mesh))), "irq": Out(1), **self._own})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        parts, mesh = self.parts, self.parts.mesh
        split: Any = BusSplit(address_width(mesh), (
            Region("tiles", 0, host_address_bits(mesh)), Region("chip", chip_base(mesh), PAGE_BITS),
        ))
        tiles: Any = TileMesh(parts.tiles, mesh, parts.core, outside=self.outside)
        port: Any = FlitPort(mesh, parts.page)
        m.submodules.split, m.submodules.port, m.submodules.tiles = split, port, tiles
        connect(m, flipped(self.bus), split.bus)
        connect(m, split.tiles, tiles.host_bus)
        connect(m, split.chip, port.bus)
        connect(m, port.send, tiles.host_send)
        connect(m, tiles.host_receive, port.receive)
        m.d.comb += [port.lost.eq(tiles.host_lost), port.core_irq.eq(tiles.irq), port.tile_irq.eq(tiles.tile_irq),
                     self.irq.eq(port.irq)]
        join(m, wiring.Signature(self._own), tiles, flipped(self))
        return m
