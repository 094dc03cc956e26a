"""Tiles, joined to a mesh, and the host at the corner."""

from collections.abc import Sequence
from functools import reduce
from operator import or_

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import connect, flipped

from mho.hw.host.core.blocks import CoreBlocks
from mho.hw.noc.config import MeshConfig
from mho.hw.noc.host_port import host_ports
from mho.hw.noc.mesh import join_nodes
from mho.hw.ports import Component, In, Out
from mho.hw.tile.config import TileConfig
from mho.hw.tile.rtl.tile import Tile


class TileMesh(Component):
    """All tiles of a chip: a module for each kind, and wires.

    Parameters
    ----------
    tiles
        Each of them, row by row.
    mesh, core
        As at :class:`mho.hw.tile.rtl.tile.Tile`.
    outside
        The macros are outside; false: each tile has its own.

    Members
    -------
    host_bus, host_burst, host_send, host_receive, host_lost
        The host, as at :class:`mho.hw.noc.host_port.HostPort`.
    macro_0, macro_1, .. : Out(core.pins)
        The macros, row by row; only if they are outside.
    programming_enable : In(1)
        Of all cores; only if they program their cells.
    irq, tile_irq : Out(1), Out(mesh.nodes)
        Interrupt of a core, and those of the tiles, row by row.
    power_off : Out(mesh.nodes)
        For a power switch of each tile, row by row.
    """

    programming_enable = In(1, when=lambda self: self.core.programs, init=1)
    irq = Out(1)
    tile_irq = Out(lambda self: self.mesh.nodes)
    power_off = Out(lambda self: self.mesh.nodes)

    def __init__(
        self, tiles: Sequence[TileConfig], mesh: MeshConfig, core: CoreBlocks, *, outside: bool = True
    ) -> None:
        self.tiles, self.mesh, self.core, self.outside = tuple(tiles), mesh, core, outside
        macros = {f"macro_{node}": wiring.Out(core.pins) for node in range(mesh.nodes)} if outside else {}
        super().__init__(members=host_ports(mesh) | macros)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        mesh = self.mesh
        tiles = [Tile(cfg, mesh, self.core, outside=self.outside) for cfg in self.tiles]
        join_nodes(m, self, mesh, tiles, "tile")
        for number, tile in enumerate(tiles):
            if self.outside:
                connect(m, tile.macro, flipped(getattr(self, f"macro_{number}")))
            m.d.comb += [self.power_off[number].eq(tile.power_off), self.tile_irq[number].eq(tile.tile_irq)]
            if self.core.programs:
                m.d.comb += tile.programming_enable.eq(self.programming_enable)
        m.d.comb += self.irq.eq(reduce(or_, (tile.irq for tile in tiles)))
        return m
