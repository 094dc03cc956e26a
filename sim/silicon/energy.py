"""Energy of the logic of a chip from its switching activity, in a library of standard cells, by block and by tile.

Named nets have the activity that the co-simulation saw, the nets between them what follows from it
(:mod:`sim.silicon.power`). All tiles of a kind are one netlist, which takes the activity of each tile in turn; what is
around the tiles is another.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw.config import Chip
from macro_models.errors import InputError
from rtl_gen.emit import ADAPTER, module_texts
from sim.build.toolchain import cache_folder
from sim.silicon.activity import Activity, read_activity
from sim.silicon.area import Netlist, synthesise
from sim.silicon.cell import Cells
from sim.silicon.flat import flatten
from sim.silicon.library import Library
from sim.silicon.modules import without_comments
from sim.silicon.power import Activities, PowerModel

__all__ = ["AVERAGE_ACTIVITY", "chip_energy", "instance_paths"]

AVERAGE_ACTIVITY = 0.1
"""Changes of a net in a cycle, where nothing is known of it."""

_LEFT_OUT = "Memories, macros, wires, glitches and the tree of the clock are left out."
_TILE = re.compile(r"tile_\d+_\d+")


@dataclass(frozen=True, kw_only=True)
class Row:
    """Energy of one image in J of the instances of a module in a tile, or around the tiles (None)."""

    tile: str | None
    module: str
    image: float
    average: float
    still: float


def chip_energy(
    chip: Chip, liberty: Path, trace: Path, images: int, progress: Callable[[int, int], None] | None = None
) -> dict[str, Any]:
    """For JSON: energy of the logic of a chip for one of ``images`` inputs, all of which are in ``trace``.

    ``image_pJ`` is with the activity of the trace, ``average_pJ`` with an average one, ``still_pJ`` what the clock and
    leakage alone take; of all, of each of ``blocks`` and of each of ``tiles``.

    Raises
    ------
    InputError
        If library or trace are none of this chip.
    ToolError
        If a tool is missing or fails.
    """
    folder = cache_folder() / "silicon"
    folder.mkdir(parents=True, exist_ok=True)
    prefix, library = chip.verilog.prefix, Library(liberty, folder)
    texts = module_texts(chip, "none", part="chip" if chip.cores > 1 else "core")
    made = synthesise(without_comments(texts), prefix, library, library, folder, progress=progress)
    activity = read_activity(trace)
    scope = _scope(made, activity)
    period = 1e-6 / chip.clock.f_clk_MHz
    rows, named = _rows(made, Cells(liberty), activity, scope, images, period)
    return {
        **_sums(rows), "average_activity": AVERAGE_ACTIVITY, "cycles": activity.cycles / images,
        "what": _what(chip), "blocks": _blocks(rows, prefix), "tiles": _tiles(rows), "left_out": _LEFT_OUT,
        "named_nets": named,
    }


def instance_paths(made: Netlist) -> dict[str, str]:
    """Module of each instance of a module, by its path with slashes; the top's path is empty."""
    found = {"": made.top}

    def visit(path: str, module: str) -> None:
        for child, name in re.findall(r"^  (\w+) (?:#\(.*\) )?(\w+) \($", made.modules[module], re.MULTILINE):
            if child in made.modules:
                inner = f"{path}/{name}" if path else name
                found[inner] = child
                visit(inner, child)

    visit("", made.top)
    return found


def _scope(made: Netlist, activity: Activity) -> str:
    """Path of the top in the trace."""
    parts = [path for path, module in instance_paths(made).items()
             if path and "/" not in path and not module.endswith(ADAPTER)]
    scope = activity.below(parts)
    if activity.cycles < 1 or f"{scope}.clk" not in activity.changes:
        raise InputError(f"the trace must have the clock {scope}.clk, and cycles of it")
    return scope


def _what(chip: Chip) -> str:
    if chip.cores > 1:
        return f"the chip of {chip.cores} tiles, each with its own activity, and what is around them"
    return "the core without a bus"


