"""The main job on shipped data: trained classifiers in a core and on tiles, their images through generated Verilog."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

import mho
from mho.api.chip import Chip
from mho.api.net import Net
from mho.data import Sample
from mho.macro_models.errors import ToolError
from mho.results import score
from mho.results.result import Result

CHIP = "neurram-core"
TILES = "tnsa64-2x2"
TILE_IMAGES = 100
"""Of the chip of tiles, whose Verilog takes longer."""
DEVICE = "rram-neurram"
TIME = "1d"


@dataclass(frozen=True, kw_only=True)
class Case:
    """One line of the demo's table."""

    name: str
    """What ran."""
    accuracy: float
    """Share of the images that were right, 0..1: the mean over seeds."""
    images: int
    """How many."""
    result: Result | None = None
    """The run; ``None`` for the float model."""
    same: bool | None = None
    """Whether all codes equal those of the functional backend, bit for bit; ``None`` where that is not a question."""

    def row(self, network: str) -> tuple[str, ...]:
        """The line as text (see :data:`HEADERS`)."""
        cells = (network, self.name, str(self.images), f"{self.accuracy:.2%}")
        if self.result is None:
            return (*cells, "", "", "", "", "")
        same = "" if self.same is None else "yes" if self.same else "NO"
        run = self.result.runs[0]
        cycles = run.time.interval
        speed = f"{run.mvms / run.seconds:,.0f}"
        return (*cells, same, f"{run.mvms:,}", f"{cycles:,.0f}", f"{cycles / self.result.f_clk_MHz:.2f}", speed)

    def to_dict(self, labels: NDArray[np.int64]) -> dict[str, object]:
        """For JSON."""
        content: dict[str, object] = {
            "name": self.name,
            "images": self.images,
            "accuracy": self.accuracy,
            "bit_equal": self.same,
        }
        if self.result is not None:
            run = self.result.runs[0]
            content |= {"mvms_per_second": run.mvms / run.seconds, "run": self.result.to_dict(labels)}
        return content


HEADERS = (
    "network", "case", "inputs", "accuracy", "codes equal", "conversions", "cycles/input", "chip us/input",
    "conversions/s",
)


@dataclass(kw_only=True)
class Study:
    """Everything about one network on one chip, whose test images have ``labels``."""

    title: str
    sample: Sample
    net: Net
    labels: NDArray[np.int64]
    cases: list[Case] = field(default_factory=list)
    failure: ToolError | None = None
    """Why the co-simulation did not run."""

    @property
    def chips(self) -> Result:
        """The run on several chips of the device, whose budget is the demo's."""
        return next(c.result for c in self.cases if c.result is not None and c.result.stacked)

    def case(self, name: str) -> Case:
        """A case by its name."""
        return next(c for c in self.cases if c.name == name)

    def to_dict(self) -> dict[str, object]:
        """For JSON."""
        return {
            "network": self.title,
            "summary": self.net.summary(),
            "cases": [case.to_dict(self.labels) for case in self.cases],
            "budget": self.chips.budget(self.labels).to_dict(),
        }


def same_codes(first: Result, second: Result) -> bool:
    """Whether two runs gave the same codes in every layer and for every image."""
    return first.codes.keys() == second.codes.keys() and all(
        np.array_equal(first.codes[layer], second.codes[layer]) for layer in first.codes
    )


def study(
    sample: Sample, *, limit: int | None, seeds: int, step: Callable[[str], None], chip: str = CHIP
) -> Study:
    """Compile a sample's network for a preset and run it in every way; ``step`` is told what begins.

    Without a simulator the study ends with :attr:`Study.failure` set and the functional cases in place.
    """
    labels = sample.y[:limit]
    title = sample.title if chip == CHIP else f"{sample.title} on {chip}"
    step(f"{sample.title}: compiling for {chip}")
    net = mho.compile(sample.model, Chip.load(chip), calibrate=sample.calibrate, device=DEVICE)
    result_study = Study(title=title, sample=sample, net=net, labels=labels)

    def run(**options: Any) -> Result:
        return net.run(sample.x, limit=limit, time=TIME, keep_codes=True, **options)

    def add(name: str, result: Result, same: bool | None = None) -> None:
        result_study.cases.append(
            Case(name=name, accuracy=result.accuracy(labels), images=len(labels), result=result, same=same)
        )

    step(f"{title}: functional, {seeds} chips")
    ideal, first = run(device="ideal"), run(device=DEVICE)
    reference = score.accuracy(ideal.reference, labels)
    result_study.cases.append(Case(name="float", accuracy=reference, images=len(labels)))
    add("functional, ideal", ideal)
    add(f"functional, {DEVICE} at {TIME}, {seeds} chips", run(device=DEVICE, seeds=seeds))
    try:
        step(f"{title}: co-simulation, ideal")
        result = run(device="ideal", backend="cosim")
        add("cosim, ideal", result, same_codes(result, ideal))
        step(f"{title}: co-simulation, {DEVICE} at {TIME}")
        result = run(device=DEVICE, backend="cosim")
        add(f"cosim, {DEVICE} at {TIME}", result, same_codes(result, first))
    except ToolError as error:
        result_study.failure = error
    return result_study


def build_simulator(preset: str) -> None:
    """Build the simulator in which networks on a preset run, into the cache."""
    from mho.sim.build.simulators import verilator_build
    from mho.sim.tile_networks.build import build_mesh

    chip = Chip.load(preset).description
    if chip.tile.programs:
        build_mesh(chip)
    else:
        verilator_build(chip.core_alone)


def mismatches(studies: Sequence[Study]) -> list[str]:
    """Cases whose codes differ from those of the functional backend."""
    return [f"{s.title}, {c.name}" for s in studies for c in s.cases if c.same is False]
