"""What each board holds: its clock, its serial line, and how its memory is used."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from hw.board import AnyConfig, BoardConfig, TilesConfig
from hw.config import Chip, load_chip
from hw.emulator import chunk_cells
from hw.noc.config import MAX_SIDE
from macro_models.errors import InputError

__all__ = ["BOARDS", "BoardConfig", "BoardPlan", "TilesPlan", "board_config"]


@dataclass(frozen=True, kw_only=True)
class TilesPlan:
    """How a chip of tiles is put on a board.

    Attributes
    ----------
    lanes
        Most cells of each core that meet their input in one cycle.
    slots, clock_hz, baud, link_bytes
        As in :class:`hw.board.TilesConfig`.
    most
        Tiles that there is room for.
    """

    lanes: int
    slots: int = 8
    clock_hz: int
    baud: int
    link_bytes: int = 1024
    most: int = MAX_SIDE**2


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
    pin_lines
        Lines of the largest core that is put there unmodified, only its macro emulated. All below the vector level is
        emulated of a larger one.
    slots, memory, search_width, clock_hz, baud, link_bytes
        As in :class:`hw.board.BoardConfig`.
    tiles
        How a chip of tiles is put there; None: there is no room for one.
    """

    chip: str
    lanes: int
    word_bits: int
    pin_lines: int = 0
    slots: int = 2
    memory: str = "block"
    search_width: int = 1
    clock_hz: int
    baud: int
    link_bytes: int = 512
    tiles: TilesPlan | None = None


BOARDS: Mapping[str, BoardPlan] = MappingProxyType(
    {
        "icebreaker": BoardPlan(
            chip="icebreaker", lanes=8, word_bits=64, memory="spram", clock_hz=25_125_000, baud=3_000_000
        ),
        "ulx3s-85f": BoardPlan(
            chip="ulx3s-85f",
            lanes=256,
            word_bits=4096,
            pin_lines=64,
            clock_hz=50_000_000,
            baud=3_000_000,
            link_bytes=1024,
            tiles=TilesPlan(lanes=4, clock_hz=12_500_000, baud=1_500_000),
        ),
        "hx8k-breakout": BoardPlan(
            chip="hx8k-breakout", lanes=32, word_bits=128, search_width=4, clock_hz=24_000_000, baud=3_000_000
        ),
        "orangecrab": BoardPlan(
            chip="orangecrab", lanes=64, word_bits=512, clock_hz=48_000_000, baud=3_000_000, link_bytes=1024,
            tiles=TilesPlan(lanes=8, clock_hz=24_000_000, baud=3_000_000, most=1),
        ),
        "colorlight-i5": BoardPlan(
            chip="colorlight-i5", lanes=64, word_bits=512, clock_hz=50_000_000, baud=3_000_000, link_bytes=1024,
            tiles=TilesPlan(lanes=8, clock_hz=25_000_000, baud=3_000_000, most=1),
        ),
        "ecpix5-85f": BoardPlan(
            chip="ecpix5-85f", lanes=256, word_bits=4096, pin_lines=64, clock_hz=50_000_000, baud=3_000_000,
            link_bytes=1024,
        ),
        "tang-nano-9k": BoardPlan(
            chip="tang-nano-9k", lanes=16, word_bits=64, clock_hz=27_000_000, baud=3_000_000
        ),
    }
)
"""Plans by the name of the board."""


def board_config(board: str, chip: Chip | None = None, *, noise: bool = False) -> AnyConfig:
    """A chip's core, or its tiles, on a board, or the board's own preset.

    With ``noise`` it has a shift register for read noise.

    Raises
    ------
    InputError
        If there is no such board, or the chip cannot be put on it.
    """
    plan = BOARDS.get(board)
    if plan is None:
        raise InputError(f"board must be one of {', '.join(BOARDS)}, not {board!r}")
    chip = load_chip(plan.chip) if chip is None else chip
    least = chunk_cells(chip.core.g_bits)
    if chip.tiled and plan.tiles is not None and chip.cores <= plan.tiles.most:
        tiles = plan.tiles
        return TilesConfig(
            chip=chip, lanes=max(least, min(tiles.lanes, chip.lines)), slots=tiles.slots, noise=noise,
            clock_hz=tiles.clock_hz, baud=tiles.baud, link_bytes=tiles.link_bytes,
        )
    if chip.tiled:
        able = ", ".join(n for n, one in BOARDS.items() if one.tiles and chip.cores <= one.tiles.most)
        raise InputError(f"{chip.name}: {_one_core(chip, board)}; tiles are for {able}")
    given = 2 ** ((plan.word_bits // chip.core.g_bits).bit_length() - 1)
    return BoardConfig(
        chip=chip, level="pin" if chip.lines <= plan.pin_lines else "vector",
        lanes=max(8, least, min(plan.lanes, chip.lines, given)), slots=plan.slots, memory=plan.memory, noise=noise,
        search_width=plan.search_width, clock_hz=plan.clock_hz, baud=plan.baud, link_bytes=plan.link_bytes,
    )


def _one_core(chip: Chip, board: str) -> str:
    """What must be otherwise for a board that holds a core and no tile."""
    if chip.cores > 1:
        return f"mesh must have 1 column and 1 row to fit on {board}, not {chip.mesh.columns} x {chip.mesh.rows}"
    return f"tile.programs must be false to fit on {board}, not true"