def _rows(
    made: Netlist, cells: Cells, activity: Activity, scope: str, images: int, period: float
) -> tuple[list[Row], int]:
    """Energies of all tiles and of what is around them, and the nets that the trace names."""
    tiles = {path: module for path, module in instance_paths(made).items() if _TILE.fullmatch(path)}
    tops: dict[str, list[tuple[str | None, str]]] = {made.top: [(None, scope)]}
    for path, module in tiles.items():
        tops.setdefault(module, []).append((path, f"{scope}.{path}"))
    rows, named = [], 0
    for top, instances in tops.items():
        below = {name: netlist for name, netlist in made.netlists.items() if name == top or name not in tops}
        flat = flatten(top, below, cells)
        model = PowerModel(flat, cells)
        names = [
            (path.replace("/", "."), name, nets) for (path, _), some in zip(flat.places, flat.names, strict=True)
            for name, nets in some.items()
        ]
        modules = [module for _, module in flat.places]
        for path, at in instances:
            seen = _seen(names, flat.nets, activity, at)
            named += int(np.count_nonzero(seen.known)) - 2
            model.carry(seen)
            energies = _energies(model, seen, activity.cycles / images, period)
            tile = None if path is None else path.removeprefix("tile_").replace("_", ",")
            rows += [Row(tile=tile, module=module, image=one, average=other, still=still)
                     for module, one, other, still in zip(modules, *energies, strict=True)]
    return rows, named


def _seen(
    names: list[tuple[str, str, NDArray[np.int64]]], nets: int, activity: Activity, scope: str
) -> Activities:
    """What the trace knows of the nets of a design whose top is at ``scope``."""
    seen, cycles = Activities.none(nets), activity.cycles
    for path, name, bits in names:
        full = f"{scope}.{path}.{name}" if path else f"{scope}.{name}"
        changes = activity.changes.get(full)
        if changes is not None and len(changes) == len(bits):
            seen.set(bits, np.array(changes) / cycles, np.array(activity.ones[full]) / cycles)
    return seen


def _energies(
    model: PowerModel, seen: Activities, cycles: float, period: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """J by place: with the activity seen, with an average one, and of clock and leakage alone."""
    # A cycle ends before the edge, where a clock is 0; it is 1 for half of each of its own cycles.
    seen.duty[model.clocks] = seen.changes[model.clocks] / 4
    average = Activities.none(len(seen.duty))
    average.set(np.arange(len(seen.duty)), AVERAGE_ACTIVITY, 0.5)
    average.set(model.clocks, seen.changes[model.clocks], seen.duty[model.clocks])
    one, other = model.power(seen), model.power(average)
    took = cycles * period
    still = one.clock * cycles + one.leakage * took
    return one.changes * cycles + still, (other.changes + other.clock) * cycles + other.leakage * took, still


def _sums(rows: list[Row]) -> dict[str, float]:
    """The sums of some rows in pJ."""
    return {f"{key}_pJ": 1e12 * float(sum(getattr(row, key) for row in rows)) for key in ("image", "average", "still")}


def _blocks(rows: list[Row], prefix: str) -> list[dict[str, Any]]:
    """Sums over all instances of each module, most first."""
    by_module: dict[str, list[Row]] = {}
    for row in rows:
        by_module.setdefault(row.module, []).append(row)
    found = [{"block": module.removeprefix(prefix), **_sums(some)} for module, some in by_module.items()]
    return sorted(found, key=lambda one: -one["image_pJ"])


def _tiles(rows: list[Row]) -> list[dict[str, Any]]:
    """Sums of each tile, in the order of the rows of the mesh; what is around them last. Empty for a core."""
    by_tile: dict[str | None, list[Row]] = {}
    for row in rows:
        by_tile.setdefault(row.tile, []).append(row)
    if len(by_tile) == 1:
        return []
    order = sorted(by_tile, key=lambda one: (one is None, *reversed([int(k) for k in (one or "0").split(",")])))
    return [{"tile": tile, **_sums(by_tile[tile])} for tile in order]
