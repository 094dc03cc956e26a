"""Steps and stages as JSON and arrays, for the network file: one entry a field, by the class's own names.

What each field may hold is said here: types, ranges, shapes. Sizes have names: ``taken`` are the elements that an
operation takes, others are learnt from the first array that has them, and the next one must agree.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from mho.compiler.model.functions import TABLES
from mho.compiler.model.layer import LinearLayer
from mho.compiler.model.operators.bounds import MOST_ELEMENTS, MOST_OF_ALL
from mho.compiler.model.stages import Combine, Evaluated, Gather, Linear, Map, Maximum, Step
from mho.compiler.network.file.archive import Arrays
from mho.compiler.program import Call, Host, Layer, Stage
from mho.compiler.types import Array, Facts
from mho.macro_models.errors import InputError
from mho.macro_models.files.schema import FLAG, JSON, TEXT, Choice, ListOf, Number, Whole
from mho.macro_models.integer import vector
from mho.macro_models.integer.window import Axis, Window

MOST = 1e30
"""Largest magnitude of a number in the units of a model."""
_WIDE = 1 << 31
MOST_TURNS = 7
"""Copies of a layer that are dealt images, at most."""

Put = Callable[[str, Array], str]
Sizes = dict[str, int]


@dataclass(frozen=True)
class Held:
    """An array: a name or a number for each dimension, limits of its numbers; below a size where ``high`` names one."""

    dtype: DTypeLike
    shape: str
    low: float
    high: float | str

    def read(self, arrays: Arrays, name: str, sizes: Sizes) -> Array:
        """The array, which is not empty; sizes that are not known yet are put into ``sizes``."""
        shape = tuple(int(word) if word.isdecimal() else sizes.get(word) for word in self.shape.split())
        high = sizes[self.high] - 1 if isinstance(self.high, str) else self.high
        array = arrays.take(name, self.dtype, shape, self.low, high)
        if not array.size:
            raise InputError(f"{arrays.path}: {name} must not be empty")
        sizes.update(zip(self.shape.split(), array.shape, strict=True))
        return array


def reals(shape: str, low: float = -MOST) -> Held:
    """Numbers in the units of a model."""
    return Held(np.float64, shape, low, MOST)


def lanes(shape: str) -> Held:
    """Values of 16 bits."""
    return Held(np.int16, shape, -vector.LANE_MAX - 1, vector.LANE_MAX)


def factors(shape: str, low: int = 0) -> Held:
    """Multipliers."""
    return Held(np.int32, shape, low, vector.MULTIPLIER_MAX)


def indices(shape: str, low: int = -1, below: str = "taken") -> Held:
    """Numbers of elements, -1 for what is outside."""
    return Held(np.int32, shape, low, below)


@dataclass(frozen=True)
class _Below:
    """A whole number below a size."""

    size: str


@dataclass(frozen=True)
class _Part:
    """Something that has fields itself: one, perhaps none, or a list."""

    kind: type
    how: str = "one"


class _Real:
    """A number as text, since JSON has no infinity."""

    def read(self, where: str, value: object) -> float:
        text = TEXT.read(where, value)
        number = float(text) if re.fullmatch(r"-?(inf|\d+(\.\d+)?(e[+-]?\d+)?)", text) else np.nan
        return Number(-np.inf, np.inf).read(where, number)


@dataclass(frozen=True)
class _Absent:
    """A field that files of before do not have, and what it is there."""

    field: Any
    value: object

    def read(self, where: str, value: object) -> Any:
        return self.value if value is None else self.field.read(where, value)


SHIFT, CODE, COUNT = Whole(0, vector.SHIFT_MAX), Whole(-vector.LANE_MAX, vector.LANE_MAX), Whole(1, _WIDE)
_ANY, _WINDOW = Whole(-_WIDE, _WIDE), _Part(Window, "none")

_FIELDS: dict[type, Facts] = {
    LinearLayer: {
        "name": TEXT, "weight": reals("outputs each"), "bias": reals("outputs"), "relu": FLAG,
        "groups": _Absent(COUNT, 1),
    },
    Linear: {
        "layer": _Part(LinearLayer), "patches": indices("positions rows"), "pad": reals("rows"), "window": _WINDOW,
    },
    Gather: {"index": indices("elements"), "like": indices("elements"), "fill": _Real()},
    Maximum: {"index": indices("elements window", 0)},
    Combine: {
        "index": indices("elements terms"), "coefficient": reals("elements terms"), "offset": reals("elements"),
        "channel": indices("elements", 0, "elements"),
    },
    Evaluated: {"model": Held(np.uint8, "bytes", 0, 255), "size": COUNT, "pointwise": FLAG},
    Host: {"step": _Part(Evaluated), "taken": reals("taken", 0), "unit": reals("made", 1e-30)},
    Map: {"function": Choice(("clip", *TABLES)), "size": COUNT, "low": _Real(), "high": _Real()},
    Call: {
        "layer": _Below("layers"), "patches": indices("positions rows"), "pad": lanes("rows"), "window": _WINDOW,
        "first": _Absent(Whole(0, _WIDE), 0), "turn": _Absent(Whole(0, MOST_TURNS - 1), 0),
        "turns": _Absent(Whole(1, MOST_TURNS), 1),
    },
    vector.Encode: {
        "offset": lanes("taken"), "multiplier": factors("taken"), "shift": SHIFT, "low": CODE, "high": CODE,
    },
    vector.Select: {"index": indices("elements"), "fill": lanes("elements")},
    vector.Largest: {"index": indices("elements window", 0)},
    vector.WeightedSum: {
        "index": indices("elements terms"), "multiplier": factors("elements terms", -vector.MULTIPLIER_MAX),
        "shift": SHIFT,
        "offset": Held(np.int32, "elements", -(2**16), 2**16),
    },
    vector.Product: {"left": indices("elements", 0), "right": indices("elements", 0), "shift": SHIFT},
    vector.Limit: {"low": lanes("taken"), "high": lanes("taken")},
    vector.Table: {"multiplier": factors("taken"), "shift": SHIFT, "entries": lanes(f"{2 * vector.TABLE_HALF}")},
    Window: {"first": _ANY, "channels": COUNT, "channel_step": _ANY, "axes": _Part(Axis, "list"), "groups": COUNT},
    Axis: {
        **dict.fromkeys(("kernel", "stride", "dilation", "positions"), COUNT),
        **dict.fromkeys(("size", "step", "before"), _ANY),
    },
}
_STEPS = {c.__name__: c for c in (Linear, Gather, Maximum, Combine, Map, Evaluated)}
_STAGES = {c.__name__: c for c in (
    Call, vector.Encode, vector.Select, vector.Largest, vector.WeightedSum, vector.Product, vector.Limit, vector.Table,
    Host,
)}


def write_all(parts: Sequence[Step | Stage], prefix: str, put: Put) -> list[Facts]:
    """Plain numbers and strings of steps or stages; their arrays go to ``put`` by name.

    A layer that several steps share is written with the first of them, whose number the others have as ``layer_of``.
    """
    entries, first = [], {}
    for k, part in enumerate(parts):
        op, content = part.operation, {"inputs": list(part.inputs)}
        owner = first.setdefault(id(op.layer), k) if isinstance(op, Linear) else k
        # What a file of before does not have is left out where it says nothing.
        without = ("turn", "turns") if isinstance(op, Call) and op.turns == 1 else () if owner == k else ("layer",)
        entries.append(content | _write(op, f"{prefix}{k}", put, without))
        if owner != k:
            entries[-1]["layer_of"] = owner
    return entries


def _write(operation: Any, prefix: str, put: Put, without: Sequence[str] = ()) -> Facts:
    content: Facts = {"kind": type(operation).__name__}
    for field in fields(operation):
        value = getattr(operation, field.name)
        if field.name in without:
            continue
        if isinstance(value, np.ndarray):
            put(f"{prefix}.{field.name}", value)
        elif type(value) in _FIELDS:
            content[field.name] = _write(value, f"{prefix}.{field.name}", put)
        elif isinstance(value, tuple):
            content[field.name] = [_write(part, "", put) for part in value]
        else:
            # JSON has no infinity.
            content[field.name] = repr(value) if isinstance(value, float) else value
    return content


def _read(
    kind: type, content: object, prefix: str, arrays: Arrays, sizes: Sizes, given_sizes: Mapping[str, Any] | None = None
) -> Any:
    """Something with fields: its arrays are called ``prefix`` and the field; ``given_sizes`` fields are not read."""
    where = f"{arrays.path}: {prefix}"
    table, values = JSON.read(where, content), dict(given_sizes or {})
    for name, spec in _FIELDS[kind].items():
        at, value = f"{where}.{name}", table.get(name)
        if name in values:
            continue
        if isinstance(spec, Held):
            values[name] = spec.read(arrays, f"{prefix}.{name}", sizes)
        elif isinstance(spec, _Below):
            values[name] = Whole(0, sizes[spec.size] - 1).read(at, value)
        elif not isinstance(spec, _Part):
            values[name] = spec.read(at, value)
        elif spec.how == "list":
            parts = enumerate(ListOf(JSON, most=8).read(at, value))
            values[name] = tuple(_read(spec.kind, part, f"{prefix}.{name}[{k}]", arrays, sizes) for k, part in parts)
        elif spec.how == "none" and value is None:
            values[name] = None
        else:
            values[name] = _read(spec.kind, value, f"{prefix}.{name}", arrays, sizes)
    return kind(**values)


def _read_all(
    kinds: dict[str, type], content: object, prefix: str, arrays: Arrays, elements: int, layers: Sequence[Layer] = ()
) -> tuple[list[tuple[Any, tuple[int, ...]]], int]:
    """Operations with the numbers of the values that they take, and the elements of the last value."""
    sizes_made, parts, called, total = [elements], [], [0] * len(layers), elements
    for k, entry in enumerate(ListOf(JSON, least=1).read(f"{arrays.path}: {prefix}s", content)):
        where = f"{arrays.path}: {prefix}{k}"
        kind = kinds[Choice(tuple(kinds)).read(f"{where}.kind", entry.get("kind"))]
        inputs = ListOf(Whole(0, k), least=1).read(f"{where}.inputs", entry.get("inputs"))
        sizes = {"taken": sum(sizes_made[value] for value in inputs), "layers": len(layers)}
        Whole(1, MOST_ELEMENTS).read(f"{where}: elements of its inputs", sizes["taken"])
        ends = {}
        if kind is Linear and "layer_of" in entry:
            layer = ends["layer"] = _shared(parts, Whole(0, k).read(f"{where}.layer_of", entry["layer_of"]), where)
            sizes |= {"outputs": layer.outputs, "rows": layer.inputs}
        operation = _read(kind, entry, f"{prefix}{k}", arrays, sizes, ends)
        if isinstance(operation, Call):
            layer = layers[operation.layer]
            Choice((layer.inputs,)).read(f"{where}.patches: inputs at a position", sizes["rows"])
            # The calls of a layer take its positions one after the other.
            Choice((called[operation.layer],)).read(f"{where}.first", operation.first)
            called[operation.layer] += sizes["positions"]
            Choice((True,)).read(f"{where}.turn: that it is one of its turns", operation.turn < operation.turns)
            sizes["outputs"] = layer.outputs
        if isinstance(operation, Map):
            Choice((sizes["taken"],)).read(f"{where}.size", operation.size)
        if isinstance(operation, Linear) and not ends:
            groups = operation.layer.groups
            Choice((groups * sizes["each"],)).read(f"{where}.patches: inputs at a position", sizes["rows"])
            Choice((0,)).read(f"{where}.layer.weight: outputs beyond those of its groups", sizes["outputs"] % groups)
        if isinstance(operation, Linear) and operation.window is not None:
            matches = operation.window.gives(operation.patches)
            Choice((True,)).read(f"{where}: that its window gives its patches", matches)
        step = operation.step if isinstance(operation, Host) else operation
        if isinstance(step, Evaluated):
            _check_evaluated(step, where, sizes["taken"])
            sizes["elements"] = step.size
        if isinstance(operation, Host):
            Choice((operation.step.size,)).read(f"{where}.unit: elements", sizes["made"])
        elements_each = sizes.get("elements", sizes["taken"])
        sizes_made.append(sizes["outputs"] * sizes["positions"] if "positions" in sizes else elements_each)
        Whole(1, MOST_ELEMENTS).read(f"{where}: elements", sizes_made[-1])
        total = Whole(1, MOST_OF_ALL).read(f"{where}: elements of all values so far", total + sizes_made[-1])
        parts.append((operation, inputs))
    for number, layer in enumerate(layers):
        Choice((layer.positions,)).read(f"{arrays.path}: layer{number}: positions of its calls", called[number])
    return parts, sizes_made[-1]


def _shared(parts: Sequence[tuple[Any, tuple[int, ...]]], number: int, where: str) -> LinearLayer:
    """The layer of an earlier step."""
    op = parts[number][0] if number < len(parts) else None
    if not isinstance(op, Linear):
        raise InputError(f"{where}.layer_of must be the number of an earlier step with a layer, not {number}")
    return op.layer


def _check_evaluated(step: Evaluated, where: str, elements: int) -> None:
    """Operators of ONNX are some that run, on so many elements, and make what is said."""
    try:
        Choice((elements,)).read(f"{where}: elements of its inputs", step.size if step.pointwise else step.taken)
        Choice((step.size,)).read(f"{where}: elements of its output", Evaluated.of(step.proto).size)
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{where}.model: {error}") from None


def read_steps(content: object, arrays: Arrays, elements: int) -> tuple[tuple[Step, ...], int]:
    """The steps of the float network, whose input has so many elements, and the elements of its last value."""
    parts, last = _read_all(_STEPS, content, "step", arrays, elements)
    return tuple(Step(operation=op, inputs=inputs) for op, inputs in parts), last


def read_stages(
    content: object, arrays: Arrays, elements: int, layers: Sequence[Layer]
) -> tuple[tuple[Stage, ...], int]:
    """The stages of the program, whose input has so many elements, and the elements of its last value."""
    parts, last = _read_all(_STAGES, content, "stage", arrays, elements, layers)
    return tuple(Stage(operation=op, inputs=inputs) for op, inputs in parts), last
