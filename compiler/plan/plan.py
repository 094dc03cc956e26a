"""The plan of a network on a chip, as plain numbers: steps, levels, conversions, cycles, memory, work of the host."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from mho.compiler.facts import Fit, HostWork, Level, NetworkPlan, Step
from mho.compiler.mapping import Placement
from mho.compiler.model import FloatNetwork, HostOp
from mho.compiler.model.before import Before
from mho.compiler.model.network import evaluated_at_the_end
from mho.compiler.model.stages import Combine, Evaluated, Gather, Linear, Map, Maximum
from mho.compiler.program import Layer
from mho.hw.config import Chip
from mho.hw.kinds import timing
from mho.macro_models.integer.operation import MvmOperation


def overflow(chip: Chip, cores: int) -> Fit:
    """Whether so many ``cores`` are on one chip, and what figures of a network on them are of."""
    chips = -(-cores // chip.cores)
    figures = "" if chips == 1 else (
        f"these figures are of {chips} chips; on one, cells are programmed between layers, whose time, energy and wear "
        "are not counted"
    )
    note = figures and f"does not fit: takes {cores} cores, and {chip.name} has {chip.cores}: {figures}"
    return {"fits": chips == 1, "cores": cores, "there": chip.cores, "chips": chips, "figures": figures, "note": note}


_SILENT = ("reshape", "cast")
"""Operators at the end that compute nothing."""


def _without_weights(op: Gather | Maximum | Combine | Map | Evaluated) -> tuple[str, str]:
    """Name and operator of a step that no layer is."""
    if isinstance(op, Evaluated):
        names = [node.name for node in op.proto.graph.node if node.name]
        operators = " ".join(dict.fromkeys(op.operators))
        return names[-1] if names else op.operators[-1], operators
    if isinstance(op, Gather):
        return "choice", "moves"
    if isinstance(op, Maximum):
        return "largest", f"of {op.index.shape[1]}"
    if isinstance(op, Combine):
        return "sum", f"of {op.index.shape[1]}"
    return op.function, "limits" if op.function == "clip" else "table"


def host_work(net: FloatNetwork, steps: Sequence[Step], before: Before | None = None) -> list[HostWork]:
    """What the host does, in order: names, operators, and how many values cross to it and back."""
    sizes, entry, done = _sizes(net), "to codes", ()
    values = [0] if before is None else before.values
    if before is not None:
        entry, done = f"{before.operators} to codes", before.numbers
    work: list[HostWork] = [{
        "name": net.input_name, "operators": entry, "from_chip": 0, "to_chip": sum(sizes[v] for v in values),
    }]
    work.extend(
        {"name": s["name"], "operators": s["operator"], "from_chip": sum(sizes[v] for v in net.steps[k].inputs),
         "to_chip": s["lanes"]}
        for k, s in enumerate(steps) if s["place"] == "host" and k not in done
    )
    for output in net.outputs:
        last = [name for op in output.host if op.kind not in _SILENT for name in _operators(op)]
        work.append({
            "name": output.name, "operators": " ".join(["to numbers", *last]),
            "from_chip": sizes[-1] if output.size is None else output.size, "to_chip": 0,
        })
    return work


def _sizes(net: FloatNetwork) -> list[int]:
    """Elements of all values."""
    return [net.features, *(step.operation.size for step in net.steps)]


def _operators(op: HostOp) -> tuple[str, ...]:
    return evaluated_at_the_end(op.parameters["model"]).operators if op.kind == "onnx" else (op.kind,)


def peak_lanes(net: FloatNetwork, parts: int = 1) -> int:
    """Most lanes that are alive at once, of values as wholes: what later steps take, what a step takes and makes.

    A layer of a network with branches or positions takes codes, which are lanes beside those of the value. One that
    takes its inputs in two ``parts`` takes codes of the rest, too, and what is made of these is added to the first.
    """
    sizes = _sizes(net)
    last = {value: k for k, step in enumerate(net.steps) for value in step.inputs} | {len(net.steps): len(net.steps)}
    ends: dict[int, int] = {}
    for value, k in last.items():
        ends[k] = ends.get(k, 0) + sizes[value]
    peak, alive = 0, sizes[0]
    for k, step in enumerate(net.steps):
        remaining = alive - ends.get(k, 0)
        if isinstance(step.operation, Linear) and (parts == 2 or not net.is_chain):
            codes, size = sum(sizes[v] for v in step.inputs), sizes[k + 1]
            peak = max(peak, alive + codes, remaining + codes + size)
            if parts == 2:
                peak = max(peak, alive + size + 2 * codes, remaining + codes + 2 * size, remaining + 3 * size)
        else:
            peak = max(peak, alive + sizes[k + 1])
        alive = remaining + (sizes[k + 1] if k + 1 in last else 0)
    return peak


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
) -> NetworkPlan:
    """What runs where.

    ``before`` are the steps that the host does before the input is quantised, None if there are none; layers take their
    inputs in ``parts``; ``host`` are steps that the host does: None, what is no function of one element.
    """
    if host is None:
        host = {k for k, step in enumerate(net.steps)
                if isinstance(step.operation, Evaluated) and not step.operation.pointwise}
    numbers = {k: layer for layer, calls in enumerate(net.calls) for k in calls}
    rows = _rows(net, {*host, *(() if before is None else before.numbers)}, numbers)
    loads: dict[int, dict[int, int]] = {}
    for k, layer in numbers.items():
        loads[k] = _add_products(rows[k], net, layer, products[layer], chip, first=k == net.calls[layer][0])
    levels = _levels(rows, loads)
    lanes = peak_lanes(net, parts)
    return {
        "steps": rows,
        "levels": levels,
        "weights": sum(row["weights"] for row in rows),
        "cells": sum(row["cells"] for row in rows),
        "conversions": sum(row["conversions"] for row in rows),
        "cycles_serial": sum(row["cycles_worst"] for row in rows),
        "cycles_parallel": sum(level["cycles_parallel"] for level in levels),
        "cycles_core": max(sum((Counter(load) for load in loads.values()), Counter()).values()),
        "lanes": lanes,
        "activation_bytes": LANE_BYTES * lanes,
        "host": host_work(net, rows, before),
    }


def _rows(net: FloatNetwork, host: Collection[int], layers: Collection[int]) -> list[Step]:
    """The steps in the order of computation, without what products take; the host does those with the numbers ``host``.

    The level of a step is how many layers there are on the longest way from the input, itself included: layers of one
    level do not wait for each other.
    """
    rows, levels = list[Step](), [0]
    for k, step in enumerate(net.steps):
        op = step.operation
        levels.append(max(levels[v] for v in step.inputs) + (k in layers))
        name, operator = (op.layer.name, "Relu" if op.layer.relu else "") if isinstance(op, Linear) else (
            _without_weights(op))
        rows.append({
            "name": name, "place": "array" if k in layers else "host" if k in host else "digital", "operator": operator,
            "positions": len(op.patches) if isinstance(op, Linear) else 1, "level": levels[-1], "lanes": op.size,
            "inputs": 0, "outputs": 0, "weights": 0, "cells": 0, "cores": [], "conversions": 0, "cycles_worst": 0,
        })
    return rows


def _add_products(
    row: Step, net: FloatNetwork, number: int, mine: Sequence[Product], chip: Chip, *, first: bool
) -> dict[int, int]:
    """Adds what the products of a call take; cells and weights to the ``first``. Its cycles on each core."""
    layer, cells, load = net.layers[number], chip.macro_config().cell_map.cells, dict[int, int]()
    for p in mine:
        load[p.core] = load.get(p.core, 0) + row["positions"] * p.cycles
    row.update({
        "inputs": layer.inputs, "outputs": layer.outputs, "cores": sorted(load),
        "weights": layer.weight.size * first, "cells": cells * sum(p.rows * p.columns for p in mine) * first,
        "conversions": row["positions"] * sum(p.conversions for p in mine), "cycles_worst": sum(load.values()),
    })
    return load


def _levels(rows: Sequence[Step], loads: Mapping[int, Mapping[int, int]]) -> list[Level]:
    """Layers that do not wait for each other, with their cycles one after the other and together.

    ``loads`` are cycles of each layer on each core, by the number of its step. Products of one core wait for each
    other; those of different cores do not.
    """
    levels: list[Level] = []
    for level in sorted({rows[k]["level"] for k in loads}):
        members = sorted(k for k in loads if rows[k]["level"] == level)
        cores = sorted(set().union(*(loads[k] for k in members)))
        levels.append({
            "level": level, "layers": [rows[k]["name"] for k in members], "cores": cores,
            "cycles_serial": sum(sum(loads[k].values()) for k in members),
            "cycles_parallel": max(sum(loads[k].get(core, 0) for k in members) for core in cores),
        })
    return levels
