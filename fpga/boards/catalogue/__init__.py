"""The boards, one file each in this folder: what a file calls ``BOARD`` is one."""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from types import MappingProxyType

from mho.fpga.boards.board import Board
from mho.macro_models.errors import InputError, nearest

__all__ = ["BOARDS", "WRONG", "find_board", "reason_of"]


def _read(path: Path) -> Board:
    board = getattr(import_module(f"{__name__}.{path.stem}"), "BOARD", None)
    if not isinstance(board, Board):
        raise InputError(f"BOARD must be a mho.fpga.boards.Board, not {board!r}")
    return board


def _read_all(folder: Path) -> tuple[dict[str, Board], dict[Path, str]]:
    """Boards by their names, and why a file holds none: it is nobody else's harm."""
    boards: dict[str, Board] = {}
    wrong: dict[Path, str] = {}
    for path in sorted(folder.glob("*.py")):
        if path.name == "__init__.py":
            continue
        try:
            board = _read(path)
            if board.name in boards:
                raise InputError(f"there is another board {board.name!r}; name must be its own")
            boards[board.name] = board
        except Exception as error:  # the file is its author's: anything may be wrong in it
            wrong[path] = reason_of(error)
    return boards, wrong


def reason_of(error: Exception) -> str:
    """What is wrong with a board, in a line."""
    kind = "" if isinstance(error, InputError) else f"{type(error).__name__}: "
    return f"{kind}{' '.join(str(error).split())}"


_BOARDS, _WRONG = _read_all(Path(__file__).parent)

BOARDS: Mapping[str, Board] = MappingProxyType(_BOARDS)
"""All boards."""

WRONG: Mapping[Path, str] = MappingProxyType(_WRONG)
"""Files that hold no board, and why."""


def find_board(name: str) -> Board:
    """The board of that name.

    Raises InputError if there is none; if a file of that name is wrong, with the reason.
    """
    if name in BOARDS:
        return BOARDS[name]
    for path, reason in WRONG.items():
        if path.stem == name.replace("-", "_"):
            raise InputError(f"{path}: {reason}")
    near = nearest(name, BOARDS)
    hint = f"did you mean {near}?" if near else f"there are {', '.join(BOARDS)}"
    raise InputError(f"there is no board {name!r}, {hint}")
