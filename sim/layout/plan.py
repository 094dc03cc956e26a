"""Outline of a block: how large it is, where its macros are, and the settings of all scripts."""

import json
import math
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mho.macro_models.files import FileKind, parse_json, reading
from mho.sim.layout.block import Block
from mho.sim.layout.macros import Macro, mended_liberty
from mho.sim.layout.pdk import Pdk

LAYOUT = FileKind("folder of a layout")
"""What a stage left there is read by the next one, perhaps of a later run."""

FILES = ("layers", "colours", "power_grid", "wires", "extraction", "drc", "lvs", "latches")
"""Of a process, that stages take as they are."""

_MARGIN_um = 17.28
"""From the edge of the block to its rows, for the ring of supplies."""

_HALO_um = 30.0
"""Around a macro, for wires to its pins: half of it on each side."""

_PINS_um, _BUFFERS_um = 80.0, 20.0
"""Before a memory, for wires to its pins, which are at one edge; and what of it has rows: cells would fill more."""

_ASIDE_um, _ENOUGH_um = 0.22, 400.0
"""Beside memories for each pin of those above others, since half are of a test; and where most end at cells near by."""

_ROW_um = 3.78
"""Height of a row of cells."""

_BEYOND_um = 5 * _ROW_um
"""Above all memories, whose ring of supplies goes around all rows: those there have no room for cells."""

_GROWTH = 1.1
"""Cells of buffers, clock tree and repair, beside those of the synthesis."""

_LEAST_um = 150.0
"""Side of a block: stripes of supplies want as much."""

_CUT_um, _BUFFER_um2 = 10.0, 15.0
"""What rows keep away from a macro; a buffer or a delay of one wire."""

_SETUP_MARGIN_ns, _HOLD_MARGIN_ns = 0.6, 0.08
"""What repair before routing leaves for wires that turn out longer."""

_CLOCK_SPREAD = 0.04
"""Share by which two branches of the clock tree may differ from their estimate, each way: hold between them."""


def script_settings(block: Block, pdk: Pdk, folder: Path, *, density: float) -> dict[str, Any]:
    """Names and files that all stages take; those of the PDK unpacked below ``folder`` where they are packed."""
    files = {key: str(pdk.file(path, folder / "pdk")) for key, path in pdk.files.items() if key != "models"}
    models = [pdk.file(pdk.files["models"], folder / "pdk")] if pdk.has("models") else []
    corners = {name: mended_liberty(pdk.file(path, folder / "pdk"), folder) for name, path in pdk.corners.items()}
    macros = block.macros
    return {
        "top": block.top, "sdc": block.constraints,
        "lefs": [files["technology"], files["cells"], *(macro.lef for macro in macros)],
        "liberty": {corner: [path, *dict.fromkeys(macro.liberty[corner] for macro in macros)]
                    for corner, path in corners.items()},
        "layouts": [files["layouts"], *(macro.layout for macro in macros if macro.layout)],
        "netlists": [files["netlists"], *(macro.netlist for macro in macros)],
        "models": list(map(str, models)), **{key: files[key] for key in FILES},
        "unused": pdk.cells["unused"], "fillers": pdk.cells["fill"],
        **{key: value for key, value in pdk.cells.items() if key not in ("unused", "fill")}, **pdk.routing,
        "macro_supplies": [list(pair) for pair in dict.fromkeys(
            pair for macro in macros for pair in macro.supplies.items())],
        "memory_power": pdk.memories.get("power", []), "memory_stripes": pdk.memories.get("stripes", []),
        **{f"{side}_cells": [macro.name for macro in macros if macro.side == side]
           for side in ("right", "left", "mesh")},
        "hollow": any(macro.side == "mesh" and not macro.layout for macro in macros), "fill": pdk.fill,
        "density": density, "setup_margin": _SETUP_MARGIN_ns, "hold_margin": _HOLD_MARGIN_ns,
        "clock_spread": _CLOCK_SPREAD, "margin": _MARGIN_um,
        "threads": os.cpu_count() or 1, "propagated": ["route", "finish"], "edges": edge_pins(block.ports),
        "outline_ns": block.period_ns / 3,
    }


