"""Libraries of standard cells: Liberty files, as they come or packed by gzip."""

import hashlib
import re
import tempfile
from pathlib import Path

from macro_models.errors import InputError
from sim.silicon.liberty import liberty_text

__all__ = ["Library", "write_whole"]

_DRIVER = "buf_2"
"""Part of the name of the cell that drives the ports of a module, for ABC."""

_NOT_FOR_LOGIC = ("lgcp", "sighold", "dly", "antenna")
"""Parts of names of cells that are not for logic."""


class Library:
    """A Liberty file, unpacked for the tools into ``folder``.

    Attributes
    ----------
    name
        Of the file, without folder and endings.
    path
        The unpacked file.
    unused, driver
        Cells that are not for logic; the cell that drives the ports of a module.

    Raises
    ------
    InputError
        If the file cannot be read, or has no cells.
    """

    def __init__(self, path: Path, folder: Path) -> None:
        text = liberty_text(path)
        cells = re.findall(r"^\s*cell\s*\(\s*\"?(\w+)", text, re.MULTILINE)
        if not cells:
            raise InputError(f"{path}: must be a Liberty file with cells; none is there")
        self.name = path.name.removesuffix(".gz").removesuffix(".lib")
        self.path = folder / f"{hashlib.sha256(text.encode()).hexdigest()[:16]}.lib"
        if not self.path.exists():
            write_whole(self.path, text)
        self.unused = [cell for cell in cells if any(part in cell for part in _NOT_FOR_LOGIC)]
        self.driver = next((cell for cell in cells if _DRIVER in cell), cells[0])


def write_whole(path: Path, text: str) -> None:
    """As a whole or not at all: others may use the same cache."""
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as file:
        file.write(text)
    Path(file.name).rename(path)
