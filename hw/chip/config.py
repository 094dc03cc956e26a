"""What a chip of tiles is made of."""

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from hw.chip.map import address_map, chip_page
from hw.config import PulseChip
from hw.core.config import CoreConfig
from hw.core.write_verify import WriteVerifyConfig
from hw.host.address_map import AddressMap
from hw.host.core_map import chip_map
from hw.host.registers import RegisterMap
from hw.macro.macro_pins import MacroPins
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
    write
        Write-verify of a core, if it programs its cells.
    registers
        Registers of a core in a tile.
    page
        Registers of the chip itself.
    """

    tile: TileConfig
    mesh: MeshConfig
    core: CoreConfig
    write: WriteVerifyConfig | None
    registers: RegisterMap
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
            tile=TileConfig.from_chip(chip), mesh=mesh, core=CoreConfig.from_chip(chip, ranged=True),
            write=WriteVerifyConfig.from_chip(chip) if PulseChip.of(chip).programming.engine else None,
            registers=chip_map(chip, products=False), page=chip_page(mesh, chip.lines, chip.sha256),
        )

    @property
    def address_map(self) -> AddressMap:
        """All that a master reaches."""
        return address_map(self.mesh, self.tile, self.registers, self.page)

    @property
    def pins(self) -> MacroPins:
        """Pins of a macro."""
        return MacroPins(self.core.lines, None if self.write is None else self.write.verify_bits)

    @property
    def configurations(self) -> tuple[object, ...]:
        """What blocks are configured by."""
        return (self, self.pins, *(getattr(self, field.name) for field in fields(self)))
