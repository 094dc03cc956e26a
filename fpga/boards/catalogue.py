"""The boards, by name."""

import difflib
from collections.abc import Mapping
from types import MappingProxyType

from fpga.boards import colorlight_i5, ecpix5_85f, hx8k_breakout, icebreaker, orangecrab, tang_nano_9k, ulx3s_85f
from fpga.boards.board import Board
from macro_models.errors import InputError

__all__ = ["BOARDS", "find_board"]

_MODULES = (icebreaker, ulx3s_85f, hx8k_breakout, orangecrab, colorlight_i5, ecpix5_85f, tang_nano_9k)

BOARDS: Mapping[str, Board] = MappingProxyType({module.BOARD.name: module.BOARD for module in _MODULES})
"""All boards."""


def find_board(name: str) -> Board:
    """The board of that name.

    Raises
    ------
    InputError
        If there is none.
    """
    if name in BOARDS:
        return BOARDS[name]
    near = difflib.get_close_matches(name, BOARDS, n=1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(BOARDS)}"
    raise InputError(f"there is no board {name!r}, {hint}")
