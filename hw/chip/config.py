"""What a chip of tiles is made of."""

from dataclasses import dataclass, fields, replace

from mho.hw.chip.map import address_map, chip_page
from mho.hw.config import Chip
from mho.hw.host.core.blocks import CoreBlocks
from mho.hw.host.registers import AddressMap, RegisterMap
from mho.hw.kinds import core_blocks
from mho.hw.noc.config import MeshConfig
from mho.hw.tile.config import TileConfig


@dataclass(frozen=True, kw_only=True)
class ChipParts:
    """Configurations of all that a chip of tiles is made of."""

    tiles: tuple[TileConfig, ...]
    mesh: MeshConfig
    core: CoreBlocks
    """The tiles, row by row, the network, and a core: these are all alike."""
    page: RegisterMap
    """Registers of the chip itself."""

    @classmethod
    def from_chip(cls, chip: Chip) -> "ChipParts":
        """The parts of a chip.

        Raises
        ------
        InputError
            If it has one core, thus no tiles, or its tiles cannot be built.
        """
        mesh = MeshConfig.from_chip(chip)
        return cls(
            tiles=tiles_of(chip), mesh=mesh, core=core_blocks(chip, tiled=True),
            page=chip_page(mesh, chip.lines, chip.sha256),
        )

    @property
    def kinds(self) -> tuple[TileConfig, ...]:
        """Tiles that differ; that of the first one, and of its like, is the first."""
        return tuple(dict.fromkeys(self.tiles))

    @property
    def registers(self) -> RegisterMap:
        """Registers of a core in a tile."""
        return self.core.registers

    @property
    def address_map(self) -> AddressMap:
        """All that a master reaches."""
        return address_map(self.mesh, self.tiles, self.registers, self.page)

    @property
    def configurations(self) -> tuple[object, ...]:
        """What blocks are configured by."""
        return (self, *(getattr(self, field.name) for field in fields(self)), *self.kinds, *self.core.configurations)


def tiles_of(chip: Chip, *, copies: bool = False) -> tuple[TileConfig, ...]:
    """The tiles of a chip, row by row; those of another kind than the first have a word for that.

    Parameters
    ----------
    copies
        As at :class:`mho.hw.tile.config.TileConfig`.

    Raises
    ------
    InputError
        If a tile cannot be built.
    """
    tiles = [replace(tile, copies=copies) for tile in TileConfig.of_tiles(chip).values()]
    return tuple(replace(tile, verilog_word=_word(tile, tiles[0])) for tile in tiles)


def _word(tile: TileConfig, first: TileConfig) -> str:
    """Names and values of the sizes in which a tile is another one than the first."""
    sizes = ((field.name, getattr(tile, field.name)) for field in fields(tile))
    return "_".join(f"{name}_{value}" for name, value in sizes if value != getattr(first, name))
