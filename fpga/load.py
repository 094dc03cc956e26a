"""Loading a bitstream into a board."""

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mho.fpga.boards import Board, find_board
from mho.fpga.families import FAMILIES
from mho.macro_models.errors import InputError, ToolError
from mho.macro_models.files import parse_json
from mho.sim.build.children import Child

USB_RULE = 'SUBSYSTEMS=="usb", ATTRS{idVendor}=="0403", MODE="0660", TAG+="uaccess"'
"""Gives the user at the screen access to the FTDI chips of the boards, as programmers and as serial ports."""

_TIMEOUT_S = 300.0


@dataclass(frozen=True, kw_only=True)
class LoadReport:
    """What was loaded."""

    board: str
    file: str
    """Where to, and what."""
    bytes: int
    sha256: str
    """Size and hash of the file."""
    flash: bool
    """Whether it is in the flash memory, and so there after switching on."""
    tool: str
    """Name and version of the loader."""


def load(
    board_name: str, file: Path, *, flash: bool = False, cable: str | None = None, remote: str | None = None,
    note: Callable[[str], None] = lambda line: None,
) -> LoadReport:
    """Load a bitstream with openFPGALoader, named by ``OPENFPGALOADER`` or on the PATH.

    Raises InputError if the file is not a bitstream for this board, or was altered since it was built. Raises ToolError
    if the loader is missing, there is no board, it is another one, or the user may not use it.

    Parameters
    ----------
    flash
        Write it to the flash memory of the board. Boards with an iCE40 or a bootloader always do.
    cable
        Name of a JTAG cable for openFPGALoader, in place of the one on the board.
    remote
        ``HOST:PORT`` of a server of the remote-bitbang protocol that has the board.
    note
        Called with a line at each step.
    """
    board = find_board(board_name)
    data = check_bitstream(board, file)
    digest = hashlib.sha256(data).hexdigest()
    _check_report(file, digest)
    tool = _loader()
    note(f"loading {len(data):,} bytes into the {'flash of the ' if flash else ''}{board.title} ...")
    command = [tool, *_way(board, cable, remote), *_where(board, flash), str(file.absolute())]
    child = Child(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        output = child.communicate(timeout=_TIMEOUT_S)[0].decode(errors="replace")
    except subprocess.TimeoutExpired:
        raise ToolError(f"openFPGALoader did not end within {_TIMEOUT_S:g} s; unplug the board and try again") from None
    finally:
        child.end()
    if child.returncode or re.search(r"\b(mismatch|failed to program)\b", output, re.IGNORECASE):
        raise ToolError(_sentence(board, output, remote))
    return LoadReport(
        board=board.name, file=str(file), bytes=len(data), sha256=digest, flash=flash or board.keeps,
        tool=_version(tool),
    )


def check_bitstream(board: Board, path: Path) -> bytes:
    """Read a bitstream for a board.

    Raises InputError if there is no such file, it is no bitstream, or one for another device.
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


def _check_report(file: Path, digest: str) -> None:
    """A bitstream that lies beside the report of its build is the one in the report."""
    try:
        report = parse_json((file.parent / "report.json").read_text())
        name, expected = report["bitstream"], report["bitstream_sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        return
    if name == file.name and expected != digest:
        raise InputError(f"{file}: is not what report.json beside it says that was built; build it again")


def _loader() -> str:
    tool = shutil.which(os.environ.get("OPENFPGALOADER", "openFPGALoader"))
    if tool is None:
        raise ToolError("openFPGALoader was not found; install it with: apt-get install openfpgaloader")
    return tool


def _version(tool: str) -> str:
    result = subprocess.run([tool, "--Version"], capture_output=True, text=True, check=False)
    return (result.stdout + result.stderr).strip().partition("\n")[0]


def _way(board: Board, cable: str | None, remote: str | None) -> Sequence[str]:
    if remote is not None:
        host, _, port = remote.rpartition(":")
        if not host or not port.isdecimal() or int(port) > 65535:
            raise InputError(f"--remote must be HOST:PORT, not {remote!r}")
        return ("-c", "remote-bitbang", "--ip", host, "--port", port)
    return ("-c", cable) if cable is not None else ("-b", board.loader)


def _where(board: Board, flash: bool) -> Sequence[str]:
    if board.keeps:
        return ()
    return ("-f",) if flash else ("-m",)


def _sentence(board: Board, output: str, remote: str | None) -> str:
    """What openFPGALoader means."""
    if re.search(r"idcode", output, re.IGNORECASE) and re.search(r"mismatch", output, re.IGNORECASE):
        return f"the device that answers is not the {board.device} of {board.name}: nothing was loaded"
    if re.search(r"permission|access|usb_open\(\) failed|\(-4\)|: -4 ", output, re.IGNORECASE):
        return (
            f"no permission to use the USB port of {board.name}; put this line into /etc/udev/rules.d/70-mho.rules, "
            f"run udevadm control --reload and plug the board in again: {USB_RULE}"
        )
    if re.search(r"unable to claim|\bbusy\b", output, re.IGNORECASE):
        return f"another program uses the USB port of {board.name}"
    if remote is not None and re.search(r"connect|socket|fail to", output, re.IGNORECASE):
        return f"there is no remote-bitbang server at {remote}"
    if re.search(r"device not found|no device|not found", output, re.IGNORECASE):
        return f"no board was found; {board.title} must be plugged in and switched on"
    lines = [line.strip() for line in output.replace("\r", "\n").splitlines() if line.strip()]
    return f"openFPGALoader failed: {lines[-1] if lines else 'no message'}"
