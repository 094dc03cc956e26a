"""What a chip of tiles is made of."""

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from hw.chip.map import address_map, chip_page
from hw.host.address_map import AddressMap
from hw.host.registers import RegisterMap
from hw.kinds import CoreBlocks, core_blocks
from hw.noc.config import MeshConfig
from hw.tile.config import TileConfig

if TYPE_CHECKING:
    from hw.config import Chip

__all__ = ["ChipParts"]


@dataclass(frozen=True, kw_only=True)
class ChipParts:
    """Configurations of all that a chip of tiles is made of.

    Attributes
    ----------
    tile, mesh, core
        A tile, the network, and a core: all tiles are alike.
    page
        Registers of the chip itself.
    """

    tile: TileConfig
    mesh: MeshConfig
    core: CoreBlocks
    page: RegisterMap

    @classmethod
    def from_chip(cls, chip: "Chip") -> "ChipParts":
        """The parts of a chip.

        Raises
        ------
        InputError
            If it has one core, thus no tiles, or its tiles cannot be built.
        """
        mesh = MeshConfig.from_chip(chip)
        return cls(
            tile=TileConfig.from_chip(chip), mesh=mesh, core=core_blocks(chip, tiled=True),
            page=chip_page(mesh, chip.lines, chip.sha256),
        )

    @property
    def registers(self) -> RegisterMap:
        """Registers of a core in a tile."""
        return self.core.registers

    @property
    def address_map(self) -> AddressMap:
        """All that a master reaches."""
        return address_map(self.mesh, self.tile, self.registers, self.page)

    @property
    def configurations(self) -> tuple[object, ...]:
        """What blocks are configured by."""
        return (self, *(getattr(self, field.name) for field in fields(self)), *self.core.configurations)
