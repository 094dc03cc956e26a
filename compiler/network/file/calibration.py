"""Facts about the calibration in a network file, see :class:`mho.compiler.calibration.facts.Calibration`."""

import math
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from mho.compiler.calibration.facts import Calibration, Converters
from mho.compiler.calibration.outputs import OutputError
from mho.compiler.mapping.redundancy import Redundancy
from mho.compiler.network.file.stages import COUNT
from mho.compiler.options import MOST_SLICES
from mho.compiler.types import Facts
from mho.macro_models.files.schema import JSON, TEXT, Choice, ListOf, Nullable, Number, Optional, Table, Whole
from mho.macro_models.integer.operation import MAX_BITS

__all__ = ["CALIBRATION", "read_calibration", "write_calibration"]

_OF_TILES, _OF_CHIPS = ("hop_bytes", "tile_cycles"), ("cells", "converters")
"""What networks for tiles have in any case, and what is left out where there is none."""


def write_calibration(calibration: Calibration, *, tiles: bool) -> Facts:
    """The facts as JSON, of a network with programs of tiles or without."""
    return {
        name: value for name, value in asdict(calibration).items()
        if value is not None or name not in (*_OF_CHIPS, *_OF_TILES) or (tiles and name in _OF_TILES)
    }


def read_calibration(where: str, content: Mapping[str, Any], layers: int) -> Calibration:
    """Facts on so many layers, as :data:`CALIBRATION` allows them; ``where`` opens what is refused.

    Numbers stay what they are in the file, whole ones whole, so that it is written with the same bytes again.
    """
    for name in _LISTS:
        if name in content:
            Choice((layers,)).read(f"{where}.{name}: numbers", len(content[name]))
    values = {field.name: content[field.name] for field in fields(Calibration) if field.name in content}
    plain = {"slices": (1,) * layers, "slice_bits": (0,) * layers, "clipped": (None,) * layers}
    converters, redundancy, hops = (content.get(name) for name in ("converters", "redundancy", "hop_bytes"))
    return Calibration(**{
        **plain, **values, **{name: tuple(values[name]) for name in (*_LISTS, "warnings") if name in values},
        "outputs": tuple(OutputError(**output) for output in content.get("outputs", ())),
        "redundancy": redundancy and Redundancy(**redundancy),
        "converters": converters and Converters(seed=converters["seed"], cores=tuple(converters["cores"])),
        "hop_bytes": hops and tuple(hops), "tile_cycles": _read_tile_cycles(where, content.get("tile_cycles")),
    })


def _read_tile_cycles(where: str, content: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """What is predicted of tiles, by its present names."""
    if not content:
        return None
    content = {_RENAMED.get(name, name): value for name, value in content.items()}
    _TILE_CYCLES.read(f"{where}.tile_cycles", content)
    Choice(tuple(tile["tile"] for tile in content["tiles"])).read(
        f"{where}.tile_cycles.bottleneck", content["bottleneck"])
    return content


_LISTS = ("errors", "cycles", "slices", "slice_bits", "clipped")
_SHARE, _ERROR = Nullable(Number(0, 1)), Nullable(Number(0, math.inf))
_OUTPUT_ERROR = Table({
    "name": TEXT, "inputs": COUNT, "classes": _SHARE, "classes_aged": _SHARE, "error": _ERROR, "error_aged": _ERROR,
    "allowed": Number(0, 1), "spread": _ERROR,
})
_CYCLES, _NUMBER = Number(0, 1e18), Whole(0, 10**18)
_TILE_CYCLES = Table({
    "latency_cycles": _CYCLES, "interval_cycles": _CYCLES, "bottleneck": TEXT, "f_clk_MHz": Optional(Number(1e-6, 1e6)),
    "tiles": ListOf(Table({
        "tile": TEXT, "analog_cycles": _CYCLES, "utilisation": _CYCLES, "layers": Optional(ListOf(TEXT)),
        "takes": Optional(Table(dict.fromkeys(("buffer", "parameters", "instructions"), _NUMBER))),
    }, rest=True), least=1),
    "links": Optional(ListOf(Table({"start": TEXT, "end": TEXT, "flits": _NUMBER}, rest=True))),
}, rest=True)
"""What is printed and drawn of the times of tiles."""
_RENAMED = {"first": "latency_cycles", "each": "interval_cycles"}
"""Names of them in older files."""
_REDUNDANCY = Table({
    "wanted": Number(0, 1), "without": Number(0, math.inf), "reached": Number(0, math.inf), "cores": COUNT,
    "products": COUNT,
})
CALIBRATION = Table({
    "samples": Whole(1), "sha256": TEXT, "time_s": Number(0, 1e12), "errors": ListOf(Number(0, math.inf)),
    "cycles": ListOf(Number(0, 1e18)), "slices": Optional(ListOf(Whole(1, MOST_SLICES))),
    "slice_bits": Optional(ListOf(Whole(0, MAX_BITS))), "clipped": Optional(ListOf(_SHARE)),
    "warnings": Optional(ListOf(TEXT)), "outputs": Optional(ListOf(_OUTPUT_ERROR)),
    "cores_least": Optional(Nullable(COUNT)), "cores_bound": Optional(Nullable(COUNT)),
    "redundancy": Optional(Nullable(_REDUNDANCY)), "hop_bytes": Optional(Nullable(ListOf(_NUMBER, 2, 2))),
    "cells": Optional(Table({"seed": Whole(0, 2**32 - 1)}, rest=True)),
    "tile_cycles": Optional(Nullable(JSON)),
    "converters": Optional(Table({"seed": Whole(0, 2**32 - 1), "cores": ListOf(Table({}, rest=True))})),
}, rest=True)
