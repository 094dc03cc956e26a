"""Libraries of standard cells: Liberty files, as they come or packed by gzip."""

import hashlib
import re
import tempfile
from pathlib import Path

from macro_models.errors import InputError
from sim.silicon.liberty.tree import CLOCK_PIN, ENABLE_PIN, OUT_PIN, liberty_text

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
    clock_gate
        The first cell that gates a clock whose edges rise, and its pins of enable, clock and gated clock, if there is
        one that needs no other.

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
        self.clock_gate = _clock_gate(text)


def _clock_gate(text: str) -> tuple[str, str, str, str] | None:
    for cell in re.split(r"^\s*cell\s*(?=\()", text, flags=re.MULTILINE)[1:]:
        if not re.search(r'clock_gating_integrated_cell\s*:\s*"?latch_posedge"?\s*;', cell):
            continue
        pins = re.split(r"\bpin\s*(?=\()", cell)
        found = [
            _name(pin) for kind in (ENABLE_PIN, CLOCK_PIN, OUT_PIN) for pin in pins[1:]
            if re.search(rf'{kind}\s*:\s*"?true', pin)
        ]
        if len(found) == 3:
            return _name(cell), found[0], found[1], found[2]
    return None


def _name(group: str) -> str:
    """The name in the brackets that a group begins with."""
    return group[1 : group.index(")")].strip().strip('"')


def write_whole(path: Path, text: str) -> None:
    """As a whole or not at all: others may use the same cache."""
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as file:
        file.write(text)
    Path(file.name).rename(path)
