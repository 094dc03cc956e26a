"""What can be read from a bitstream: which device it is for."""

from pathlib import Path

from fpga.boards import Board
from macro_models.errors import InputError

__all__ = ["check_bitstream"]

_ICE40_PREAMBLE = bytes.fromhex("7eaa997e")
_ECP5_PREAMBLE = bytes.fromhex("ffffbdb3")
_ECP5_VERIFY_ID = bytes.fromhex("e2000000")
"""Command of an ECP5 (Lattice FPGA-TN-02039) that compares the next four bytes with the device."""

_ICE40_SIZES = {104_090: "iCE40UP5K", 135_100: "iCE40HX8K", 32_220: "iCE40HX1K"}
"""Bytes of a bitstream of each device, as icepack writes it."""

_ECP5_DEVICES = {
    0x21111043: "LFE5U-12F", 0x41111043: "LFE5U-25F", 0x41112043: "LFE5U-45F", 0x41113043: "LFE5U-85F",
}


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
    head = data[:4096]
    if _ICE40_PREAMBLE in head:
        family, device = "ice40", _ICE40_SIZES.get(len(data), f"an iCE40, cut or unknown, of {len(data):,} bytes")
    elif _ECP5_PREAMBLE in head:
        at = head.find(_ECP5_VERIFY_ID)
        idcode = int.from_bytes(head[at + 4 : at + 8], "big") if at >= 0 else 0
        family, device = "ecp5", _ECP5_DEVICES.get(idcode, f"an ECP5 with the IDCODE {idcode:08x}")
    else:
        raise InputError(f"{path}: is not a bitstream; mho fpga build {board.name} makes one")
    if family != board.family or not board.device.startswith(device):
        raise InputError(f"{path}: is for {device}, and {board.name} has the {board.device}")
    return data
