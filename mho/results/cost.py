"""What a run takes of time and energy, by the definitions of the field: 1 MAC is 2 operations."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from mho.compiler.facts import TileCycles
from mho.compiler.input_time import InputTime
from mho.compiler.network.report import overflow_of, tile_facts
from mho.compiler.program import DITHER, Layer
from mho.hw.chip.rating import OPERATIONS_PER_MAC, Rating, rate
from mho.results.facts import Bits, CoreCost, Cost, Rated, TilesCost

if TYPE_CHECKING:
    from mho.compiler.network import Network
    from mho.results.seed_run import SeedRun


def _bits(layer: Layer) -> Bits:
    """Bits of the input codes, and of the conversions, of which all of a layer have the same."""
    operation = layer.mvms[0].op
    return {"in": operation.in_bits, "out": operation.out_bits}


def _macs(layer: Layer) -> int:
    """Different pairs of an input and an output that a layer joins."""
    rows = [mvm.taken(layer.spread) for mvm in layer.mvms]
    joined = np.zeros((1 + max(int(inputs.max(initial=0)) for inputs in rows), layer.outputs), dtype=np.bool_)
    for mvm, inputs in zip(layer.mvms, rows, strict=True):
        joined[np.ix_(np.unique(inputs[inputs != DITHER]), mvm.outputs)] = True
    return int(joined.sum())


def cost_of(network: "Network", names: Sequence[str], runs: "Sequence[SeedRun]", images: int) -> Cost:
    """For JSON: time, throughput, energy and utilisation of an image, means over seeds (docs/howto/report.md).

    ``names`` are those of the layers. Products are those of the model: cells that repeat a weight do not count again.
    """
    chip, count = network.chip, len(runs) * images
    macs = sum(_macs(network.layers[call.layer]) * len(call.patches) for call in network.program.calls if not call.turn)
    time, operations = InputTime.mean([run.time for run in runs]), OPERATIONS_PER_MAC * macs
    by_layer = {name: _energy([run.layers[name].energy_pJ for run in runs], count) for name in runs[0].layers}
    by_part = _energy(list(by_layer.values()), 1)
    total = sum(by_part.values())
    tops = operations * chip.clock.f_clk_MHz / time.interval / 1e6 if time.interval else None
    area = chip.area.total_mm2 * chip.cores * overflow_of(network)["chips"]
    busy = np.sum([run.core_cycles for run in runs], axis=0) / count
    return {
        "macs": macs, "operations": operations, "conversions": network.program.conversions,
        **time.facts(chip.clock.f_clk_MHz), "time_predicted": time.predicted, "tops": tops,
        "energy": None if not total else {
            "total_pJ": total, "by_part_pJ": by_part,
            "by_layer_pJ": {name: sum(parts.values()) for name, parts in by_layer.items()},
            "exact": all(run.exact for run in runs), "source": chip.energy.source,
            "left_out": list(chip.energy.missing), "extrapolated": chip.energy.extrapolated or None,
        },
        "tops_per_W": operations / total if total else None,
        "macros_mm2": area or None, "macro_by_part_mm2": chip.area.by_part_mm2 if area else None,
        "area_source": chip.area.source or None, "area_extrapolated": chip.area.extrapolated or None,
        "tops_per_mm2": tops / area if area and tops else None,
        "cores": _cores(network, busy),
        "bits": {name: _bits(layer) for name, layer in zip(names, network.layers, strict=True)},
        "rated": [_rated(rate(chip, name, op)) for name, op in chip.rated_operations()],
        "tiles": _tiles(network, busy, time.interval),
    }


def _cores(network: "Network", busy: NDArray[np.floating]) -> list[CoreCost]:
    """Cells and cycles of each core that is taken."""
    cell_map = network.chip.macro_config().cell_map
    used = np.zeros(len(network.cores), dtype=np.int64)
    for layer in network.layers:
        for mvm in layer.mvms:
            used[mvm.core] += cell_map.cells * len(mvm.rows) * len(mvm.columns)
    return [
        {"core": k, "cells_used": int(cells), "cells": int(np.prod(cell_map.shape)), "analog_cycles": float(cycles)}
        for k, (cells, cycles) in enumerate(zip(used, busy, strict=True))
    ]


def _tiles(network: "Network", busy: NDArray[np.floating], interval: float) -> TilesCost | None:
    """What the compiler said of tiles, with the analog cycles of these inputs: ``busy``, of each core."""
    facts = tile_facts(network)
    if facts is None:
        return None
    tiles: list[TileCycles] = []
    for predicted in facts["tiles"]:
        column, row = map(int, predicted["tile"].split(","))
        number = row * network.chip.mesh.columns + column
        analog = float(busy[number]) if number < len(busy) else 0.0  # a tile behind the last core with weights
        tiles.append({**predicted, "analog_cycles": analog, "utilisation": analog / interval})
    worst = max(tiles, key=lambda tile: tile["analog_cycles"])
    return {"bottleneck": worst["tile"], "tiles": tiles, "links": facts.get("links", ())}


def _energy(parts: Sequence[Mapping[str, float]], count: int) -> dict[str, float]:
    """Sum by name, over ``count``."""
    names = dict.fromkeys(name for energies in parts for name in energies)
    return {name: sum(energies.get(name, 0.0) for energies in parts) / count for name in names}


def _rated(rating: Rating) -> Rated:
    return cast(Rated, {name: getattr(rating, name) for name in Rated.__annotations__})
