"""A sweep as its file says it: strictly parsed, every name and value checked before anything runs.

Paths are relative to the file. What is read here is all that a sweep depends on, so that a point can be computed in
another process, or on another machine, from this alone.
"""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from mho.compiler import CompileOptions
from mho.dotted import dotted
from mho.hw.config import Chip, default_device, load_chip
from mho.macro_models.devices import Device, load_device
from mho.macro_models.errors import InputError
from mho.macro_models.files import FileKind, read_toml
from mho.macro_models.files.schema import Choice, ListOf, Number, Optional, Table, Text, Type, Whole, shown
from mho.sweeps.spec.measures import MEASURES
from mho.sweeps.spec.workload import Workload, load_workload
from mho.units import parse_time

SCHEMA = 1
MOST_POINTS = 1_000_000
METHODS = ("grid", "random", "pareto")
_KIND = FileKind("description of a sweep", 1 << 20)
_COMPILE = "compile."
_NAMES = ListOf(Text(1), 1)
_SEED = Whole(0, 2**32 - 1)


Value = TypeVar("Value")


class _Seeds:
    """A number of chips, or a list of seeds."""

    def read(self, where: str, value: object) -> tuple[int, ...]:
        if isinstance(value, list):
            return ListOf(_SEED, 1).read(where, value)
        return tuple(range(Whole(1, 100_000).read(where, value)))


class _Time:
    """Seconds, or a number with its unit."""

    def read(self, where: str, value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, (str, int, float)):
            raise InputError(f'{where} must be a time such as "1d", not {shown(value)}')
        try:
            return parse_time(value)
        except InputError as error:
            raise InputError(f"{where}: {error}") from None


_NETWORK = Table({
    "sample": Optional(Text(1)), "model": Optional(Text(1)), "input": Optional(Text(1)), "labels": Optional(Text(1)),
    "calibrate": Optional(Text(1)), "images": Optional(Whole(1)), "score": Optional(Text(1)),
})
_SEARCH = Table({
    "method": Choice(METHODS), "evaluations": Optional(Whole(1)), "seed": Optional(_SEED),
    "batch": Optional(Whole(1, 1000)), "objectives": Optional(Type(dict, "a table")),
})
_FILE = Table({
    "schema": Choice((SCHEMA,)), "chips": _NAMES, "devices": Optional(_NAMES),
    "times": Optional(ListOf(_Time(), 1)),
    "temps": Optional(ListOf(Number(-273.15, 1000.0), 1)), "seeds": Optional(_Seeds()),
    "axes": Optional(Type(dict, "a table")), "networks": Type(dict, "a table"), "search": Optional(_SEARCH),
})


@dataclass(frozen=True, kw_only=True)
class Axis:
    """A key of the chip, or an option of the compiler, with the values that it takes."""

    name: str
    """As a column is called: ``adc.bits``, ``compile.slices``."""
    values: tuple[object, ...]


@dataclass(frozen=True, kw_only=True)
class Search:
    """Which of all combinations are run."""

    method: str = "grid"
    """``grid``: all; ``random``: some; ``pareto``: those that lead to the best trade-offs of the objectives."""
    evaluations: int | None = None
    """Most combinations that are run, each on all seeds."""
    objectives: tuple[tuple[str, bool], ...] = ()
    """Names of measures, and whether more of each is better."""
    seed: int = 0
    """Of the choice."""
    batch: int = 10
    """Combinations that are chosen at once: what the choice depends on besides ``seed``."""


@dataclass(frozen=True, kw_only=True)
class Spec:
    """All that a sweep depends on."""

    networks: Mapping[str, Workload]
    chips: tuple[str, ...]
    """As written: presets, or paths."""
    devices: tuple[str | None, ...]
    """As written; None: that of the chip."""
    axes: tuple[Axis, ...]
    times_s: tuple[float, ...]
    temps_C: tuple[float, ...]
    seeds: tuple[int, ...]
    search: Search
    built: Mapping[tuple[str, tuple[object, ...]], "Chip | str"]
    """Chip by its name and the values of the axes; or the sentence that says why there is no such chip."""
    models: Mapping[str | None, "Device | str"]
    """Device by its name, or the sentence that says why it is none."""

    @property
    def size(self) -> int:
        """Combinations, each of which is run on all seeds."""
        count = len(self.networks) * len(self.chips) * len(self.devices) * len(self.times_s) * len(self.temps_C)
        for axis in self.axes:
            count *= len(axis.values)
        return count

    @property
    def rows(self) -> int:
        """Rows at most: a search ends before all combinations are run."""
        return min(self.size, self.search.evaluations or self.size) * len(self.seeds)

    def device(self, name: str | None, chip: Chip) -> Device:
        """A device of the file, or that of the chip.

        Raises InputError if there is none.
        """
        return default_device(chip) if name is None else self.models[name]  # type: ignore[return-value]


