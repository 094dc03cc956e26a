"""What a chip of tiles is made of, and addresses: where each tile is, and the chip's own registers."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

from mho.hw.config import Chip
from mho.hw.host.core.blocks import CoreBlocks
from mho.hw.host.registers import (
    Access,
    AddressMap,
    Block,
    Field,
    Register,
    RegisterMap,
    Window,
    constant,
    description,
    identity,
)
from mho.hw.kinds import core_blocks
from mho.hw.noc.config import MeshConfig
from mho.hw.noc.flit import coordinate_bits
from mho.hw.noc.interface.tables import destination_bits
from mho.hw.noc.registers.map import node_map
from mho.hw.noc.registers.packet import host_address, host_address_bits, page_address
from mho.hw.tile.config import TileConfig
from mho.hw.tile.host_map import tile_map
from mho.hw.tile.rtl.host import CORE_AT

CHIP_MAGIC = 0x6D63
"""What identifies a chip of tiles: ``mc``."""

MAP_VERSION = 2
"""Grows when a register moves or changes its meaning."""

PAGE_BITS = 12
"""Bits of a byte address within the chip's own registers."""

QUEUE = 32
"""Flits that wait to be sent, and flits that have come."""

WINDOW_WORDS = 64
"""Words of the windows of both queues."""


def chip_base(mesh: MeshConfig) -> int:
    """Byte at which the chip's own registers begin: behind those of all tiles."""
    return 1 << host_address_bits(mesh)


def address_width(mesh: MeshConfig) -> int:
    """Bits of a byte address of the whole chip."""
    return host_address_bits(mesh) + 1


