"""The tiles of a chip as models of their own, one for each kind of tile, and what stands for them in the mesh.

``sim/hdl/mesh_tiles.cpp`` runs them: whatever their kind, tiles know nothing of each other within a cycle.
"""

from collections.abc import Mapping
from pathlib import Path

from mho.hw.chip.config import ChipParts
from mho.sim.build import tile_shell
from mho.sim.build.tile_shell import TileShell
from mho.sim.build.toolchain import HDL, hash_files
from mho.sim.build.verilate import FAST, archive

_SOURCES = tuple(HDL / name for name in ("mesh_tiles.cpp", "tile.h", "tile_crew.h", "tile_group.h", "tile_waves.h"))
"""Beside ``port.h``, which benches have too."""
_READ = tuple(HDL / name for name in ("tile_shell.sv", "tile_proxy.sv", "tile_watched.sv", "tile_notes.sv"))


def models_key() -> str:
    """What decides, beside the chip and the compiler, what :class:`TileModels` makes."""
    return hash_files([Path(__file__), Path(tile_shell.__file__), *_SOURCES, *_READ])


class TileModels:
    """The kinds of tiles of a chip.

    Parameters
    ----------
    parts, macro, waves, gated
        As at :class:`mho.sim.build.tile_shell.TileShell`.
    """

    def __init__(self, parts: ChipParts, macro: str = "", *, waves: bool = False, gated: bool = False) -> None:
        self._parts, self._waves = parts, waves
        self._shells = [
            TileShell(parts, macro, kind=kind, waves=waves, gated=gated) for kind in range(len(parts.kinds))
        ]

    def around(self, modules: Mapping[str, str]) -> str:
        """Verilog of a chip with what stands for its tiles, from its modules with the tiles among them."""
        kinds = {shell.module for shell in self._shells}
        around = (text for name, text in modules.items() if name not in kinds)
        return "\n".join([*around, *(shell.proxy() for shell in self._shells)])

    def build(self, folder: Path, texts: Mapping[str, str], *, fast: str = FAST) -> list[Path]:
        """Compile the models into a folder; what a simulator of the chip is made of beside :meth:`around`.

        Parameters
        ----------
        folder
            Where they are built.
        texts
            All Verilog of tiles and of what is beside them, by the names of files.
        fast
            As at :func:`mho.sim.build.verilate.archive`.

        Raises
        ------
        ToolError
            If a tool is missing or fails.
        """
        inside, archives = written(folder, texts), list[Path]()
        for shell, name in zip(self._shells, self._names, strict=True):
            sources = [*inside, *written(folder, {f"{name}_shell.sv": shell.shell()})]
            archives.append(archive(
                folder, sources, top="tile_shell", name=name, fast=fast, constant=shell.constant, waves=self._waves))
        written(folder, {"tile_ports.h": self.header()})
        return [*archives, *_SOURCES]

    def header(self) -> str:
        """``tile_ports.h``: the ports of a tile, the kinds with what Verilator wrote for each, and who is of which."""
        kinds = {tile: k for k, tile in enumerate(self._parts.kinds)}
        numbers = ", ".join(str(kinds[tile]) for tile in self._parts.tiles)
        classes = ", ".join(f"of<{name}_of_mesh>()" for name in self._names)
        return "\n".join([
            self._shells[0].header(), *(self._kind(name) for name in self._names),
            f"#define MHO_KINDS(of) {{{classes}}}", f"#define MHO_KIND_OF {{{numbers}}}", "",
        ])

    @property
    def _names(self) -> list[str]:
        return ["Vtile", *(f"Vtile_{k}" for k in range(1, len(self._shells)))]

    def _kind(self, name: str) -> str:
        """A kind of tiles; with waves, how its signals are named and looked at."""
        lines, root = [f'#include "{name}__Edge.h"'], f"{name}___024root"
        inner = list[str]()
        if self._waves:
            lines += ['#include "verilated_fst_c.h"', f'#include "{name}__Syms.h"']
            for what, called in (("trace_init_top", "declare"), ("trace_register", "trace")):
                lines.append(f"void {root}__{what}({root}* root, VerilatedFst* file);")
                inner.append(
                    f"    static void {called}({root}* root, VerilatedFst* file) {{ {root}__{what}(root, file); }}"
                )
        return "\n".join([*lines, f"struct {name}_of_mesh : {name}__Kind {{", *inner, "};"])


def written(folder: Path, texts: Mapping[str, str]) -> list[Path]:
    """Files of a folder with texts."""
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    return [folder / name for name in texts]
