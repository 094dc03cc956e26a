"""The plan of a network on a chip, as plain numbers: steps, levels, conversions, cycles, memory, work of the host."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from mho.compiler.mapping import Placement
from mho.compiler.model import FloatNetwork
from mho.compiler.model.before import Before
from mho.compiler.plan.steps import PlacedStep, host_work, peak_lanes, placed_steps
from mho.compiler.program import Layer
from mho.compiler.types import Facts
from mho.hw.config import Chip
from mho.hw.kinds import timing
from mho.macro_models.integer.operation import MvmOperation

__all__ = ["Product", "plan", "products_of", "products_of_placement"]

LANE_BYTES = 2


@dataclass(frozen=True, kw_only=True)
class Product:
    """One matrix-vector product at one position: its core, rows and columns, conversions and cycles at worst."""

    core: int
    rows: int
    columns: int
    conversions: int
    cycles: int


Products = Sequence[Sequence[Product]]
"""The products of each layer."""


def products_of(layers: Sequence[Layer], chip: Chip, positions: Sequence[int]) -> list[list[Product]]:
    """The products of the layers of a program.

    ``positions`` are those of each layer of the network: one that takes its inputs in two parts has twice as many.
    """
    config = timing(chip)
    times = [layer.positions // count for layer, count in zip(layers, positions, strict=True)]
    return [
        [
            Product(
                core=m.core, rows=len(m.rows), columns=len(m.columns), conversions=m.op.segments * parts,
                cycles=config.worst_cycles(m.op) * parts,
            )
            for m in layer.mvms
        ]
        for layer, parts in zip(layers, times, strict=True)
    ]


def products_of_placement(
    placement: Placement, layers: int, chip: Chip, op: MvmOperation, parts: int = 1
) -> list[list[Product]]:
    """The products of layers that are placed, if all were the operation ``op``, and inputs in so many parts."""
    cycles, conversions = timing(chip).worst_cycles(op) * parts, op.segments * parts
    return [
        [
            Product(core=b.core, rows=len(b.rows), columns=len(b.columns), conversions=conversions, cycles=cycles)
            for b in placement.of_layer(k)
        ]
        for k in range(layers)
    ]


def plan(
    net: FloatNetwork, chip: Chip, products: Products, before: Before | None = None, parts: int = 1,
    host: Collection[int] | None = None,
) -> Facts:
    """What runs where, as plain numbers, strings, lists and dicts.

    Keys: ``steps`` in the order of computation (name of the ONNX node or what it does, place: ``array``, ``digital``,
    which is the vector unit of a tile, or ``host``; operator; for a layer its rows, outputs, weights, cells, cores by
    their numbers, conversions and cycles_worst per image; positions, level, lanes that it makes), ``levels`` (of layers
    that do not wait for each other: names, cores, cycles one after the other and together), ``weights``, ``cells`` that
    hold them, ``conversions``, ``cycles_serial`` (products one after the other), ``cycles_parallel`` (products of one
    level on different cores at the same time, level after level), ``cycles_core`` (of the busiest core: the least from
    image to image if several are under way), all per image and at worst; ``lanes`` and ``activation_bytes`` (most that
    are alive at once), ``host`` (what it does, with the values that cross).

    A layer that is called several times has its cells and weights in its first call, and conversions in each.
    ``before`` are the steps that the host does before the input is quantised, None if there are none; layers take their
    inputs in ``parts``; ``host`` as of :func:`mho.compiler.plan.steps.placed_steps`.
    """
    steps, cells = placed_steps(net, before, host), chip.macro_config().cell_map.cells
    rows = [_row(net, step, products, cells) for step in steps]
    levels = _levels(steps, products)
    busy: dict[int, int] = {}
    for step in steps:
        for core, cycles in _by_core(step, products).items():
            busy[core] = busy.get(core, 0) + cycles
    lanes = peak_lanes(net, parts)
    return {
        "steps": rows,
        "levels": levels,
        "weights": sum(row["weights"] for row in rows),
        "cells": sum(row["cells"] for row in rows),
        "conversions": sum(row["conversions"] for row in rows),
        "cycles_serial": sum(row["cycles_worst"] for row in rows),
        "cycles_parallel": sum(level["cycles_parallel"] for level in levels),
        "cycles_core": max(busy.values()),
        "lanes": lanes,
        "activation_bytes": LANE_BYTES * lanes,
        "host": host_work(net, steps, before),
    }


def _row(net: FloatNetwork, step: PlacedStep, products: Products, cells: int) -> Facts:
    row: Facts = {
        "name": step.name, "place": step.place, "operator": step.operator, "positions": step.positions,
        "level": step.level, "lanes": step.lanes, "inputs": 0, "outputs": 0, "weights": 0, "cells": 0, "cores": [],
        "conversions": 0, "cycles_worst": 0,
    }
    if step.layer is None:
        return row
    mine, layer = products[step.layer], net.layers[step.layer]
    return row | {
        "inputs": layer.inputs, "outputs": layer.outputs, "cores": sorted({p.core for p in mine}),
        "weights": layer.weight.size * step.first,
        "cells": cells * sum(p.rows * p.columns for p in mine) * step.first,
        "conversions": step.positions * sum(p.conversions for p in mine),
        "cycles_worst": step.positions * sum(p.cycles for p in mine),
    }


def _by_core(step: PlacedStep, products: Products) -> dict[int, int]:
    """Cycles of a step on each core."""
    result: dict[int, int] = {}
    for p in [] if step.layer is None else products[step.layer]:
        result[p.core] = result.get(p.core, 0) + step.positions * p.cycles
    return result


def _levels(steps: Sequence[PlacedStep], products: Products) -> list[Facts]:
    """Layers that do not wait for each other, with their cycles one after the other and together.

    Products of one core wait for each other; those of different cores do not.
    """
    result = []
    for level in sorted({s.level for s in steps if s.layer is not None}):
        members = [s for s in steps if s.level == level and s.layer is not None]
        loads = [_by_core(s, products) for s in members]
        cores = sorted(set().union(*loads))
        result.append({
            "level": level, "layers": [s.name for s in members], "cores": cores,
            "cycles_serial": sum(sum(load.values()) for load in loads),
            "cycles_parallel": max(sum(load.get(core, 0) for load in loads) for core in cores),
        })
    return result

