"""A core, or a chip of tiles, on an FPGA: registers behind a serial line, emulators in place of the memristors."""

from hw.board.board_map import BOARD_MAGIC, BOARD_VERSIONS, board_map
from hw.board.config import BOARD_BASE, CORE_BASE, LEVELS, BoardConfig, address_width, load_base
from hw.board.core import BoardCore
from hw.board.load_port import load_offset
from hw.board.tiles import BoardTiles, TilesConfig
from hw.board.top import AnyConfig, BoardTop, inside

__all__ = [
    "BOARD_BASE",
    "BOARD_MAGIC",
    "BOARD_VERSIONS",
    "CORE_BASE",
    "LEVELS",
    "AnyConfig",
    "BoardConfig",
    "BoardCore",
    "BoardTiles",
    "BoardTop",
    "TilesConfig",
    "address_width",
    "board_map",
    "inside",
    "load_base",
    "load_offset",
]
