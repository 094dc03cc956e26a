"""What can be read from a bitstream: which device it is for."""

from pathlib import Path

from mho.fpga.boards import Board
from mho.fpga.families import FAMILIES
from mho.macro_models.errors import InputError

__all__ = ["check_bitstream"]


def check_bitstream(board: Board, path: Path) -> bytes:
    """Read a bitstream for a board.

    Raises
    ------
    InputError
        If there is no such file, it is no bitstream, or one for another device.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    devices = {name: device for name, family in FAMILIES.items() if (device := family.device_in(data)) is not None}
    if not devices:
        raise InputError(f"{path}: is not a bitstream; mho fpga build {board.name} makes one")
    family, device = next(iter(devices.items()))
    if family != board.family or not board.device.startswith(device):
        raise InputError(f"{path}: is for {device}, and {board.name} has the {board.device}")
    return data
