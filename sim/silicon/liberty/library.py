"""Libraries of standard cells: Liberty files, as they come or packed by gzip."""

import hashlib
import tempfile
from pathlib import Path

from mho.macro_models.errors import InputError
from mho.macro_models.files.scripts import script_name
from mho.sim.silicon.liberty.tree import CLOCK_PIN, ENABLE_PIN, OUT_PIN, Group, liberty_text, parse_liberty

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
    hash, path
        Of its text; the unpacked file.
    unused, driver
        Cells that are not for logic; the cell that drives the ports of a module.
    clock_gate
        The first cell that gates a clock whose edges rise, and its pins of enable, clock and gated clock, if there is
        one that needs no other.

    Raises
    ------
    InputError
        If the file cannot be read, has no cells, or names that are none for a script.
    """

    def __init__(self, path: Path, folder: Path) -> None:
        text = liberty_text(path)
        cells = list(parse_liberty(text, str(path)).all("cell"))
        if not cells:
            raise InputError(f"{path}: must be a Liberty file with cells; none is there")
        names = [script_name(" ".join(cell.names), f"{path}: the name of a cell") for cell in cells]
        self.name = path.name.removesuffix(".gz").removesuffix(".lib")
        self.hash = hashlib.sha256(text.encode()).hexdigest()[:16]
        self.path = folder / f"{self.hash}.lib"
        if not self.path.exists():
            write_whole(self.path, text)
        self.unused = [cell for cell in names if any(part in cell for part in _NOT_FOR_LOGIC)]
        self.driver = next((cell for cell in names if _DRIVER in cell), names[0])
        self.clock_gate = next((pins for cell in cells if (pins := _clock_gate(cell, path)) is not None), None)


def _clock_gate(cell: Group, path: Path) -> tuple[str, str, str, str] | None:
    if cell.values.get("clock_gating_integrated_cell") != "latch_posedge":
        return None
    pins = [next((" ".join(pin.names) for pin in cell.all("pin") if pin.values.get(kind) == "true"), None)
            for kind in (ENABLE_PIN, CLOCK_PIN, OUT_PIN)]
    if None in pins:
        return None
    enable, clock, out = (script_name(pin or "", f"{path}: the name of a pin of {cell.name}") for pin in pins)
    return cell.name, enable, clock, out


def write_whole(path: Path, text: str) -> None:
    """As a whole or not at all: others may use the same cache."""
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as file:
        file.write(text)
    Path(file.name).rename(path)
