"""Steps and stages as JSON and arrays, for the network file: one entry a field, by the class's own names."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compiler.integer import Encode, Limit, Table, WeightedSum
from compiler.layer import LinearLayer
from compiler.stages import Call, Largest, Select, Stage
from compiler.steps import Combine, Gather, Linear, Map, Maximum, Step

__all__ = ["read_stages", "read_steps", "write_operation"]

_STEPS: dict[str, Any] = {c.__name__: c for c in (Linear, Gather, Maximum, Combine, Map)}
_STAGES: dict[str, Any] = {c.__name__: c for c in (Call, Select, Largest, WeightedSum, Limit, Table)}
_PARTS: dict[str, Any] = {"Encode": Encode}


def write_operation(operation: Any, prefix: str, put: Callable[[str, NDArray[Any]], str]) -> dict[str, Any]:
    """Plain numbers and strings of an operation; its arrays go to ``put`` by name."""
    content: dict[str, Any] = {"kind": type(operation).__name__}
    for field in fields(operation):
        value = getattr(operation, field.name)
        if isinstance(value, np.ndarray):
            put(f"{prefix}.{field.name}", value)
        elif type(value).__name__ in _PARTS:
            content[field.name] = write_operation(value, f"{prefix}.{field.name}", put)
        elif not isinstance(value, LinearLayer):
            # JSON has no infinity.
            content[field.name] = repr(value) if isinstance(value, float) else value
    return content


def _read(
    content: Mapping[str, Any], prefix: str, arrays: Mapping[str, NDArray[Any]], kinds: Mapping[str, Any], **given: Any
) -> Any:
    kind = kinds[content["kind"]]
    values = dict(given)
    for field in fields(kind):
        name = field.name
        if name in content and isinstance(content[name], dict):
            values[name] = _read(content[name], f"{prefix}.{name}", arrays, _PARTS)
        elif name in content:
            values[name] = float(content[name]) if field.type is float else content[name]
        elif name not in given:
            values[name] = arrays[f"{prefix}.{name}"]
    return kind(**values)


def read_steps(
    content: Sequence[Mapping[str, Any]], layers: Sequence[LinearLayer], arrays: Mapping[str, NDArray[Any]]
) -> tuple[Step, ...]:
    """The steps of the float network, whose layers are given."""
    rest = iter(layers)
    steps = []
    for k, one in enumerate(content):
        given = {"layer": next(rest)} if one["kind"] == "Linear" else {}
        steps.append(Step(operation=_read(one, f"step{k}", arrays, _STEPS, **given), inputs=tuple(one["inputs"])))
    return tuple(steps)


def read_stages(content: Sequence[Mapping[str, Any]], arrays: Mapping[str, NDArray[Any]]) -> tuple[Stage, ...]:
    """The stages of the program.

    Raises
    ------
    ValueError
        If sums do not fit the widths of :mod:`compiler.integer`.
    """
    stages = tuple(
        Stage(operation=_read(one, f"stage{k}", arrays, _STAGES), inputs=tuple(one["inputs"]))
        for k, one in enumerate(content)
    )
    for stage in stages:
        if isinstance(stage.operation, WeightedSum):
            stage.operation.check()
    return stages
