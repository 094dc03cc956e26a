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
from mho.sim.layout.edges import MARGIN_um, Places, ROW_um, place_macros
from mho.sim.layout.macros import Macro, mended_liberty
from mho.sim.layout.pdk import Pdk

LAYOUT = FileKind("folder of a layout")
"""What a stage left there is read by the next one, perhaps of a later run."""

FILES = ("layers", "colours", "power_grid", "wires", "extraction", "drc", "lvs", "latches")
"""Of a process, that stages take as they are."""

_GROWTH = 1.1
"""Cells of buffers, clock tree and repair, beside those of the synthesis."""

_CUT_um, _BUFFER_um2 = 10.0, 15.0
"""What rows keep away from a macro; a buffer or a delay of one wire."""

_SETUP_MARGIN_ns, _HOLD_MARGIN_ns = 0.7, 0.08
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
        "clock_spread": _CLOCK_SPREAD, "margin": MARGIN_um,
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
    mesh = any(macro.side == "mesh" for _, macro in instances)
    places, home = _mesh(area, settings, instances) if mesh else (place_macros(area, instances), ())
    placed = [[name, _on_grid(MARGIN_um + x, 0.48), _on_grid(MARGIN_um + y, ROW_um), turned]
              for name, x, y, turned in places.corners]
    whole = settings | {
        "width": _on_grid(places.wide + 2 * MARGIN_um, 0.48), "height": _on_grid(places.tall + 2 * MARGIN_um, ROW_um),
        "macros": placed, "cells": cells, "inner": block.inner,
        "reach": [max(500, round(largest[0] / 0.48)), max(100, round(largest[1] / ROW_um))],
        "home": _within(home),
        "channels": [_within(channel) for channel in places.channels],
        "buffer_rows": [[name, *_within(rows)] for name, rows in places.buffers],
        "pins_at": "bottom:{:.2f}-{:.2f}".format(*_within(places.cells)) if places.cells else "left:*",
    }
    (folder / "settings.json").write_text(json.dumps(whole, indent=1) + "\n")
    (folder / "settings.tcl").write_text(_tcl(whole))
    return whole


def _mesh(
    area: float, settings: Mapping[str, Any], instances: Sequence[tuple[str, Macro]]
) -> tuple[Places, tuple[float, float]]:
    """Places of parts; and the right and lower end of where most cells are, above the first part.

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
    corners = [(name, lane + x * (width + lane), below - (y + 1) * (height + lane), "R0")
               for name, (x, y) in places.items()]
    channel = 0.0, below - height - lane, lane, below
    return Places(wide, below + area / home, corners, [channel]), (home, below)


def _within(lengths: Iterable[float]) -> list[float]:
    """Lengths within the rows as those within the block."""
    return [MARGIN_um + length for length in lengths]


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
