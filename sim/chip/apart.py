"""The Verilog of a chip in Verilator with each tile a model of its own, for what runs for many cycles.

The tile is compiled once. Tiles that wait are not evaluated, and those that do not are part by part of a clock edge
(``sim/hdl/mesh_tiles.cpp``). Cycles are those of one model of the whole chip.
"""

import json
from collections.abc import Callable
from pathlib import Path

from amaranth.lib import wiring

from hw.chip import ChipParts
from hw.config import Chip
from sim.build import tile_shell
from sim.build.bench import bench_key, build_bench
from sim.build.tile_shell import WHOLE_TILE, TileShell
from sim.build.toolchain import HDL, cached_build, hash_files
from sim.build.verilate import archive, hardware_hash
from sim.chip.simulation import chip_modules, ideal_macro

__all__ = ["build_apart"]

_SOURCES = [
    HDL / name for name in ("mesh_tiles.cpp", "tile_crew.h", "tile_group.h", "bench_tiles.cpp", "strobes.h")
]
"""Beside those of the bench."""
_READ = [HDL / name for name in ("tile_shell.sv", "tile_proxy.sv")]


def build_apart(kind: str, chip: Chip, make: Callable[[], wiring.Component], top: str) -> Path:
    """Folder of the bench of a component around the tiles of a chip, from the cache or built now.

    Macros are ideal, and programming is not enabled. Interrupts of tiles and their power switches end in front of their
    models, which have channels alone.

    Parameters
    ----------
    kind
        What it is called in the cache.
    chip
        The chip.
    make
        Makes what is simulated.
    top
        Name of its module.

    Raises
    ------
    ToolError
        If a tool is missing or fails.
    """
    def build(folder: Path) -> None:
        modules = chip_modules(chip, make(), top, low=False)
        tiles = TileShell(ChipParts.from_chip(chip))
        tile = folder / "tile.sv"
        tile.write_text("\n".join([*modules.values(), ideal_macro(chip, low=False), tiles.shell()]), encoding="utf-8")
        (folder / "tile_ports.h").write_text(tiles.header(), encoding="utf-8")
        model = archive(folder, [tile], top="tile_shell", name="Vtile", constant=tiles.constant)
        del modules[WHOLE_TILE]
        build_bench(folder, "\n".join([*modules.values(), tiles.proxy()]), top, [model, *_SOURCES])

    described = json.dumps(chip.hardware("core", "noc", "tile").to_dict(), sort_keys=True)
    own = hash_files([Path(__file__), Path(tile_shell.__file__), *_READ])
    return cached_build(kind, [described, hardware_hash(), own, *bench_key(top, _SOURCES)], build)
