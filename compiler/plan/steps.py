"""The steps of an image, each with where it runs: in the array, in the vector unit of a tile, at the host."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from mho.compiler.model import FloatNetwork, HostOp
from mho.compiler.model.before import Before
from mho.compiler.model.network import evaluated_at_the_end
from mho.compiler.model.stages import Combine, Evaluated, Gather, Linear, Map, Maximum
from mho.compiler.types import Facts

__all__ = ["Place", "PlacedStep", "host_work", "peak_lanes", "placed_steps"]

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


def host_work(
    net: FloatNetwork, steps: Sequence[PlacedStep], before: Before | None = None
) -> list[Facts]:
    """What the host does, in order: names, operators, and how many values cross to it and back."""
    outputs = net.steps[-1].operation.size
    sizes, entry, done = [net.features, *(s.lanes for s in steps)], "to codes", ()
    values = [0] if before is None else before.values
    if before is not None:
        entry, done = f"{before.operators} to codes", before.numbers
    work = [{
        "name": net.input_name, "operators": entry, "from_chip": 0, "to_chip": sum(sizes[v] for v in values),
    }]
    work += [
        {"name": s.name, "operators": s.operator, "from_chip": s.taken, "to_chip": s.lanes}
        for k, s in enumerate(steps) if s.place == "host" and k not in done
    ]
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

