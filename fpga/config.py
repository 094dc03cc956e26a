"""A chip on a board, by the plan of the board."""

from mho.fpga.boards import BOARDS, find_board
from mho.hw.board.config import BoardConfig
from mho.hw.board.tiles import TilesConfig
from mho.hw.board.top import AnyConfig
from mho.hw.config import Chip, PulseChip, load_chip
from mho.hw.emulator.kinds import emulator_of
from mho.macro_models.errors import InputError


def board_config(board: str, chip: Chip | None = None, *, noise: bool = False) -> AnyConfig:
    """A chip's core, or its tiles, on a board, or the board's own preset.

    With ``noise`` it has a shift register for read noise.

    Raises InputError if there is no such board, or the chip cannot be put on it.
    """
    plan = find_board(board).plan
    chip = load_chip(plan.chip) if chip is None else chip
    if chip.tiled and plan.tiles is not None and chip.cores <= plan.tiles.max_tiles:
        tiles = plan.tiles
        return TilesConfig(
            chip=chip, lanes=min(tiles.lanes, chip.lines), slots=tiles.slots, noise=noise,
            clock_hz=tiles.clock_hz, baud=tiles.baud, link_bytes=tiles.link_bytes,
        )
    if chip.tiled:
        able = ", ".join(n for n, b in BOARDS.items() if b.plan.tiles and chip.cores <= b.plan.tiles.max_tiles)
        raise InputError(f"{chip.name}: {_one_core(chip, board)}; tiles are for {able}")
    word_cells = 2 ** ((plan.word_bits // chip.core.g_bits).bit_length() - 1)
    return BoardConfig(
        chip=chip, programs=_programs(chip, plan.program_lines),
        serial=chip.lines > plan.whole_lines and emulator_of(chip).serial,
        lanes=min(plan.lanes, chip.lines, word_cells), slots=plan.slots, memory=plan.memory, noise=noise,
        clock_hz=plan.clock_hz, baud=plan.baud, link_bytes=plan.link_bytes,
    )


def _programs(chip: Chip, most_lines: int) -> bool:
    """Whether the core programs its emulated cells: where its kind can, and there is room for what they answer by."""
    engine = isinstance(chip, PulseChip) and chip.programming.engine
    return engine and chip.lines <= most_lines and emulator_of(chip).programs


def _one_core(chip: Chip, board: str) -> str:
    """What must be otherwise for a board that holds a core and no tile."""
    if chip.cores > 1:
        return f"mesh must have 1 column and 1 row to fit on {board}, not {chip.mesh.columns} x {chip.mesh.rows}"
    return f"tile.programs must be false to fit on {board}, not true"