def record_words(mesh: MeshConfig) -> int:
    """Words of a flit in the windows: a head, the payload, and zeros up to a power of two."""
    return 1 << (mesh.payload_bits // 32).bit_length()


def chip_page(mesh: MeshConfig, lines: int, sha256: str = "0" * 64) -> RegisterMap:
    """The chip's own registers: what it is, and flits from and to the host."""
    count, payload = QUEUE.bit_length(), mesh.payload_bits // 32
    size = record_words(mesh)
    flit = f"Each {size} words are a flit: "
    return RegisterMap(
        name="chip", verilog_word="chip", address_width=PAGE_BITS,
        doc=f"The chip itself, from {chip_base(mesh):#x} on; below are its tiles. Words are 32 bits, little endian; "
        "addresses count bytes.",
        entries=(
            identity(CHIP_MAGIC, MAP_VERSION, "chip of tiles"),
            Register(name="mesh", address=0x004, doc="Sizes of the mesh.", fields=(
                constant("columns", 5, mesh.columns, "Columns of tiles."),
                constant("rows", 5, mesh.rows, "Rows of tiles."),
                constant("payload_words", 5, payload, "Words of a flit."),
                constant("contexts", 5, mesh.contexts, "Reductions at a time."),
                constant("column_bits", 5, coordinate_bits(mesh.columns), "Bits of a column in an address."),
            )),
            Register(name="geometry", address=0x008, doc="Size of the cores.", fields=(
                constant("lines", 16, lines, "Bit lines, source lines and word lines."),
            )),
            description(0x00C, sha256),
            Register(name="status", address=0x010, doc="State, and what happened.", fields=(
                Field(name="room", width=count, doc="Flits that can be written to `send`."),
                Field(name="waiting", width=count, doc="Flits that can be read from `receive`."),
                Field(name="core", doc="A core raises its interrupt: see its `status` and `write_status`."),
                Field(name="refused", access=Access.RW1C, doc="A flit was written to `send` without room: dropped."),
                Field(name="lost", access=Access.RW1C, doc="A flit was sent that has no legal destination or tag: "
                      "dropped."),
                Field(name="overflow", access=Access.RW1C, doc="A flit came when `receive` was full: dropped. The host "
                      "has given more credits than it has room."),
                Field(name="tile", doc="A tile raises its interrupt: see `raised_0`."),
            )),
            Register(name="interrupt_enable", address=0x014, doc="What raises the interrupt, as long as it lasts.",
                     fields=(
                Field(name="core", access=Access.RW, doc="`status.core`."),
                Field(name="waiting", access=Access.RW, doc="A flit waits in `receive`."),
                Field(name="error", access=Access.RW, doc="`status.refused`, `lost` or `overflow`."),
                Field(name="tile", access=Access.RW, doc="`status.tile`: a program ended, trapped, or was ended by its "
                      "watchdog, as `interrupt_enable` of the tile says."),
            )),
            *(Register(
                name=f"raised_{k}", address=0x018 + 4 * k,
                doc=f"Tiles that raise their interrupt, row by row from tile {32 * k} on: see their `interrupt`.",
                fields=(Field(name="tiles", width=min(32, mesh.nodes - 32 * k), doc="A bit for each."),),
            ) for k in range(-(-mesh.nodes // 32))),
            Window(
                name="send", address=0x100, words=WINDOW_WORDS, access=Access.W,
                doc=f"{flit}a head (`[15:0]` destinations, rows first, {destination_bits(mesh)} bits; `[23:16]` tag), "
                f"{payload} of payload; with the last of these it is sent. Whole words only. Every record of the "
                "window is the same queue.",
            ),
            Window(
                name="receive", address=0x200, words=WINDOW_WORDS, access=Access.R,
                doc=f"{flit}a head (`[23:16]` tag, `[31]` there is one), {payload} of payload; with the last of these "
                "it is taken. Every record of the window is the same queue.",
            ),
        ),
    )


def tile_name(mesh: MeshConfig, node: int) -> str:
    """Name of a tile in the map: column and row."""
    column, row = mesh.position(node)
    return f"tile_{column}_{row}"


def tile_blocks(mesh: MeshConfig, tile: TileConfig, core: RegisterMap) -> tuple[Block, ...]:
    """What a master reaches of a tile; parameters as at :func:`address_map`."""
    return (
        Block("tile", 0, tile_map(tile)), Block("core", CORE_AT, core), Block("node", page_address(0), node_map(mesh))
    )


def address_map(
    mesh: MeshConfig, tiles: Sequence[TileConfig], core: RegisterMap, page: RegisterMap
) -> AddressMap:
    """All that a master reaches: of each tile its program and memories, its core and its node; the chip itself.

    Parameters
    ----------
    tiles
        Each of them, row by row.
    core, page
        Registers of a core in a tile, and those of the chip.
    """
    within = {tile: tile_blocks(mesh, tile, core) for tile in tiles}
    # As addresses rise: the column is the lower part.
    blocks = [
        Block(tile_name(mesh, node) + ("" if block.name == "tile" else f"_{block.name}"),
              host_address(mesh, node, block.base), block.map)
        for node in sorted(range(mesh.nodes), key=lambda node: host_address(mesh, node, 0))
        for block in within[tiles[node]]
    ]
    return AddressMap(
        name="chip", address_width=address_width(mesh), blocks=(*blocks, Block("chip", chip_base(mesh), page)),
        doc=f"A chip of {mesh.columns} x {mesh.rows} tiles; names of tiles are columns and rows. What is not here "
        "answers with an error.",
    )


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

        Raises InputError if it has one core, thus no tiles, or its tiles cannot be built.
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

    Raises InputError if a tile cannot be built.

    Parameters
    ----------
    copies
        As at :class:`mho.hw.tile.config.TileConfig`.
    """
    tiles = [replace(tile, copies=copies) for tile in TileConfig.of_tiles(chip).values()]
    return tuple(replace(tile, verilog_word=_word(tile, tiles[0])) for tile in tiles)


def _word(tile: TileConfig, first: TileConfig) -> str:
    """Names and values of the sizes in which a tile is another one than the first."""
    sizes = ((field.name, getattr(tile, field.name)) for field in fields(tile))
    return "_".join(f"{name}_{value}" for name, value in sizes if value != getattr(first, name))
