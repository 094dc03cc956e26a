"""A chip of tiles on an FPGA: in each tile an emulator in place of core and memristors."""

from hw.board.tiles.blocks import EmulatedBlocks
from hw.board.tiles.config import TilesConfig
from hw.board.tiles.tiles import BoardTiles

__all__ = ["BoardTiles", "EmulatedBlocks", "TilesConfig"]