def write_outline(settings: dict[str, Any], block: Block, folder: Path) -> dict[str, Any]:
    """Settings with the outline, for Python and for Tcl, from what the synthesis counted."""
    with reading(folder, LAYOUT):
        counts = parse_json((folder / "synth.json").read_text())["design"]
        cells, used = int(counts["num_cells"]), float(counts.get("area", 0.0))
        instances = macro_instances((folder / "synth.v").read_text(), block.macros)
    largest = [max((getattr(macro, way) for _, macro in instances), default=0.0) for way in ("width", "height")]
    area = used * _GROWTH / settings["density"]
    home, channels, buffers = list[float](), list[list[float]](), list[list[Any]]()
    if any(macro.side == "mesh" for _, macro in instances):
        wide, tall, home, corners, channels = _mesh(area, settings, instances)
    else:
        wide, tall, corners, channels, buffers = _edges(area, instances)
    beside = max((macro.width + _HALO_um for _, macro in instances if macro.side == "left"), default=0.0)
    placed = [[name, _on_grid(_MARGIN_um + x, 0.48), _on_grid(_MARGIN_um + y, _ROW_um), turned]
              for name, x, y, turned in corners]
    whole = settings | {
        "width": _on_grid(wide + 2 * _MARGIN_um, 0.48), "height": _on_grid(tall + 2 * _MARGIN_um, _ROW_um),
        "macros": placed, "cells": cells, "inner": block.inner,
        "reach": [max(500, round(largest[0] / 0.48)), max(100, round(largest[1] / _ROW_um))],
        "pins_from": beside if sum(block.ports.values()) < wide - beside else 0.0,
        "home": [_MARGIN_um + length for length in home],
        "channels": [[_MARGIN_um + length for length in channel] for channel in channels],
        "buffer_rows": [[name, *(_MARGIN_um + length for length in corners)] for name, *corners in buffers],
    }
    (folder / "settings.json").write_text(json.dumps(whole, indent=1) + "\n")
    (folder / "settings.tcl").write_text(_tcl(whole))
    return whole


_Corners = list[tuple[str, float, float, str]]
"""Names of instances, x and y of their lower left corners in um, within the rows, and orientations."""


def _edges(
    area: float, instances: Sequence[tuple[str, Macro]]
) -> tuple[float, float, _Corners, list[list[float]], list[list[Any]]]:
    """Width and height of the rows, with memories beneath each other at their left edge, and above arrays at the right.

    The last two are channels, by their corners, that have no rows, or a site of them beyond memories; and rows for the
    buffers of a memory alone, by its name and their corners.
    """
    arrays, memories = ([each for each in instances if each[1].side == side] for side in ("right", "left"))
    area += sum((macro.width + _HALO_um / 2) * (macro.height + _HALO_um / 2) for _, macro in arrays)
    area += sum((macro.width + _HALO_um / 2) * (macro.height + _PINS_um) for _, macro in memories)
    tallest = max((macro.height + _HALO_um for _, macro in arrays), default=0.0)
    columns = _packed(arrays, "height", tallest)
    reach = sum(column[0][1].width + _HALO_um for column in columns)
    step = max((macro.width + _HALO_um for _, macro in memories), default=0.0)
    wide = max(math.sqrt(area), reach + step, _LEAST_um)
    tall = max(area / wide, tallest, _LEAST_um)
    near = arrays[0][0].split(".")[0] + "." if arrays else " "
    while len(stacks := _stacks(memories, near, tall - _BEYOND_um, tall - _BEYOND_um - tallest)) > 2:
        tall += _ROW_um
    aside = min(_ENOUGH_um, _ASIDE_um * sum(macro.pins for stack in stacks for _, macro in stack[:-1]))
    wide = max(min(wide, area / tall), reach + step, len(stacks) * step + aside, _LEAST_um)
    corners, channels, buffers = list[tuple[str, float, float, str]](), list[list[float]](), list[list[Any]]()
    for number, stack in enumerate(stacks):
        top = tall - _BEYOND_um
        channels.append([1.0, top, step, tall] if number == 0 else [wide - step, top, wide + _ROW_um, tall])
        for name, macro in stack:
            x, y = 0.0 if number == 0 else wide - macro.width - 0.5, top - macro.height
            corners.append((name, x, y, "R0"))
            top = y - _PINS_um
            if name != stack[-1][0]:
                ends = [x - _HALO_um / 2, x + macro.width + _HALO_um / 2]
                channels.append([ends[0], top, ends[1], y - _BUFFERS_um])
                buffers.append([name, max(0.0, ends[0]), y - _BUFFERS_um, ends[1], y])
    for column in columns:
        reach -= column[0][1].width + _HALO_um
        spare = (tallest - sum(macro.height for _, macro in column)) / len(column)
        y = spare / 2
        for name, macro in column:
            corners.append((name, wide - reach - macro.width - _HALO_um / 2, y, "R0"))
            y += macro.height + spare
    return wide, tall, corners, channels, buffers


def _stacks(memories: Sequence[tuple[str, Macro]], near: str, *rooms: float) -> list[list[tuple[str, Macro]]]:
    """Memories beneath each other, those of a module together, where there is room; a column of what is left.

    The last ones of a column are those of the module ``near``, which its lower end is near to.
    """
    modules: dict[str, list[tuple[str, Macro]]] = {}
    for each in memories:
        modules.setdefault(".".join(each[0].split(".")[: 1 if each[0].startswith(near) else 2]), []).append(each)
    stacks: list[list[tuple[str, Macro]]] = [[] for _ in rooms]
    free, left = list(rooms), list[tuple[str, Macro]]()
    for group in sorted(modules.values(), key=lambda group: (group[0][0].startswith(near), -_depth(group))):
        together = any(room >= _depth(group) for room in free)
        for part in [group] if together else [[each] for each in group]:
            number = next((number for number, room in enumerate(free) if room >= _depth(part)), None)
            if number is None:
                left += part
            else:
                stacks[number] += part
                free[number] -= _depth(part)
    return [*stacks, left] if left else [stack for stack in stacks if stack]