def load_spec(path: Path) -> Spec:
    """Read and check the file of a sweep, and all files that it names.

    Raises InputError: one sentence with file, field, value and what would be right.
    """
    _, tree = read_toml(path, _KIND)
    tables = _FILE.read(f"{path}: ", tree)
    if next(iter(tree)) != "schema":
        raise InputError(f"{path}: schema = {SCHEMA} must be the first key, not {next(iter(tree))}")
    if not tables["networks"]:
        raise InputError(f"{path}: networks must hold a table such as [networks.digits], not nothing")
    chips = _unique(path, "chips", tuple(_beside(path, name) for name in tables["chips"]))
    devices = _unique(path, "devices", tuple(_beside(path, name) for name in tables.get("devices", ())))
    axes = tuple(_axes(path, tables.get("axes", {})))
    spec = Spec(
        networks={name: load_workload(path, name, _NETWORK.read(f"{path}: networks.{name}", table))
                  for name, table in tables["networks"].items()},
        chips=chips, devices=devices or (None,), axes=axes,
        times_s=_unique(path, "times", tables.get("times", (86400.0,))),
        temps_C=_unique(path, "temps", tables.get("temps", (25.0,))),
        seeds=_unique(path, "seeds", tables.get("seeds", (0,))), search=_search(path, tables.get("search", {})),
        built=_chips(path, chips, axes), models={name: load_device(name) for name in devices},
    )
    if spec.size * len(spec.seeds) > MOST_POINTS and spec.search.method == "grid":
        raise InputError(
            f"{path}: must have {MOST_POINTS:,} rows at most, not {spec.size * len(spec.seeds):,}; list fewer values, "
            "or search"
        )
    return spec


def _beside(path: Path, name: str) -> str:
    """A name of something that ships, or a path from the folder of the file."""
    return str(path.parent / name) if name.endswith(".toml") or "/" in name else name


def _unique(path: Path, key: str, values: tuple[Value, ...]) -> tuple[Value, ...]:
    for value in values:
        if values.count(value) > 1:
            raise InputError(f"{path}: {key} must hold each value once, not {value} {values.count(value)} times")
    return values


def _axes(path: Path, tree: Mapping[str, object]) -> Iterator[Axis]:
    for name, values in dotted(tree):
        if not isinstance(values, list) or not values:
            raise InputError(f"{path}: axes.{name} must be a list of values, not {shown(values)}")
        if name.startswith(_COMPILE):
            for value in values:
                try:
                    CompileOptions.from_dict({name.removeprefix(_COMPILE): value})
                except InputError as error:
                    raise InputError(f"{path}: axes.{name}: {error}") from None
        yield Axis(name=name, values=_unique(path, f"axes.{name}", tuple(values)))


def _chips(
    path: Path, names: tuple[str, ...], axes: tuple[Axis, ...]
) -> dict[tuple[str, tuple[object, ...]], "Chip | str"]:
    """All chips of a sweep. A value with which no chip can be built is wrong; others contradict each other."""
    built: dict[tuple[str, tuple[object, ...]], Chip | str] = {}
    of_chip = [k for k, axis in enumerate(axes) if not axis.name.startswith(_COMPILE)]
    for name in names:
        load_chip(name)
        for values in itertools.product(*(axes[k].values for k in of_chip)):
            overrides = {axes[k].name: value for k, value in zip(of_chip, values, strict=True)}
            try:
                built[name, values] = load_chip(name, overrides)
            except InputError as error:
                built[name, values] = str(error)
    for place, k in enumerate(of_chip):
        for value in axes[k].values:
            having = [chip for (_, values), chip in built.items() if values[place] == value]
            wrong = [chip for chip in having if isinstance(chip, str)]
            if len(wrong) == len(having):
                raise InputError(f"{path}: axes.{axes[k].name}: {wrong[0].removeprefix('overrides ')}")
    return built


def _search(path: Path, table: Mapping[str, Any]) -> Search:
    if not table:
        return Search()
    objectives = []
    for name, goal in table.get("objectives", {}).items():
        where = f"{path}: search.objectives.{name}"
        if name not in MEASURES:
            raise InputError(f"{where}: must be one of {', '.join(MEASURES)}")
        if goal not in ("max", "min"):
            raise InputError(f'{where} must be "max" or "min", not {shown(goal)}')
        objectives.append((name, goal == "max"))
    if table["method"] == "pareto" and not objectives:
        raise InputError(f'{path}: search.objectives must name what is wanted, as in {{accuracy = "max"}}, not nothing')
    if table["method"] != "grid" and "evaluations" not in table:
        raise InputError(f"{path}: search.evaluations must say how many combinations are run at most, not nothing")
    options = {key: table[key] for key in ("method", "evaluations", "seed", "batch") if key in table}
    return Search(objectives=tuple(objectives), **options)
