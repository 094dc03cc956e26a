"""What a board holds: its clock, its serial line, and how its memory is used."""

from dataclasses import dataclass

from mho.hw.noc.config import MAX_SIDE

__all__ = ["BoardPlan", "TilesPlan"]


@dataclass(frozen=True, kw_only=True)
class TilesPlan:
    """How a chip of tiles is put on a board.

    Attributes
    ----------
    lanes
        Most cells of each core that meet their input in one cycle.
    slots, clock_hz, baud, link_bytes
        As in :class:`mho.hw.board.TilesConfig`.
    max_tiles
        Tiles that there is room for.
    """

    lanes: int
    slots: int = 8
    clock_hz: int
    baud: int
    link_bytes: int = 1024
    max_tiles: int = MAX_SIDE**2


@dataclass(frozen=True, kw_only=True)
class BoardPlan:
    """How a core is put on a board.

    Attributes
    ----------
    chip
        Preset of the chip that it holds unless another is asked for.
    lanes
        Most cells that meet their input in one cycle.
    word_bits
        Bits of cells that the memory gives in one cycle; fewer lanes, a power of two, if cells are wide.
    whole_lines, program_lines
        Lines of the largest core of a kind with serial ones that is there as it is generated; and of the largest whose
        cells are programmed by pulses.
    slots, memory, clock_hz, baud, link_bytes
        As in :class:`mho.hw.board.BoardConfig`.
    tiles
        How a chip of tiles is put there; None: there is no room for one.
    """

    chip: str
    lanes: int
    word_bits: int
    whole_lines: int = 16
    program_lines: int = 0
    slots: int = 2
    memory: str = "block"
    clock_hz: int
    baud: int
    link_bytes: int = 512
    tiles: TilesPlan | None = None
