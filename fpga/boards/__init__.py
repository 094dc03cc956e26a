"""Boards that bitstreams are made for: their devices, clocks, pins and loaders, one file each in ``catalogue``."""

from mho.fpga.boards.board import STATUS, Board
from mho.fpga.boards.catalogue import BOARDS, WRONG, find_board
from mho.fpga.boards.design import BoardDesign
from mho.fpga.boards.plan import BoardPlan, TilesPlan

__all__ = ["BOARDS", "STATUS", "WRONG", "Board", "BoardDesign", "BoardPlan", "TilesPlan", "find_board"]
