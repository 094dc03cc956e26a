"""A core, or a chip of tiles, on an FPGA: registers behind a serial line, emulators in place of the memristors."""

from mho.hw.board.config import (
    BOARD_BASE,
    BOARD_MAGIC,
    BOARD_VERSION,
    CORE_BASE,
    BoardConfig,
    address_width,
    board_map,
    load_base,
)
from mho.hw.board.load_port import load_offset
from mho.hw.board.tiles import TilesConfig
from mho.hw.board.top import AnyConfig, BoardTop, inside

__all__ = [
    "BOARD_BASE",
    "BOARD_MAGIC",
    "BOARD_VERSION",
    "CORE_BASE",
    "AnyConfig",
    "BoardConfig",
    "BoardTop",
    "TilesConfig",
    "address_width",
    "board_map",
    "inside",
    "load_base",
    "load_offset",
]
