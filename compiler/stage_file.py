"""Steps and stages as JSON and arrays, for the network file: one entry a field, by the class's own names."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compiler.layer import LinearLayer
from compiler.program import Call, Stage
from compiler.steps import Combine, Gather, Linear, Map, Maximum, Step
from macro_models.exact.vector import Encode, Largest, Limit, Select, Table, WeightedSum
from macro_models.exact.window import Axis, Window

__all__ = ["read_stages", "read_steps", "write_all"]

_STEPS: dict[str, Any] = {c.__name__: c for c in (Linear, Gather, Maximum, Combine, Map)}
_STAGES: dict[str, Any] = {c.__name__: c for c in (Call, Encode, Select, Largest, WeightedSum, Limit, Table)}
_PARTS: dict[str, Any] = {"LinearLayer": LinearLayer, "Window": Window, "Axis": Axis}

Put = Callable[[str, NDArray[Any]], str]
Arrays = Mapping[str, NDArray[Any]]


def write_all(parts: Sequence[Step | Stage], prefix: str, put: Put) -> list[dict[str, Any]]:
    """Plain numbers and strings of steps or stages; their arrays go to ``put`` by name."""
    return [{"inputs": list(p.inputs), **_write(p.operation, f"{prefix}{k}", put)} for k, p in enumerate(parts)]


def _write(operation: Any, prefix: str, put: Put) -> dict[str, Any]:
    content: dict[str, Any] = {"kind": type(operation).__name__}
    for field in fields(operation):
        value = getattr(operation, field.name)
        if isinstance(value, np.ndarray):
            put(f"{prefix}.{field.name}", value)
        elif type(value).__name__ in _PARTS:
            content[field.name] = _write(value, f"{prefix}.{field.name}", put)
        elif isinstance(value, tuple):
            content[field.name] = [_write(one, "", put) for one in value]
        else:
            # JSON has no infinity.
            content[field.name] = repr(value) if isinstance(value, float) else value
    return content


def _read(content: Mapping[str, Any], prefix: str, arrays: Arrays, kinds: Mapping[str, Any]) -> Any:
    kind, values = kinds[content["kind"]], {}
    for field in fields(kind):
        name = field.name
        if name not in content:
            values[name] = arrays[f"{prefix}.{name}"]
        elif isinstance(content[name], dict):
            values[name] = _read(content[name], f"{prefix}.{name}", arrays, _PARTS)
        elif isinstance(content[name], list):
            values[name] = tuple(_read(one, "", arrays, _PARTS) for one in content[name])
        else:
            values[name] = float(content[name]) if field.type is float else content[name]
    return kind(**values)


def read_steps(content: Sequence[Mapping[str, Any]], arrays: Arrays) -> tuple[Step, ...]:
    """The steps of the float network."""
    return tuple(
        Step(operation=_read(one, f"step{k}", arrays, _STEPS), inputs=tuple(one["inputs"]))
        for k, one in enumerate(content)
    )


def read_stages(content: Sequence[Mapping[str, Any]], arrays: Arrays) -> tuple[Stage, ...]:
    """The stages of the program."""
    return tuple(
        Stage(operation=_read(one, f"stage{k}", arrays, _STAGES), inputs=tuple(one["inputs"]))
        for k, one in enumerate(content)
    )
