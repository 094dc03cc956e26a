"""Layers of a program, and cores, in a network file."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.compiler.mapping import Placement
from mho.compiler.network.file.archive import Arrays
from mho.compiler.network.file.stages import CODE, COUNT, SHIFT, factors, indices, lanes
from mho.compiler.program import Layer, Mvm
from mho.compiler.types import Facts, Float
from mho.hw.config import Chip
from mho.macro_models.files.schema import FLAG, JSON, TEXT, Choice, ListOf, Nullable, Spec, Table, Whole
from mho.macro_models.integer.operation import MAX_BITS, MOST_OUT_BITS, STEP_WIDTH, MvmOperation
from mho.macro_models.integer.vector import Requantise, Root
from mho.macro_models.types import Flags


@dataclass(frozen=True, kw_only=True)
class CoreImage:
    """What one core holds.

    ``targets_uS`` has shape (lines, lines), ``[bl, sl]``; ``word_lines`` and ``converted_lines`` (8, lines);
    ``bl_skip`` and ``sl_skip`` (lines,). Cells that no weight uses have the chip's g_min: the masks keep them out of
    every sum. ``faulty``, (lines, lines), are cells that were known to be faulty when the network was compiled, None
    if none were: their targets are what they hold.
    """

    targets_uS: NDArray[np.float32]
    word_lines: Flags
    converted_lines: Flags
    bl_skip: Flags
    sl_skip: Flags
    faulty: Flags | None = None

    @classmethod
    def from_placement(
        cls, placement: Placement, core: int, targets_uS: NDArray[np.float32], g_uS: Float | None = None
    ) -> "CoreImage":
        """The image of a core; ``g_uS`` holds what faulty cells have, NaN elsewhere."""
        bl_skip, sl_skip = placement.dead_lines(core)
        faulty = None
        if g_uS is not None and not np.isnan(g_uS).all():
            faulty = ~np.isnan(g_uS)
            targets_uS = np.where(faulty, g_uS, targets_uS).astype(np.float32)
        return cls(
            targets_uS=targets_uS,
            word_lines=placement.word_lines(core),
            converted_lines=placement.converted_lines(core),
            bl_skip=bl_skip,
            sl_skip=sl_skip,
            faulty=faulty,
        )


def write_core(core: CoreImage, prefix: str, put: Any) -> None:
    """The arrays of a core, given to ``put`` by names that begin with ``prefix``."""
    for name in ("targets_uS", "word_lines", "converted_lines", "bl_skip", "sl_skip"):
        put(f"{prefix}.{name}", getattr(core, name))
    if core.faulty is not None:
        put(f"{prefix}.faulty", core.faulty)


def read_core(k: int, shape: tuple[int, int], arrays: Arrays) -> CoreImage:
    """Core ``k``, whose rows and columns of cells are ``shape``."""
    def flags(name: str, *shape: int) -> Flags:
        return arrays.take(f"core{k}.{name}", np.bool_, shape)

    driven, converted = shape
    return CoreImage(
        targets_uS=arrays.take(f"core{k}.targets_uS", np.float32, shape, 0, 1e6),
        word_lines=flags("word_lines", 8, driven), converted_lines=flags("converted_lines", 8, converted),
        bl_skip=flags("bl_skip", driven), sl_skip=flags("sl_skip", converted),
        faulty=flags("faulty", *shape) if f"core{k}.faulty" in arrays else None,
    )


def write_layer(layer: Layer, prefix: str, put: Any) -> Facts:
    """A layer as JSON; its arrays are given to ``put`` by names that begin with ``prefix``."""
    put(f"{prefix}.bias", layer.root.bias)
    put(f"{prefix}.spread", layer.spread)
    mvms = []
    for k, m in enumerate(layer.mvms):
        for name in ("rows", "columns", "outputs", "multiplier"):
            put(f"{prefix}.mvm{k}.{name}", getattr(m, name))
        named = {entry.name: getattr(m.op, entry.name) for entry in fields(m.op)}
        op = {**_ABSENT, **{name: value.name if isinstance(value, Enum) else value for name, value in named.items()}}
        mvms.append({"core": m.core, "operation": m.operation, "first": m.first, "op": op})
    q = layer.root.requantise
    return {
        "name": layer.name,
        "inputs": layer.inputs,
        "outputs": layer.outputs,
        "shift": layer.shift,
        "positions": layer.positions,
        "relu": layer.root.relu,
        "requantise": None if q is None else {"shift": q.shift, "low": q.low, "high": q.high},
        "mvms": mvms,
    }


def read_layer(k: int, entry: Mapping[str, Any], arrays: Arrays, chip: Chip, cores: int) -> Layer:
    """Layer ``k`` of a network on so many cores of a chip."""
    where, sizes = f"{arrays.path}: layer{k}", {"inputs": entry["inputs"], "outputs": entry["outputs"]}
    spread = indices("rows", -1, "inputs").read(arrays, f"layer{k}.spread", sizes)
    mvms, cell_map = [], chip.macro_config().cell_map
    for j, m in enumerate(entry["mvms"]):
        at = {**sizes, "core_rows": cell_map.rows, "core_columns": cell_map.columns}
        fields = {name: spec.read(arrays, f"layer{k}.mvm{j}.{name}", at) for name, spec in _PRODUCT.items()}
        Whole(0, cores - 1).read(f"{where}.mvms[{j}].core", m["core"])
        Whole(0, len(spread) - at["taken"]).read(f"{where}.mvms[{j}].first", m["first"])
        op = _read_operation(f"{arrays.path}: layers[{k}].mvms[{j}].op", m["op"], chip.operation_type)
        mvms.append(Mvm(core=m["core"], operation=m["operation"], first=m["first"], op=op, **fields))
    q = entry["requantise"]
    root = Root(
        bias=lanes("outputs").read(arrays, f"layer{k}.bias", sizes), relu=entry["relu"],
        requantise=None if q is None else Requantise(**q),
    )
    return Layer(
        name=entry["name"], inputs=entry["inputs"], outputs=entry["outputs"], spread=spread, mvms=tuple(mvms),
        shift=entry["shift"], root=root, positions=entry["positions"],
    )


def _read_operation(where: str, entry: Mapping[str, Any], kind: type[MvmOperation]) -> MvmOperation:
    """An operation, which has the fields of its kind."""
    specs, names = dict(_OPERATION), dict[str, Mapping[str, Enum]]()
    for known in fields(kind):
        if isinstance(known.default, Enum):
            names[known.name] = type(known.default).__members__ if known.init else {known.default.name: known.default}
            specs[known.name] = Choice(tuple(names[known.name]))
        elif isinstance(known.default, bool):
            specs[known.name] = FLAG
        specs.setdefault(known.name, Whole())
    read = Table(specs).read(where, entry)
    values: dict[str, Any] = {name: names[name][value] if name in names else value for name, value in read.items()}
    return kind(**{known.name: values[known.name] for known in fields(kind) if known.init})


_ABSENT = {"converter": "COUNT", "early_stop": False}
"""What the format says of kinds whose operations have no such field."""
_WIDE = 2**31
RANGE = {"low": CODE, "high": CODE}
_PRODUCT = {
    "rows": indices("taken", 0, "core_rows"), "columns": indices("columns", 0, "core_columns"),
    "outputs": indices("columns", 0, "outputs"), "multiplier": factors("columns"),
}
_OPERATION: dict[str, Spec] = {
    **{name: Choice((value,)) for name, value in _ABSENT.items()},
    "in_bits": Whole(1, MAX_BITS), "out_bits": Whole(1, MOST_OUT_BITS), "wl_select": Whole(0, 7),
    "line_select": Whole(0, 7), "step_code": Whole(1, 2**STEP_WIDTH - 1),
}
LAYER = Table({
    "name": TEXT, "inputs": COUNT, "outputs": COUNT, "shift": SHIFT, "positions": COUNT, "relu": FLAG,
    "requantise": Nullable(Table({"shift": SHIFT, **RANGE})),
    "mvms": ListOf(
        Table({"core": Whole(), "operation": Whole(0, _WIDE), "first": Whole(), "op": JSON}), least=1
    ),
})
