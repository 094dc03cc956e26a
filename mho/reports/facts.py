"""What a report takes from the JSON of a run, and what is known of the digital part in standard cells."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NotRequired, TypedDict, get_type_hints

from mho.comparisons.runs import Content, Run, read_run
from mho.compiler.facts import Fit, LinkFlits
from mho.macro_models.errors import InputError
from mho.macro_models.files import FileKind, parse_json, read_text, reading
from mho.macro_models.files.schema import FLAG, TEXT, Table, spec_of
from mho.results.facts import Cost, LayerRow, Trace
from mho.sim.layout.signoff import Layout
from mho.units import format_time


class BlockArea(TypedDict):
    """A module and its instances: areas in µm², alone and buffered."""

    module: str
    instances: int
    flip_flops: int
    area: float
    buffered: float


class MemoryArea(TypedDict):
    """A memory: how often it is there, what it is made of, and the area of all its instances in µm²."""

    memory: str
    instances: int
    made_of: str
    area: float


class BlockEnergy(TypedDict):
    """Energy of a block for an input, by switching and by an average activity."""

    block: str
    image_pJ: float
    average_pJ: float


class TileEnergy(TypedDict):
    """Energy of a tile for an input, and what is there anyway; of what is around the tiles, ``tile`` is None."""

    tile: str | None
    image_pJ: float
    still_pJ: float
    memory_pJ: NotRequired[float]


class MemoryEnergy(TypedDict):
    """Accesses to a memory for an input, and their energy."""

    memory: str
    writes: float
    reads: float
    both: float
    """Cycles in which it writes and reads."""
    two_ports: bool
    image_pJ: float


class SiliconEnergy(TypedDict):
    """Energy of the digital part for an input."""

    image_pJ: float
    average_pJ: float
    still_pJ: float
    memory_pJ: NotRequired[float]
    average_activity: float
    cycles: float
    what: str
    left_out: str
    blocks: Sequence[BlockEnergy]
    tiles: Sequence[TileEnergy]
    unseen_tiles: Sequence[str]
    clock_gates: int
    named_nets: float
    named_flip_flops: float
    memories: NotRequired[Sequence[MemoryEnergy]]


class Silicon(TypedDict):
    """Area of the digital part, and its energy where waveforms are given."""

    library: str
    what: str
    tiles: int
    blocks: Sequence[BlockArea]
    area_mm2: float
    buffered_mm2: float
    flip_flops: int
    memory_bits: Mapping[str, int]
    memory_mm2: NotRequired[float]
    memories: NotRequired[Sequence[MemoryArea]]
    macros: NotRequired[Sequence[str]]
    energy: NotRequired[SiliconEnergy]


RUN = FileKind("result of mho run", 1 << 28)
_ROUTED = FileKind("result of mho harden", 1 << 20)
_ROUTED_FILE = Table({
    "chip": TEXT, "clean": FLAG,
    **{name: spec_of(kind) for name, kind in get_type_hints(Layout).items() if kind in (str, int, float)},
    "power_mW": spec_of(float),
}, rest=True)
"""What a report reads of it: figures of a module of the chip, which is known by its hash."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """A run as a report sees it.

    Parts that a run does not have are None or empty: ``cost`` (time and energy), ``budget``, ``trace`` (what tiles
    did), ``silicon`` (area and energy of the digital part, which a report works out itself), ``routed`` (its layout).
    """

    run: Run
    name: str
    cost: Cost | None
    budget: Content | None
    trace: Trace | None
    layers: Sequence[LayerRow]
    silicon: Silicon | None = None
    routed: Content | None = None

    @property
    def content(self) -> Content:
        """All of the JSON."""
        return self.run.content

    @property
    def chip(self) -> str:
        """Name of the chip."""
        return str(self.content["chip"]["name"])

    @property
    def fit(self) -> Fit:
        """Whether one chip holds the network, see :func:`mho.compiler.plan.plan`."""
        return self.content["fit"]

    @property
    def title(self) -> str:
        """What ran on what, when."""
        options = self.content["options"]
        return (
            f"{self.content['model']} on {self.chip}, {options['device']} at {format_time(self.run.time_s)}, "
            f"{options['temp_C']:g} C, {options['backend']}"
        )

    @property
    def float_score(self) -> float | None:
        """Score of the float model; None if it has none."""
        if self.run.measure == "accuracy":
            return float(self.content["accuracy"]["float"])
        return 1.0 if self.run.measure == "agreement" else None

    @property
    def causes(self) -> list[tuple[str, float, float]]:
        """Causes with their loss alone and their share, largest share first; empty without a budget."""
        if self.budget is None:
            return []
        rows = [row for row in self.budget["rows"] if "share" in row]
        return sorted(((r["name"], float(r["alone"]), float(r["share"])) for r in rows), key=lambda row: -row[2])

    @property
    def energy(self) -> SiliconEnergy | None:
        """Energy of the digital part; None without."""
        return None if self.silicon is None else self.silicon.get("energy")

    @property
    def links(self) -> Sequence[LinkFlits]:
        """Flits of an input on the links of the mesh; empty where no tiles run programs."""
        tiles = None if self.cost is None else self.cost.get("tiles")
        return () if tiles is None else tiles.get("links", ())

    def budget_mean(self, name: str) -> float | None:
        """Mean score of a row of the budget."""
        if self.budget is None:
            return None
        return next((float(row["mean"]) for row in self.budget["rows"] if row["name"] == name), None)


def read_facts(paths: Sequence[str]) -> list[Facts]:
    """The runs of some files, called by their names without folder and suffix.

    Raises InputError if one is not what ``mho run --json`` writes.
    """
    return [facts_of(read_run(path)) for path in paths]


def with_layout(runs: Sequence[Facts], path: str) -> list[Facts]:
    """The runs, of which those of its chip have the layout of a file.

    Raises InputError if the file is not what ``mho harden --json`` writes, or no run is of its chip.
    """
    with reading(path, _ROUTED):
        routed = _ROUTED_FILE.read(f"{path}: ", parse_json(read_text(Path(path), _ROUTED)))
    if all(facts.content["hashes"]["chip"] != routed["chip"] for facts in runs):
        raise InputError(f"{path}: must be the layout of a chip of the runs, not of another one, {routed['chip'][:12]}")
    return [replace(facts, routed=routed) if facts.content["hashes"]["chip"] == routed["chip"] else facts
            for facts in runs]


def facts_of(run: Run) -> Facts:
    """What a report takes of one run."""
    with reading(run.path, RUN):
        facts = Facts(
            run=run, name=Path(run.path).stem, cost=run.content.get("cost"), budget=run.content.get("budget"),
            trace=run.content.get("trace"), layers=run.content["layers"],
        )
        # Refuses what is no run here, where its path is known.
        _ = facts.title, facts.float_score, facts.causes, facts.fit["note"]
    return facts
