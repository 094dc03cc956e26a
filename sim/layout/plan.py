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

_PINS_um = 20.0
"""Before a memory, for wires to its pins, which are at one edge."""

_ROW_um = 3.78
"""Height of a row of cells."""

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
        "period_ps": round(block.period_ns * 800),
    }


def write_outline(settings: dict[str, Any], block: Block, folder: Path) -> dict[str, Any]:
    """Settings with the outline, for Python and for Tcl, from what the synthesis counted."""
    with reading(folder, LAYOUT):
        counts = parse_json((folder / "synth.json").read_text())["design"]
        cells, used = int(counts["num_cells"]), float(counts.get("area", 0.0))
        instances = macro_instances((folder / "synth.v").read_text(), block.macros)
    largest = [max((getattr(macro, way) for _, macro in instances), default=0.0) for way in ("width", "height")]
    area = used * _GROWTH / settings["density"]
    home: list[float] = []
    if any(macro.side == "mesh" for _, macro in instances):
        wide, tall, home, corners = _mesh(area, settings, instances)
    else:
        wide, tall, corners = _edges(area, instances)
    placed = [[name, _on_grid(_MARGIN_um + x, 0.48), _on_grid(_MARGIN_um + y, _ROW_um), turned]
              for name, x, y, turned in corners]
    whole = settings | {
        "width": _on_grid(wide + 2 * _MARGIN_um, 0.48), "height": _on_grid(tall + 2 * _MARGIN_um, _ROW_um),
        "macros": placed, "cells": cells, "inner": block.inner,
        "reach": [max(500, round(largest[0] / 0.48)), max(100, round(largest[1] / _ROW_um))],
        "home": [_MARGIN_um + length for length in home],
    }
    (folder / "settings.json").write_text(json.dumps(whole, indent=1) + "\n")
    (folder / "settings.tcl").write_text(_tcl(whole))
    return whole


_Corners = list[tuple[str, float, float, str]]
"""Names of instances, x and y of their lower left corners in um, within the rows, and orientations."""


def _edges(area: float, instances: Sequence[tuple[str, Macro]]) -> tuple[float, float, _Corners]:
    """Width and height of the rows, with macros in columns at their edges and an area for cells between."""
    boxes = [(macro.width + _HALO_um / 2) * (macro.height + _PINS_um) for _, macro in instances]
    tallest = max((macro.height + _HALO_um for _, macro in instances), default=0.0)
    tall = max(math.sqrt(area + sum(boxes)), _LEAST_um, tallest)
    corners: _Corners = []
    edges = {"left": 0.0, "right": 0.0}
    for side in edges:
        own = sorted((each for each in instances if each[1].side == side),
                     key=lambda each: (-each[1].width, -each[1].height))
        for column in _columns(own, tall):
            width = column[0][1].width
            x = edges[side] if side == "left" else -(edges[side] + width + _HALO_um / 2)
            places = _places([macro.height for _, macro in column], tall, at_ends=side == "left")
            corners += [(name, x, *place) for (name, _), place in zip(column, places, strict=True)]
            edges[side] += width + _HALO_um
    wide = max((area + sum(boxes)) / tall, edges["left"] + edges["right"], _LEAST_um)
    return wide, tall, [(name, x if x >= 0 else wide + x, y, turned) for name, x, y, turned in corners]


def _places(heights: Sequence[float], tall: float, *, at_ends: bool) -> list[tuple[float, str]]:
    """Lower edges and orientations of macros in a column: apart from each other, or at its ends, cells between these.

    The pins of an array in the middle of its edge face them there; those of a memory at the lower end are turned to
    them.
    """
    if not at_ends:
        spare = (tall - sum(heights)) / len(heights)
        return [(spare * (number + 0.5) + sum(heights[:number]), "R0") for number in range(len(heights))]
    taken, places = [0.0, 2 * _ROW_um], []  # places are rounded up to rows, and the outline's margins to whole ones
    for height in heights:
        end = taken[0] > taken[1]
        places.append((tall - taken[1] - height, "R0") if end else (taken[0], "MX"))
        taken[end] += height + _PINS_um
    return places


def _columns(instances: Sequence[tuple[str, Macro]], tall: float) -> list[list[tuple[str, Macro]]]:
    """Macros one above the other as long as they find room, the widest first."""
    columns: list[list[tuple[str, Macro]]] = []
    free = 0.0
    for each in instances:
        height = each[1].height + _HALO_um
        if height > free:
            columns.append([])
            free = tall
        columns[-1].append(each)
        free -= height
    return columns


def _mesh(
    area: float, settings: Mapping[str, Any], instances: Sequence[tuple[str, Macro]]
) -> tuple[float, float, list[float], _Corners]:
    """Width and height of the rows; right end and lower end of where most cells are, above the first part; parts.

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
    return wide, below + area / home, [home, below], [
        (name, lane + x * (width + lane), below - (y + 1) * (height + lane), "R0") for name, (x, y) in places.items()]


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
