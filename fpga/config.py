"""A chip on a board, by the plan of the board."""

from mho.fpga.boards import BOARDS, find_board
from mho.hw.board import AnyConfig, BoardConfig, TilesConfig
from mho.hw.config import Chip, load_chip
from mho.hw.emulator import chunk_cells
from mho.hw.emulator.kinds import emulator_of
from mho.macro_models.errors import InputError

__all__ = ["board_config"]


def board_config(board: str, chip: Chip | None = None, *, noise: bool = False) -> AnyConfig:
    """A chip's core, or its tiles, on a board, or the board's own preset.

    With ``noise`` it has a shift register for read noise.

    Raises
    ------
    InputError
        If there is no such board, or the chip cannot be put on it.
    """
    plan = find_board(board).plan
    chip = load_chip(plan.chip) if chip is None else chip
    min_lanes = chunk_cells(chip.core.g_bits)
    if chip.tiled and plan.tiles is not None and chip.cores <= plan.tiles.max_tiles:
        tiles = plan.tiles
        return TilesConfig(
            chip=chip, lanes=max(min_lanes, min(tiles.lanes, chip.lines)), slots=tiles.slots, noise=noise,
            clock_hz=tiles.clock_hz, baud=tiles.baud, link_bytes=tiles.link_bytes,
        )
    if chip.tiled:
        able = ", ".join(n for n, b in BOARDS.items() if b.plan.tiles and chip.cores <= b.plan.tiles.max_tiles)
        raise InputError(f"{chip.name}: {_one_core(chip, board)}; tiles are for {able}")
    kind = emulator_of(chip)
    word_cells = 2 ** ((plan.word_bits // chip.core.g_bits).bit_length() - 1)
    return BoardConfig(
        chip=chip,
        level=kind.levels[0] if chip.lines > plan.pin_lines or "pin" not in kind.levels else "pin",
        lanes=max(kind.fewest_lanes, min_lanes, min(plan.lanes, chip.lines, word_cells)), slots=plan.slots,
        memory=plan.memory, noise=noise, search_width=plan.search_width, clock_hz=plan.clock_hz, baud=plan.baud,
        link_bytes=plan.link_bytes,
    )


def _one_core(chip: Chip, board: str) -> str:
    """What must be otherwise for a board that holds a core and no tile."""
    if chip.cores > 1:
        return f"mesh must have 1 column and 1 row to fit on {board}, not {chip.mesh.columns} x {chip.mesh.rows}"
    return f"tile.programs must be false to fit on {board}, not true"
