"""The tools that make bitstreams: those of the system, or the same ones as WebAssembly in Python packages."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from fpga.boards import Board
from macro_models.errors import InputError, ToolError

__all__ = ["FLOWS", "Toolchain", "find_toolchain"]

FLOWS = ("auto", "native", "yowasp")
"""``yowasp``: tools in Python packages; ``native``: those of the system; ``auto``: native if all are there."""

_APT = {
    "yosys": "yosys", "nextpnr-ice40": "nextpnr-ice40", "icepack": "fpga-icestorm", "nextpnr-ecp5": "nextpnr-ecp5",
    "ecppack": "fpga-trellis",
}

_STEPS = {"ice40": ("yosys", "nextpnr-ice40", "icepack"), "ecp5": ("yosys", "nextpnr-ecp5", "ecppack")}

_VERSION = {"yosys": "-V", "nextpnr-ice40": "--version", "nextpnr-ecp5": "--version", "ecppack": "--version"}
"""How to ask for the version; icepack has none."""


@dataclass(frozen=True)
class Toolchain:
    """Commands of synthesis, of place and route, and of the bitstream.

    Attributes
    ----------
    flow
        ``native`` or ``yowasp``.
    commands
        Path of each tool, by its name, in the order of their use.
    """

    flow: str
    commands: dict[str, str]

    @property
    def steps(self) -> tuple[str, str, str]:
        """Paths in the order of their use."""
        synthesis, place, pack = self.commands.values()
        return synthesis, place, pack

    def versions(self) -> dict[str, str]:
        """What each tool says of itself."""
        found = {}
        for name, path in self.commands.items():
            if name in _VERSION:
                result = subprocess.run([path, _VERSION[name]], capture_output=True, text=True, check=False)
                lines = (result.stdout + result.stderr).splitlines()
                found[name] = next((line.strip() for line in lines if re.search(r"\d\.\d", line)), "unknown")
        return found


def find_toolchain(board: Board, flow: str = "auto") -> Toolchain:
    """The tools for a board.

    In the flow ``auto`` a variable of the environment with the name of a tool (``YOSYS``, ``NEXTPNR_ICE40``,
    ``ICEPACK``, ``NEXTPNR_ECP5``, ``ECPPACK``) goes before the tool of that name, as in Amaranth's own scripts.

    Raises
    ------
    InputError
        If there is no such flow.
    ToolError
        If a tool is missing, with the package that has it.
    """
    if flow not in FLOWS:
        raise InputError(f"tools must be one of {', '.join(FLOWS)}, not {flow!r}")
    names = _STEPS[board.family]
    native = {name: path for name in names if (path := _native(name))}
    packaged = {name: path for name in names if (path := _packaged(name))}
    if flow != "yowasp" and len(native) == len(names):
        return Toolchain("native", native)
    if flow != "native" and len(packaged) == len(names):
        return Toolchain("yowasp", packaged)
    missing = next(name for name in names if name not in (packaged if flow == "yowasp" else native))
    apt, pip = f"apt-get install {_APT[missing]}", "pip install 'mho[fpga-tools]'"
    how = {"native": apt, "yowasp": pip, "auto": f"{apt}, or as a Python package with: {pip}"}[flow]
    raise ToolError(f"{'yowasp-' * (flow == 'yowasp')}{missing} was not found; install it with: {how}")


def _native(name: str) -> str | None:
    return shutil.which(os.environ.get(name.upper().replace("-", "_"), name))


def _packaged(name: str) -> str | None:
    """Also where the environment of this Python is not on the PATH."""
    return shutil.which(f"yowasp-{name}") or shutil.which(f"yowasp-{name}", path=str(Path(sys.executable).parent))
