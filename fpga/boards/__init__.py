"""Boards that bitstreams are made for: their devices, clocks, pins and loaders, one file each in ``catalogue``."""

from fpga.boards.board import STATUS, Board
from fpga.boards.catalogue import BOARDS, WRONG, find_board
from fpga.boards.design import BoardDesign
from fpga.boards.plan import BoardPlan, TilesPlan

__all__ = ["BOARDS", "STATUS", "WRONG", "Board", "BoardDesign", "BoardPlan", "TilesPlan", "find_board"]
