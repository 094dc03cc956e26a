"""What a run takes of time and energy, by the definitions of the field: 1 MAC is 2 operations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from mho.compiler.facts import Fit, TileCycles, TilesFacts
from mho.compiler.input_time import InputTime
from mho.compiler.network.report import overflow_of, tile_facts
from mho.compiler.program import DITHER, Layer
from mho.hw.chip.rating import OPERATIONS_PER_MAC, Rating, rate
from mho.results.facts import Cost, Rated, TilesCost

if TYPE_CHECKING:
    from mho.compiler.network import Network
    from mho.results.seed_run import SeedRun


@dataclass(frozen=True, kw_only=True)
class Work:
    """What a network does for one image, and what its chip says of itself.

    Attributes
    ----------
    macs
        Products of a weight and an input, those of the model: cells that repeat a weight do not count again.
    conversions
        Conversions of all cores for an image.
    cells
        Cells that hold weights, and all cells, of each core that is taken.
    cores
        Cores of the chip.
    energy_source, energy_missing, area_source
        As the description says; ``energy_missing`` are keys without a number.
    extrapolated
        What has changed since energies, and since the area, were right; empty: nothing.
    macro_mm2
        Area of one macro; 0 if it is not known.
    macro_parts_mm2
        What of it is known, by what takes it.
    rated
        Figures of the chip with all cores busy.
    tiles
        What was predicted of tiles (:func:`mho.compiler.network.report.tile_facts`); None without.
    bits
        Bits of the input codes of each layer, and of its conversions.
    columns
        Of the mesh.
    fit
        Whether one chip holds it: :func:`mho.compiler.plan.plan`.
    """

    macs: int
    conversions: int
    cells: Sequence[tuple[int, int]]
    cores: int
    energy_source: str
    energy_missing: tuple[str, ...]
    area_source: str
    extrapolated: tuple[str, str]
    macro_mm2: float
    macro_parts_mm2: Mapping[str, float]
    rated: Sequence[Rating]
    tiles: TilesFacts | None
    bits: Mapping[str, tuple[int, int]]
    columns: int
    fit: Fit


def work_of(network: "Network", names: Sequence[str]) -> Work:
    """The work of a network whose layers are called ``names``."""
    chip, cell_map = network.chip, network.chip.macro_config().cell_map
    used = np.zeros(len(network.cores), dtype=np.int64)
    for layer in network.layers:
        for mvm in layer.mvms:
            used[mvm.core] += cell_map.cells * len(mvm.rows) * len(mvm.columns)
    core_cells = int(np.prod(cell_map.shape))
    return Work(
        macs=sum(_macs(network.layers[call.layer]) * len(call.patches)
                 for call in network.program.calls if not call.turn),
        conversions=network.program.conversions,
        cells=[(int(count), core_cells) for count in used], cores=chip.cores, energy_source=chip.energy.source,
        energy_missing=chip.energy.missing if chip.energy.known else (), area_source=chip.area.source,
        extrapolated=(chip.energy.extrapolated, chip.area.extrapolated),
        macro_mm2=chip.area.total_mm2, macro_parts_mm2=chip.area.by_part_mm2,
        rated=[rate(chip, name, op) for name, op in chip.rated_operations()],
        tiles=tile_facts(network), columns=chip.mesh.columns,
        fit=overflow_of(network),
        bits={name: _bits(layer) for name, layer in zip(names, network.layers, strict=True)},
    )


def _bits(layer: Layer) -> tuple[int, int]:
    """Bits of the input codes, and of the conversions, of which all of a layer have the same."""
    operation = layer.mvms[0].op
    return operation.in_bits, operation.out_bits


def _macs(layer: Layer) -> int:
    """Different pairs of an input and an output that a layer joins."""
    rows = [mvm.taken(layer.spread) for mvm in layer.mvms]
    joined = np.zeros((1 + max(int(inputs.max(initial=0)) for inputs in rows), layer.outputs), dtype=np.bool_)
    for mvm, inputs in zip(layer.mvms, rows, strict=True):
        joined[np.ix_(np.unique(inputs[inputs != DITHER]), mvm.outputs)] = True
    return int(joined.sum())


def cost_of(work: Work, runs: "Sequence[SeedRun]", images: int, f_clk_MHz: float) -> Cost:
    """For JSON: time, throughput, energy and utilisation of an image, means over seeds (docs/howto/report.md)."""
    count = len(runs) * images
    time, operations = InputTime.mean([run.time for run in runs]), OPERATIONS_PER_MAC * work.macs
    by_layer = {name: _energy([run.layers[name].energy_pJ for run in runs], count) for name in runs[0].layers}
    by_part = _energy(list(by_layer.values()), 1)
    total = sum(by_part.values())
    tops = operations * f_clk_MHz / time.interval / 1e6 if time.interval else None
    area = work.macro_mm2 * work.cores * work.fit["chips"]
    busy = np.sum([run.core_cycles for run in runs], axis=0) / count
    return {
        "macs": work.macs, "operations": operations, "conversions": work.conversions,
        **time.facts(f_clk_MHz), "time_predicted": time.predicted, "tops": tops,
        "energy": None if not total else {
            "total_pJ": total, "by_part_pJ": by_part,
            "by_layer_pJ": {name: sum(parts.values()) for name, parts in by_layer.items()},
            "exact": all(run.exact for run in runs), "source": work.energy_source,
            "left_out": list(work.energy_missing), "extrapolated": work.extrapolated[0] or None,
        },
        "tops_per_W": operations / total if total else None,
        "macros_mm2": area or None, "macro_by_part_mm2": work.macro_parts_mm2 if area else None,
        "area_source": work.area_source or None,
        "area_extrapolated": work.extrapolated[1] or None,
        "tops_per_mm2": tops / area if area and tops else None,
        "cores": [
            {"core": k, "cells_used": used, "cells": cells, "analog_cycles": float(cycles)}
            for k, ((used, cells), cycles) in enumerate(zip(work.cells, busy, strict=True))
        ],
        "bits": {name: {"in": in_bits, "out": out_bits} for name, (in_bits, out_bits) in work.bits.items()},
        "rated": [_rated(rating) for rating in work.rated], "tiles": _tiles(work, busy, time.interval),
    }


def _tiles(work: Work, busy: NDArray[np.floating], interval: float) -> TilesCost | None:
    """What the compiler said of tiles, with the analog cycles of these inputs: ``busy``, of each core."""
    if work.tiles is None:
        return None
    tiles: list[TileCycles] = []
    for predicted in work.tiles["tiles"]:
        column, row = map(int, predicted["tile"].split(","))
        number = row * work.columns + column
        analog = float(busy[number]) if number < len(busy) else 0.0  # a tile behind the last core with weights
        tiles.append({**predicted, "analog_cycles": analog, "utilisation": analog / interval})
    worst = max(tiles, key=lambda tile: tile["analog_cycles"])
    return {"bottleneck": worst["tile"], "tiles": tiles, "links": work.tiles.get("links", ())}


def _energy(parts: Sequence[Mapping[str, float]], count: int) -> dict[str, float]:
    """Sum by name, over ``count``."""
    names = dict.fromkeys(name for energies in parts for name in energies)
    return {name: sum(energies.get(name, 0.0) for energies in parts) / count for name in names}


def _rated(rating: Rating) -> Rated:
    return cast(Rated, {name: getattr(rating, name) for name in Rated.__annotations__})
