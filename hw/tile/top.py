"""A tile with its macro: one module for all tiles of a chip that are alike."""

from typing import Any

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import connect, flipped

from hw.core.config import CoreConfig
from hw.core.write_verify import WriteVerifyConfig
from hw.host.registers import RegisterMap
from hw.macro.adapter import MacroAdapter
from hw.noc.config import MeshConfig
from hw.tile.config import TileConfig
from hw.tile.core_tile import CoreTile

__all__ = ["TileTop"]


class TileTop(wiring.Component):
    """A tile of a mesh with its macro: what is hardened once and placed for each position.

    Parameters
    ----------
    cfg, mesh, core, write, map
        As at :class:`hw.tile.core_tile.CoreTile`.

    Members
    -------
    <the members of :class:`hw.tile.core_tile.CoreTile` but macro>
        Place, neighbours, what the core has of its own.
    """

    def __init__(
        self, cfg: TileConfig, mesh: MeshConfig, core: CoreConfig, write: WriteVerifyConfig | None = None,
        map: RegisterMap | None = None,
    ) -> None:
        self.cfg, self.mesh, self.core, self.write, self.map = cfg, mesh, core, write, map
        self._tile: Any = CoreTile(cfg, mesh, core, write, map)
        super().__init__({
            name: member for name, member in self._tile.signature.members.items() if name != "macro"
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.core_tile = tile = self._tile
        m.submodules.macro = macro = MacroAdapter(tile.macro.signature)
        connect(m, core=tile.macro, macro=macro.pins)
        for name, member in self.signature.members.items():
            inner, outer = getattr(tile, name), getattr(self, name)
            if member.is_signature:
                connect(m, inner, flipped(outer))
            else:
                m.d.comb += outer.eq(inner) if member.flow is wiring.Out else inner.eq(outer)
        return m