def _depth(memories: Sequence[tuple[str, Macro]]) -> float:
    return sum(macro.height + _PINS_um for _, macro in memories)


def _packed(instances: Sequence[tuple[str, Macro]], way: str, room: float) -> list[list[tuple[str, Macro]]]:
    """Macros beside each other as long as their ``width`` or ``height`` finds room, the largest the other way first."""
    groups: list[list[tuple[str, Macro]]] = []
    free = 0.0
    other = "height" if way == "width" else "width"
    for each in sorted(instances, key=lambda each: (-getattr(each[1], other), -getattr(each[1], way))):
        size = getattr(each[1], way) + _HALO_um / 2
        if size > free:
            groups.append([])
            free = room
        groups[-1].append(each)
        free -= size
    return groups


def _mesh(
    area: float, settings: Mapping[str, Any], instances: Sequence[tuple[str, Macro]]
) -> tuple[float, float, list[float], _Corners, list[list[float]]]:
    """Width and height of the rows; right and lower end of where most cells are, above the first part; parts; channels.

    Parts are in the places of their names. The lanes between them have room for a buffer in each wire of a link.
    """
    places = {name: tuple(map(int, re.findall(r"\d+", name)[-2:])) for name, _ in instances}
    columns, rows = (1 + max(place[way] for place in places.values()) for way in (0, 1))
    width, height = (max(getattr(macro, way) for _, macro in instances) for way in ("width", "height"))
    wires = max(macro.pins for _, macro in instances) / 4
    lane = max(settings["lane_um"], 2 * _CUT_um + wires * _BUFFER_um2 / settings["density"] / min(width, height))
    wide = columns * (width + lane) + lane
    home = min(wide, max(width + lane, 2 * math.sqrt(area)))
    below = rows * (height + lane) + lane
    # The lane beside the first part would take cells of those above, all whose wires then go by its upper end.
    return wide, below + area / home, [home, below], [
        (name, lane + x * (width + lane), below - (y + 1) * (height + lane), "R0")
        for name, (x, y) in places.items()], [[0.0, below - height - lane, lane, below]]


def _on_grid(length: float, grid: float) -> float:
    return round(math.ceil(length / grid) * grid, 3)


_FACING = {"north": "top", "south": "bottom", "east": "right", "west": "left"}


def edge_pins(ports: Mapping[str, int]) -> dict[str, list[str]]:
    """Pins of a mesh's node by edge, those of a link in one order on both sides of it; empty for a block without.

    ``ports``: their widths. A pin that has a side in its name, as ``sum_north_i_ready``, is at that edge.
    """
    edges: dict[str, list[str]] = {edge: [] for edge in _FACING.values()}
    swapped = str.maketrans("io", "oi")

    def order(port: str) -> str:
        before, side, way, rest = re.split(r"(north|south|east|west)_([io])(?=_)", port, maxsplit=1)
        return f"{before}{way if side in ('north', 'east') else way.translate(swapped)}{rest}"

    for side, edge in _FACING.items():
        facing = [port for port in ports if re.search(rf"(^|_){side}_[io]_", port)]
        edges[edge] = [f"{port}[{bit}]" if ports[port] > 1 else port
                       for port in sorted(facing, key=order) for bit in range(ports[port])]
    return edges


def macro_instances(netlist: str, macros: Iterable[Macro]) -> list[tuple[str, Macro]]:
    """Names of the macros' instances in a flat netlist, as OpenROAD has them."""
    return [(name.removeprefix("\\"), macro) for macro in macros
            for name in re.findall(rf"^  {macro.name} (\S+) +\(", netlist, re.MULTILINE)]


def _tcl(settings: Mapping[str, Any]) -> str:
    """Settings as Tcl: every text is one word to it, as was checked where it came from."""
    lines = ["# Written with settings.json, which holds the same."]
    for key, value in settings.items():
        if key in ("fill", "tracks"):
            continue
        if isinstance(value, Mapping):
            lines.append(f"array set {key} {{{' '.join(f'{name} {_word(inner)}' for name, inner in value.items())}}}")
        else:
            lines.append(f"set {key} {_word(value)}")
    return "\n".join(lines) + "\n"


def _word(value: Any) -> str:
    if isinstance(value, list):
        return "{" + " ".join(map(_word, value)) + "}"
    return str(value) or "{}"
