"""Where a design is in a trace, and which of its tiles have waves."""

import re
from dataclasses import dataclass

from mho.macro_models.errors import InputError
from mho.rtl_gen.emit import ADAPTER
from mho.sim.silicon.area import Netlist
from mho.sim.silicon.power.activity import Activity

_TILE = re.compile(r"tile_\d+_\d+")


@dataclass(frozen=True, kw_only=True)
class Traced:
    """A design as a trace has it."""

    scope: str
    """Path of its top in the trace, with dots."""
    instances: dict[str, str]
    """Module of each instance that has waves, by its path with slashes; the top's path is empty."""
    tiles: dict[str, str]
    """Those of them that are tiles."""
    unseen: list[str]
    """Paths of the tiles without waves."""


def find_design(netlist: Netlist, activity: Activity) -> Traced:
    """Where a trace has the design; of a chip of tiles it may have waves of some tiles alone.

    Raises
    ------
    InputError
        If the trace is of another design, or has no cycles.
    """
    instances = instance_paths(netlist)
    parts = [path for path, module in instances.items() if path and "/" not in path and not module.endswith(ADAPTER)]
    tiles = [path for path in parts if _TILE.fullmatch(path)]
    scope = activity.below([path for path in parts if path not in tiles], tiles)
    if activity.cycles < 1 or f"{scope}.clk" not in activity.changes:
        raise InputError(f"the trace must have the clock {scope}.clk, and cycles of it")
    if tiles:
        _check_mesh(tiles, scope, activity)
    unseen = [path for path in tiles if f"{scope}.{path}" not in activity.scopes]
    traced = {path: module for path, module in instances.items() if path.partition("/")[0] not in unseen}
    shown = {path: traced[path] for path in tiles if path in traced}
    return Traced(scope=scope, instances=traced, tiles=shown, unseen=unseen)


def _check_mesh(tiles: list[str], scope: str, activity: Activity) -> None:
    """Refuse a mesh of other tiles: its links have the names of all of them, with waves or without."""
    start = f"{scope}."
    names = (path.removeprefix(start) for path in activity.changes if path.startswith(f"{start}tile_"))
    links = {tile[0] for name in names if (tile := _TILE.match(name)) is not None}
    if links != set(tiles):
        raise InputError(f"the trace must be of this chip, a mesh of {len(tiles)} tiles; it is of one of {len(links)}")


def instance_paths(netlist: Netlist) -> dict[str, str]:
    """Module of each instance of a module, by its path with slashes; the top's path is empty."""
    paths = {"": netlist.top}

    def visit(path: str, module: str) -> None:
        for child, name in re.findall(r"^  (\w+) (?:#\(.*\) )?(\w+) \($", netlist.modules[module], re.MULTILINE):
            if child in netlist.modules:
                inner = f"{path}/{name}" if path else name
                paths[inner] = child
                visit(inner, child)

    visit("", netlist.top)
    return paths


def tile_name(path: str) -> str | None:
    """``1,0`` of ``tile_1_0`` and of what is in it; None of what is around the tiles."""
    top = path.partition("/")[0]
    return top.removeprefix("tile_").replace("_", ",") if _TILE.fullmatch(top) else None
