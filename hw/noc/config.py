"""Sizes of a mesh and its routers."""

from dataclasses import dataclass

from mho.hw.config import Chip
from mho.macro_models.errors import InputError

MAX_SIDE = 16
"""Columns or rows of the largest mesh."""

MASK_SIDE = 8
"""Up to this many columns and rows, a set of destinations is a mask of columns and one of rows."""

LANE_BITS = 16
"""Width of a lane of a reduction."""

HOST_POSITION = (0, 0)
"""Column and row of the router at whose edge the host is: it sends into the west input, and receives from the north
output, as XY routing wants it of somebody beyond that corner."""


@dataclass(frozen=True, kw_only=True)
class MeshConfig:
    """Static parameters of a mesh.

    Raises InputError if a value is out of range.
    """

    columns: int = 8
    rows: int = 6
    """Nodes each way, 1 to 16. Column 0 is the west, row 0 the north. One node alone has the host and no neighbours."""
    payload_bits: int = 64
    """Payload of a flit: 32, 64 or 128."""
    tag_bits: int = 4
    """Width of a flit's tag, 2 to 4: the slot of the receiver that takes it."""
    depth: int = 16
    """Flits that an input of a router holds: 1, 2, 4, 8 or 16. 16 cost no more than 2 in an FPGA whose lookup tables
    are memories; 4 to 8 are for silicon."""
    contexts: int = 2
    """Trees of the reduction that are set up at a time, 0 (no reduction, as with one node), 1, 2 or 4."""

    def __post_init__(self) -> None:
        for name in ("columns", "rows"):
            _check(name, getattr(self, name), f"1 to {MAX_SIDE}", 1 <= getattr(self, name) <= MAX_SIDE)
        _check("payload_bits", self.payload_bits, "32, 64 or 128", self.payload_bits in (32, 64, 128))
        _check("tag_bits", self.tag_bits, "2 to 4", 2 <= self.tag_bits <= 4)
        _check("depth", self.depth, "1, 2, 4, 8 or 16", self.depth in (1, 2, 4, 8, 16))
        _check("contexts", self.contexts, "0, 1, 2 or 4", self.contexts in (0, 1, 2, 4))
        _check("contexts", self.contexts, "0 with one node", not (self.alone and self.contexts))

    @classmethod
    def from_chip(cls, chip: Chip) -> "MeshConfig":
        """The mesh of a chip of tiles.

        Raises InputError if the chip has one core that is no tile, thus no mesh.
        """
        mesh = chip.mesh
        if not chip.tiled:
            raise InputError(f"{_no_network(chip)}, or tile.programs = true for one tile")
        return cls(
            columns=mesh.columns, rows=mesh.rows, payload_bits=mesh.payload_bits, contexts=chip.contexts,
            # Nothing waits on the way between one node and the host.
            depth=mesh.fifo_depth if chip.cores > 1 else 1,
        )

    @classmethod
    def of_network(cls, chip: Chip) -> "MeshConfig":
        """The network on chip of a chip of several tiles.

        Raises InputError if the chip has one core, thus no network.
        """
        if chip.cores == 1:
            raise InputError(_no_network(chip))
        return cls.from_chip(chip)

    @property
    def nodes(self) -> int:
        """Nodes of the mesh."""
        return self.columns * self.rows

    @property
    def alone(self) -> bool:
        """Whether there is one node, between which and the host there are wires alone."""
        return self.nodes == 1

    @property
    def masks(self) -> bool:
        """Whether destinations are masks; else they are rectangles."""
        return self.columns <= MASK_SIDE and self.rows <= MASK_SIDE

    @property
    def lanes(self) -> int:
        """Lanes of a reduction."""
        return self.payload_bits // LANE_BITS

    def node(self, column: int, row: int) -> int:
        """Number of the node at a position, row by row."""
        return row * self.columns + column

    def position(self, node: int) -> tuple[int, int]:
        """Column and row of a node."""
        return node % self.columns, node // self.columns


def _no_network(chip: Chip) -> str:
    return f"{chip.name}: mesh.columns x mesh.rows must be at least two nodes for a network on chip, not 1 x 1"


def _check(name: str, value: object, legal: str, ok: bool) -> None:
    if not ok:
        raise InputError(f"{name} must be {legal}, not {value!r}")
