"""Runs of a network with one set of options, chip by chip.

A pass is a function of its seed, so that results are those of one process, bit for bit.
"""

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mho.compiler import Network
from mho.compiler.footprint import run_bytes
from mho.compiler.network.ranges import clipping_warning, limit_warning
from mho.macro_models.devices import Device
from mho.macro_models.devices.resampled import resampled
from mho.macro_models.threads import one_thread
from mho.results.budget import Passes
from mho.results.score import choose
from mho.results.seed_run import SeedRun
from mho.results.uncertainty import DeviceRun
from mho.runs.backends import BackendOptions, Functional
from mho.workers import PROCESS_BYTES, Workers, check_processes, workers

if TYPE_CHECKING:
    from mho.sim.backend import Backend
    from mho.sim.executor import Execution
    from mho.sim.programming.instance import Cells

Progress = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True)
class Job:
    """A network, its inputs and the device: what all passes of a run share."""

    network: Network
    x: NDArray[np.float32]
    device: Device
    time_s: float
    temp_C: float
    seeds: tuple[int, ...]
    cells: "Cells | None" = None
    compensation: str | None = None
    scored: str | None = None
    """Which output is scored; None: the first of classes."""

    @property
    def names(self) -> list[str]:
        """Names of the layers, each of which occurs once."""
        layers = [layer.name for layer in self.network.layers]
        return [name if layers.count(name) == 1 else f"{name}.{k}" for k, name in enumerate(layers)]

    def run(
        self, backend: "Backend", seed: int, causes: Collection[str], images_kept: int, progress: Progress | None = None
    ) -> SeedRun:
        """One pass of the inputs through one chip, with the codes of ``kept`` images."""
        done = self._execute(backend, seed, causes, codes_of=images_kept, timed=True, progress=progress)
        assert done.time is not None
        codes = {name: done.codes_by_layer[k] for k, name in enumerate(self.names)}
        return SeedRun(
            seed=seed, by_name=done.by_name, scored=choose(done.by_name, self.scored), codes=codes,
            layers=dict(zip(self.names, done.layers, strict=True)), mvms=done.mvms, time=done.time,
            cycles=done.time.of(len(self.x)), seconds=done.seconds, core_cycles=done.core_cycles, exact=done.exact,
        )

    def device_run(self, backend: "Backend", draw: int, causes: Collection[str]) -> DeviceRun:
        """One pass through a chip of device number ``draw`` of those that the measurement could have given."""
        seed = self.seeds[draw % len(self.seeds)]
        drawn = replace(self, device=resampled(self.device, draw))
        done = drawn._execute(backend, seed, causes, codes_of=1)
        return DeviceRun(draw=draw, seed=seed, outputs=self._chosen(done.by_name))

    def warnings(self, compared: dict[str, float] | None, runs: Sequence[SeedRun]) -> list[str]:
        """Sentences on inputs, as :meth:`~mho.compiler.network.ranges.InputRange.compare` found them, and layers."""
        expected = self.network.range
        sentences = [] if expected is None or compared is None else expected.warnings(compared, len(self.x))
        for name in self.names:
            layers = [run.layers[name] for run in runs]
            total = sum(layer.columns * layer.positions for layer in layers) * len(self.x)
            sentence = limit_warning(name, sum(layer.limited for layer in layers), total)
            sentences += [] if sentence is None else [sentence]
        for name, before in zip(self.names, self.network.calibration.clipped, strict=True):
            if before is None:
                continue
            layers = [run.layers[name] for run in runs]
            clipped, inputs = (sum(getattr(layer, key) for layer in layers) for key in ("clipped", "inputs"))
            sentence = clipping_warning(name, clipped, inputs, before)
            sentences += [] if sentence is None else [sentence]
        return sentences

    def _execute(self, backend: "Backend", seed: int, causes: Collection[str], **options: Any) -> "Execution":
        from mho.sim.executor import execute

        return execute(
            self.network, backend, self.x, device=self.device, seed=seed, time_s=self.time_s, temp_C=self.temp_C,
            causes=frozenset(causes), cells=self.cells, compensation=self.compensation, **options,
        )

    def _chosen(self, by_name: dict[str, NDArray[np.generic]]) -> NDArray[np.generic]:
        """The output that is scored."""
        return by_name[choose(by_name, self.scored)]

    def budget(self, progress: Progress | None = None) -> Passes:
        """Outputs with every subset of causes that an error budget needs, and with all of them in one layer alone."""
        from mho.results.budget import active_causes, run_passes

        active = active_causes(self.network.chip, self.device, self.time_s, self.cells)
        backend = Functional().open()
        try:
            return run_passes(
                self._chosen(self.network.model.compute_all(self.x)), active, self.seeds, self.names,
                lambda seed, causes, layer: self._chosen(self._execute(backend, seed, causes, layer=layer).by_name),
                progress,
            )
        finally:
            backend.close()


class _Shared(NamedTuple):
    """What a process begins with."""

    job: "Job"
    causes: tuple[str, ...]
    images_kept: int
    backend: "Backend"


_state: list[_Shared] = []
"""Of this process; empty until it has begun."""

Pass = tuple[str, int]
"""``("seed", number of a chip)`` or ``("draw", number of a device)``."""


def pass_bytes(network: Network, images: int) -> int:
    """Memory that each further process takes, by estimate, in bytes."""
    from mho.sim.executor import BATCH

    return PROCESS_BYTES + run_bytes(network, images, 1, codes=0, batch=BATCH)


def team(
    jobs: int, job: "Job", causes: Collection[str], images_kept: int, backend: BackendOptions
) -> AbstractContextManager[Workers]:
    """Processes that take passes of ``job``.

    Raises InputError if they do not fit the memory.
    """
    check_processes(jobs, pass_bytes(job.network, len(job.x)))
    return workers(jobs, _begin, (job, tuple(causes), images_kept, backend), copies=True)


def _begin(job: "Job", causes: tuple[str, ...], images_kept: int, backend: BackendOptions) -> None:
    _state[:] = [_Shared(job, causes, images_kept, backend.open())]


def whole_pass(task: Pass) -> "SeedRun | DeviceRun":
    """A pass through one chip, on what this process has begun with."""
    (kind, number), shared = task, _state[-1]
    with one_thread():
        if kind == "seed":
            return shared.job.run(shared.backend, number, shared.causes, shared.images_kept)
        return shared.job.device_run(shared.backend, number, shared.causes)
