"""A synthesised design without its hierarchy, by Yosys: which nets each cell is at, and the nets that have names."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.macro_models.files.scripts import plain_folder
from mho.macro_models.workspace import Workspace
from mho.sim.build.toolchain import cache_folder
from mho.sim.silicon.liberty.cell import Cells
from mho.sim.silicon.synthesis.blocks import tool_text

ZERO, ONE, OPEN = 0, 1, 2
"""Nets of the constants, and of what is at nothing."""

_CONSTANTS = {"0": ZERO, "1": ONE, "x": ZERO, "z": ZERO}


@dataclass(frozen=True, kw_only=True)
class Flat:
    """A design of cells and nets."""

    nets: int
    """How many there are."""
    places: list[tuple[str, str]]
    """Path with slashes and module of each instance of a module, the top's path empty."""
    cells: dict[str, tuple[NDArray[np.int64], NDArray[np.int64]]]
    """Of each kind of cell the place of each, and its nets, a column for each pin of the cell."""
    names: list[dict[str, NDArray[np.int64]]]
    """Nets of the wires of each place that have names, the least significant first."""


def flatten(instances: Mapping[str, str], netlists: Mapping[str, Path], cells: Cells) -> Flat:
    """The design of the instances: module by path with slashes, the top's path empty and first.

    Modules without a netlist are black boxes: they drive what they are at. Raises ToolError if Yosys is missing or
    fails.
    """
    places: dict[str, str] = {}
    for path, module in instances.items():
        if module in netlists and (not path or path.rpartition("/")[0] in places):
            places[path] = module
    top = _flattened(places, netlists)
    numbers = {path.replace("/", "."): k for k, path in enumerate(places)}
    rows: dict[str, list[list[int]]] = {}
    for name, cell in top["cells"].items():
        kind, at = cell["type"], cell["connections"]
        if kind in cells:
            nets = (_numbers(at.get(pin) or [])[:1] or [OPEN] for pin in cells.cell(kind).pins)
            rows.setdefault(kind, []).append([numbers[name.rpartition(".")[0]], *(net for [net] in nets)])
    names: list[dict[str, NDArray[np.int64]]] = [{} for _ in places]
    count = OPEN + 1
    for path, wire in top["netnames"].items():
        place, _, name = path.rpartition(".")
        bits = np.array(_numbers(wire["bits"]), np.int64)
        count = max(count, int(bits.max(initial=0)) + 1)
        if not re.match(r"_\d+_$", name):
            names[numbers[place]][name] = bits
    arrays = {kind: np.array(several, np.int64) for kind, several in rows.items()}
    return Flat(
        nets=count, places=list(places.items()), names=names,
        cells={kind: (table[:, 0], table[:, 1:]) for kind, table in arrays.items()},
    )


def _flattened(places: Mapping[str, str], netlists: Mapping[str, Path]) -> dict[str, dict[str, dict[str, Any]]]:
    """The top as Yosys' JSON has it."""
    modules = dict.fromkeys(places.values())
    with Workspace("flat", plain_folder(cache_folder())) as work:
        for number, module in enumerate(modules):
            (work / f"{number}.v").symlink_to(netlists[module].absolute())
        reads = "".join(f"read_verilog {number}.v\n" for number in range(len(modules)))
        top = next(iter(modules))
        (work / "flat.ys").write_text(f"{reads}hierarchy -top {top}\nflatten\nwrite_json flat.json\n")
        tool_text(["yosys", "-q", "flat.ys"], work)
        return json.loads((work / "flat.json").read_text())["modules"][top]


def _numbers(bits: list[int | str]) -> list[int]:
    return [_CONSTANTS[bit] if isinstance(bit, str) else bit + 1 for bit in bits]
