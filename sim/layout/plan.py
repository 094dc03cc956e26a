"""Outline of a block: how large it is, where its macros are, and the settings of all scripts."""

import json
import math
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mho.macro_models.files import FileKind, parse_json, reading
from mho.sim.layout.block import Block
from mho.sim.layout.pdk import Pdk

LAYOUT = FileKind("folder of a layout")
"""What a stage left there is read by the next one, perhaps of a later run."""

FILES = ("models", "layers", "colours", "power_grid", "wires", "extraction", "drc", "lvs", "latches")
"""Of a process, that stages take as they are."""

_MARGIN_um = 20.0
"""From the edge of the block to its rows, for the ring of supplies."""

_HALO_um = 30.0
"""Around a macro, for wires to its pins."""

_GROWTH = 1.2
"""Cells of buffers, clock tree and repair, beside those of the synthesis."""

_LEAST_um = 150.0
"""Side of a block: stripes of supplies want as much."""

_SETUP_MARGIN_ns, _HOLD_MARGIN_ns = 0.4, 0.05
"""What repair before routing leaves for wires that turn out longer."""


def script_settings(block: Block, pdk: Pdk, folder: Path, *, density: float) -> dict[str, Any]:
    """Names and files that all stages take; those of the PDK unpacked below ``folder`` where they are packed."""
    files = {key: str(pdk.file(path, folder / "pdk")) for key, path in pdk.files.items() if key != "models"}
    files["models"] = str(pdk.file(pdk.files["models"], folder / "pdk")) if pdk.has("models") else ""
    corners = {name: str(pdk.file(path, folder / "pdk")) for name, path in pdk.corners.items()}
    macro = [block.liberty] if block.liberty else []
    return {
        "top": block.top, "sdc": block.constraints, "lefs": [
            files["technology"], files["cells"], *([block.lef] if block.lef else [])],
        "liberty": {corner: [path, *macro] for corner, path in corners.items()},
        "layouts": [files["layouts"], *([block.layout] if block.layout else [])],
        "netlists": [files["netlists"], *([block.netlist] if block.netlist else [])],
        **{key: files[key] for key in FILES},
        "unused": pdk.cells["unused"], "fillers": pdk.cells["fill"],
        **{key: pdk.cells[key] for key in ("site", "driver", "high", "low", "diode", "power", "ground")},
        **{key: pdk.routing[key] for key in ("signal", "spared", "across", "along", "macro_power", "tracks")},
        "macro_supplies": [[pin, kind] for pin, kind in block.supplies.items()], "fill": pdk.fill,
        "density": density, "setup_margin": _SETUP_MARGIN_ns, "hold_margin": _HOLD_MARGIN_ns,
        "threads": os.cpu_count() or 1, "propagated": ["route", "antennas", "finish"], "margin": _MARGIN_um,
        "period_ps": round(block.period_ns * 800),
    }


def write_outline(settings: dict[str, Any], block: Block, folder: Path) -> dict[str, Any]:
    """Settings with the outline, for Python and for Tcl, from what the synthesis counted."""
    with reading(folder, LAYOUT):
        counts = parse_json((folder / "synth.json").read_text())["design"]
        cells, used = int(counts["num_cells"]), float(counts.get("area", 0.0))
        macros = macro_instances((folder / "synth.v").read_text(), block.macro)
    width, height = (side + _HALO_um for side in block.macro_size)
    area = used * _GROWTH / settings["density"] + len(macros) * width * height
    tall = max(math.sqrt(area), _LEAST_um, height + _HALO_um if macros else 0.0)
    rows = max(1, int(tall // height))
    wide = max(area / tall, math.ceil(len(macros) / rows) * width, _LEAST_um)
    placed = []
    for number, name in enumerate(macros):
        x = _MARGIN_um + wide - width * (1 + number // rows)
        y = _MARGIN_um + tall / rows * (number % rows + 0.5) - block.macro_size[1] / 2
        placed.append([name, _on_grid(x, 0.48), _on_grid(y, 3.78)])
    whole = settings | {
        "width": _on_grid(wide + 2 * _MARGIN_um, 0.48), "height": _on_grid(tall + 2 * _MARGIN_um, 3.78),
        "macros": placed, "cells": cells,
    }
    (folder / "settings.json").write_text(json.dumps(whole, indent=1) + "\n")
    (folder / "settings.tcl").write_text(_tcl(whole))
    return whole


def _on_grid(length: float, grid: float) -> float:
    return round(math.ceil(length / grid) * grid, 3)


def macro_instances(netlist: str, macro: str) -> list[str]:
    """Names of the macro's instances in a flat netlist, as OpenROAD has them."""
    if not macro:
        return []
    return [name.removeprefix("\\") for name in re.findall(rf"^  {macro} (\S+) +\(", netlist, re.MULTILINE)]


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
