"""Boards that bitstreams are made for: their devices, clocks, pins and loaders, one file each in ``catalogue``."""

from mho.fpga.boards.board import Board
from mho.fpga.boards.catalogue import BOARDS, WRONG, find_board
from mho.fpga.boards.design import BoardDesign

__all__ = ["BOARDS", "WRONG", "Board", "BoardDesign", "find_board"]
