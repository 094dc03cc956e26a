"""The Verilog of a chip in Verilator with each tile a model of its own, for what runs for many cycles.

Each kind of tile is compiled once. Tiles that wait are not evaluated, and those that do not are part by part of a clock
edge (``sim/hdl/mesh_tiles.cpp``). Cycles are those of one model of the whole chip.
"""

import json
from collections.abc import Callable
from pathlib import Path

from amaranth.lib import wiring

from mho.hw.chip.config import ChipParts
from mho.hw.config import Chip
from mho.sim.build.bench import bench_key, build_bench
from mho.sim.build.tile_models import TileModels, models_key
from mho.sim.build.toolchain import HDL, cached_build, hash_files
from mho.sim.build.verilate import hardware_hash
from mho.sim.chip.simulation import chip_modules, ideal_macro

__all__ = ["build_apart"]

_SOURCES = [HDL / name for name in ("bench_tiles.cpp", "strobes.h")]
"""Beside those of the bench and of the tiles."""


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
        models = TileModels(ChipParts.from_chip(chip))
        inside = {"tile.v": "\n".join(modules.values()), "macro.v": ideal_macro(chip, low=False)}
        build_bench(folder, models.around(modules), top, [*models.build(folder, inside), *_SOURCES])

    described = json.dumps(chip.hardware("core", "noc", "tile").to_dict(), sort_keys=True)
    key = [described, hardware_hash(), hash_files([Path(__file__)]), models_key(), *bench_key(top, _SOURCES)]
    return cached_build(kind, key, build)
