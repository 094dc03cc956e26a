"""One core on an FPGA: the registers of the core behind a serial line, an emulator in place of the memristors."""

from hw.board.board_map import BOARD_MAGIC, BOARD_VERSION, board_map
from hw.board.config import ADDRESS_WIDTH, BOARD_BASE, CORE_BASE, LEVELS, LOAD_BASE, BoardConfig
from hw.board.core import BoardCore
from hw.board.top import BoardTop

__all__ = [
    "ADDRESS_WIDTH",
    "BOARD_BASE",
    "BOARD_MAGIC",
    "BOARD_VERSION",
    "CORE_BASE",
    "LEVELS",
    "LOAD_BASE",
    "BoardConfig",
    "BoardCore",
    "BoardTop",
    "board_map",
]
