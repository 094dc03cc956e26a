"""What fits on a board."""

from mho.fpga.boards import Board
from mho.hw.board import AnyConfig, TilesConfig
from mho.hw.tile.config import TileConfig
from mho.macro_models.errors import InputError

__all__ = ["check_memory", "what_fits"]


def what_fits(board: Board) -> str:
    """A sentence about the largest cores that were built for a board."""
    sizes = ", ".join(f"{lines} lines with g_bits up to {g_bits}" for lines, g_bits in board.fits)
    return f"what fits is {sizes}"


def _buffer_bits(cfg: AnyConfig) -> int:
    """Of the buffers of all tiles; a core alone has none."""
    tiles = TileConfig.of_tiles(cfg.chip).values() if isinstance(cfg, TilesConfig) else ()
    return sum(8 * tile.buffer_bytes for tile in tiles)


def check_memory(board: Board, cfg: AnyConfig) -> None:
    """Refuse what can be seen not to fit before it is built: cells, and buffers of tiles, that the memory cannot hold.

    Raises
    ------
    InputError
        With the sizes that fit.
    """
    emulator = cfg.emulator
    spram = emulator.memory == "spram"
    # A word of SPRAM has 16 bits, so the width of a word says how many there are; its depth was checked before.
    bits = cfg.cores * emulator.cell_words * emulator.word_bits + _buffer_bits(cfg)
    need = cfg.cores * (emulator.word_bits // 16) if spram else bits
    have = board.spram if spram else board.memory_bits
    if need > have:
        sizes = f"{need} SPRAMs" if spram else f"{need / 1024:g} kbit of block RAM"
        what = "cells and buffers" if isinstance(cfg, TilesConfig) else "cells"
        capacity = f"{have}" if spram else f"{have / 1024:g} kbit"
        raise InputError(
            f"{cfg.chip.name} is too large for {board.name}: its {what} need {sizes} and the {board.device} has "
            f"{capacity}; {what_fits(board)}"
        )
