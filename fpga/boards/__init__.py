"""Boards that bitstreams are made for: their devices, clocks, pins and loaders, one module each."""

from fpga.boards.board import STATUS, Board
from fpga.boards.catalogue import BOARDS, find_board
from fpga.boards.design import BoardDesign

__all__ = ["BOARDS", "STATUS", "Board", "BoardDesign", "find_board"]
