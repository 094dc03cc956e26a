"""One core on an FPGA: the registers of the core behind a serial line, an emulator in place of the memristors."""

from hw.board.board_map import BOARD_MAGIC, BOARD_VERSIONS, board_map
from hw.board.config import BOARD_BASE, CORE_BASE, LEVELS, BoardConfig, address_width, load_base
from hw.board.core import BoardCore
from hw.board.load_port import load_offset
from hw.board.top import BoardTop

__all__ = [
    "BOARD_BASE",
    "BOARD_MAGIC",
    "BOARD_VERSIONS",
    "CORE_BASE",
    "LEVELS",
    "BoardConfig",
    "BoardCore",
    "BoardTop",
    "address_width",
    "board_map",
    "load_base",
    "load_offset",
]
