"""The plan of a network on a chip, as plain numbers: steps, levels, conversions, cycles, memory, work of the host."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from mho.compiler.facts import Fit, HostWork, Level, NetworkPlan, Step
from mho.compiler.mapping import Placement
from mho.compiler.model import FloatNetwork, HostOp
from mho.compiler.model.before import Before
from mho.compiler.model.network import evaluated_at_the_end
from mho.compiler.model.stages import Combine, Evaluated, Gather, Linear, Map, Maximum
from mho.compiler.program import Layer
from mho.compiler.types import Facts
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


Place = Literal["array", "digital", "host"]

_SILENT = ("reshape", "cast")
"""Operators at the end that compute nothing."""


@dataclass(frozen=True, kw_only=True)
class PlacedStep:
    """One step of an image.

    ``name`` is that of the ONNX node, or what it does where several nodes are one; ``layer`` is the number of its
    layer, None if it has no weights; ``first`` says whether this is the first call of that layer; ``level`` is how many
    layers there are on the longest way from the input, itself included: layers of one level do not wait for each other.
    """

    name: str
    place: Place
    operator: str
    positions: int
    level: int
    lanes: int
    taken: int
    layer: int | None = None
    first: bool = True


def placed_steps(
    net: FloatNetwork, before: Before | None = None, host: Collection[int] | None = None
) -> list[PlacedStep]:
    """The steps of a network, in the order of computation.

    The host does those of ``before``, and those with the numbers ``host``: None, what is no function of one element.
    """
    if host is None:
        host = {k for k, step in enumerate(net.steps)
                if isinstance(step.operation, Evaluated) and not step.operation.pointwise}
    first = {*host, *(() if before is None else before.numbers)}
    result: list[PlacedStep] = []
    sizes, levels, numbers = [net.features], [0], dict[int, int]()
    for k, step in enumerate(net.steps):
        op, level = step.operation, max(levels[v] for v in step.inputs)
        common: Facts = {"lanes": op.size, "taken": sum(sizes[v] for v in step.inputs)}
        if isinstance(op, Linear):
            level, new = level + 1, id(op.layer) not in numbers
            number = numbers.setdefault(id(op.layer), len(numbers))
            result.append(PlacedStep(
                name=op.layer.name, place="array", operator="Relu" if op.layer.relu else "", level=level,
                positions=len(op.patches), layer=number, first=new, **common,
            ))
        else:
            name, operator = _without_weights(op)
            place: Place = "host" if k in first else "digital"
            result.append(PlacedStep(name=name, place=place, operator=operator, positions=1, level=level, **common))
        sizes.append(op.size)
        levels.append(level)
    return result


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


def host_work(net: FloatNetwork, steps: Sequence[PlacedStep], before: Before | None = None) -> list[HostWork]:
    """What the host does, in order: names, operators, and how many values cross to it and back."""
    outputs = net.steps[-1].operation.size
    sizes, entry, done = [net.features, *(s.lanes for s in steps)], "to codes", ()
    values = [0] if before is None else before.values
    if before is not None:
        entry, done = f"{before.operators} to codes", before.numbers
    work: list[HostWork] = [{
        "name": net.input_name, "operators": entry, "from_chip": 0, "to_chip": sum(sizes[v] for v in values),
    }]
    work.extend(
        {"name": s.name, "operators": s.operator, "from_chip": s.taken, "to_chip": s.lanes}
        for k, s in enumerate(steps) if s.place == "host" and k not in done
    )
    for output in net.outputs:
        last = [name for op in output.host if op.kind not in _SILENT for name in _operators(op)]
        work.append({
            "name": output.name, "operators": " ".join(["to numbers", *last]),
            "from_chip": outputs if output.size is None else output.size, "to_chip": 0,
        })
    return work


def _operators(op: HostOp) -> tuple[str, ...]:
    return evaluated_at_the_end(op.parameters["model"]).operators if op.kind == "onnx" else (op.kind,)


def peak_lanes(net: FloatNetwork, parts: int = 1) -> int:
    """Most lanes that are alive at once, of values as wholes: what later steps take, what a step takes and makes.

    A layer of a network with branches or positions takes codes, which are lanes beside those of the value. One that
    takes its inputs in two ``parts`` takes codes of the rest, too, and what is made of these is added to the first.
    """
    sizes = [net.features, *(step.operation.size for step in net.steps)]
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

    A layer that is called several times has its cells and weights in its first call, and conversions in each.
    ``before`` are the steps that the host does before the input is quantised, None if there are none; layers take their
    inputs in ``parts``; ``host`` as of :func:`placed_steps`.
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


def _row(net: FloatNetwork, step: PlacedStep, products: Products, cells: int) -> Step:
    row: Step = {
        "name": step.name, "place": step.place, "operator": step.operator, "positions": step.positions,
        "level": step.level, "lanes": step.lanes, "inputs": 0, "outputs": 0, "weights": 0, "cells": 0, "cores": [],
        "conversions": 0, "cycles_worst": 0,
    }
    if step.layer is None:
        return row
    mine, layer = products[step.layer], net.layers[step.layer]
    row.update({
        "inputs": layer.inputs, "outputs": layer.outputs, "cores": sorted({p.core for p in mine}),
        "weights": layer.weight.size * step.first,
        "cells": cells * sum(p.rows * p.columns for p in mine) * step.first,
        "conversions": step.positions * sum(p.conversions for p in mine),
        "cycles_worst": step.positions * sum(p.cycles for p in mine),
    })
    return row


def _by_core(step: PlacedStep, products: Products) -> dict[int, int]:
    """Cycles of a step on each core."""
    result: dict[int, int] = {}
    for p in [] if step.layer is None else products[step.layer]:
        result[p.core] = result.get(p.core, 0) + step.positions * p.cycles
    return result


def _levels(steps: Sequence[PlacedStep], products: Products) -> list[Level]:
    """Layers that do not wait for each other, with their cycles one after the other and together.

    Products of one core wait for each other; those of different cores do not.
    """
    result: list[Level] = []
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
