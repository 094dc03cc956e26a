"""A chip of tiles on an FPGA: in each tile an emulator in place of core and memristors."""

from mho.hw.board.tiles.tiles import BoardTiles, TilesConfig

__all__ = ["BoardTiles", "TilesConfig"]
