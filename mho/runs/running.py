"""Runs of a network: from options as a user writes them to results, and the passes of an error budget."""

import hashlib
import json
import tempfile
import time as clock
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from compiler import Network
from hw.config import check_device
from macro_models.devices import CAUSES, Device
from macro_models.errors import InputError
from macro_models.exact.operation import MvmOperation
from mho.results.budget import Passes
from mho.results.result import Options, Result, SeedRun
from mho.units import parse_time
from mho.version import library_versions

if TYPE_CHECKING:
    from macro_models import Masks
    from sim.backend import Backend, BackendResult
    from sim.cells.instance import Cells
    from sim.executor import Execution

__all__ = [
    "BACKENDS", "check_backend", "check_options", "network_sha256", "open_backend", "run_network", "select_causes",
]

BACKENDS = ("functional", "cosim", "fpga-sim", "fpga")

Progress = Callable[[int, int], None]


def select_causes(without: Collection[str], only: Collection[str]) -> tuple[str, ...]:
    """The causes that stay on, in their usual order.

    Raises
    ------
    InputError
        If a cause is unknown, or both are given.
    """
    for name in (*without, *only):
        if name not in CAUSES:
            raise InputError(f"cause must be one of {', '.join(CAUSES)}, not {name!r}")
    if without and only:
        raise InputError("without and only exclude each other")
    return tuple(cause for cause in CAUSES if (cause in only if only else cause not in without))


def check_backend(backend: str, *, port: str | None, baud: int | None) -> None:
    """Refuse a backend that there is not, and options of a board without one.

    Raises
    ------
    InputError
        Naming the option, its value and what would be right.
    """
    if backend not in BACKENDS:
        raise InputError(f"backend must be one of {', '.join(BACKENDS)}, not {backend!r}")
    if backend == "fpga" and not port:
        raise InputError("the backend fpga needs --port, the serial port of the board, as in /dev/ttyUSB1")
    for option, value in (("port", port), ("baud", baud)):
        if value is not None and backend != "fpga":
            raise InputError(f"{option} is for the backend fpga, not {backend}")


def check_options(
    *, time: str | float, temp: float, seed: int, seeds: int | None, backend: str, without: Collection[str],
    only: Collection[str], limit: int | None, waves: Any, port: str | None = None, baud: int | None = None,
) -> tuple[str, ...]:
    """Refuse options that no run can take, before anything is computed; returns the causes that stay on.

    Raises
    ------
    InputError
        Naming the option, its value and what would be right.
    """
    parse_time(time)
    if seeds is not None and seeds < 1:
        raise InputError(f"seeds must be at least 1, not {seeds}")
    if not 0 <= seed <= 2**32 - (seeds or 1):
        raise InputError(f"seed must be between 0 and 2**32 - 1, not {seed}")
    if limit is not None and limit < 1:
        raise InputError(f"limit must be at least 1, not {limit}")
    if not np.isfinite(temp) or temp < -273.15:
        raise InputError(f"temp must be a temperature in degrees Celsius, not {temp}")
    check_backend(backend, port=port, baud=baud)
    if waves is not None and backend != "cosim":
        raise InputError(f"waves need the backend cosim, not {backend}")
    return select_causes(without, only)


def open_backend(
    name: str, waves: str | Path | None = None, *, port: str | None = None, baud: int | None = None,
    loading: Progress | None = None, note: Callable[[str], None] | None = None,
) -> "Backend":
    """A backend by its name, with a file for its waveforms, or with the port of a board and what it reports to."""
    if name == "fpga":
        from fpga.backend import BAUD, FpgaBackend

        return FpgaBackend(port or "", baud=BAUD if baud is None else baud, progress=loading, note=note)
    from sim.backend import create_backend

    options: dict[str, Any] = {} if waves is None else {"waves": Path(waves)}
    if name == "fpga-sim":
        options["progress"] = loading
    return create_backend(name, **options)


class _Stopwatch:
    """A backend that notes how long its products take, without the time to build and start what carries them out."""

    def __init__(self, backend: "Backend") -> None:
        self.name, self.open, self.close = backend.name, backend.open, backend.close
        self._mvm = backend.mvm
        self.seconds = 0.0

    def mvm(
        self, core: int, op: MvmOperation, masks: "Masks", x: NDArray[np.integer], op_id: ArrayLike
    ) -> "BackendResult":
        start = clock.perf_counter()
        result = self._mvm(core, op, masks, x, op_id)
        self.seconds += clock.perf_counter() - start
        return result


@dataclass(frozen=True, kw_only=True)
class _Job:
    """A network, its inputs and the device: what all passes of a run share."""

    network: Network
    x: NDArray[np.float32]
    device: Device
    time_s: float
    temp_C: float
    seeds: tuple[int, ...]
    cells: "Cells | None" = None

    def run(self, backend: "Backend", seed: int, causes: Collection[str], progress: Progress | None = None) -> SeedRun:
        """One pass of the inputs through one chip."""
        stopwatch = _Stopwatch(backend)
        done = self._execute(stopwatch, seed, causes, keep_codes=True, progress=progress)
        layers = [layer.name for layer in self.network.layers]
        names = [name if layers.count(name) == 1 else f"{name}.{k}" for k, name in enumerate(layers)]
        codes = {
            name: np.concatenate([c for (layer, _), c in sorted(done.codes.items()) if layer == k], axis=1)
            for k, name in enumerate(names)
        }
        return SeedRun(
            seed=seed, outputs=done.outputs, codes=codes,
            saturated={name: share for name, (_, _, share) in zip(names, done.ranges, strict=True)},
            mvms=done.mvms, cycles=int(done.cycles.sum()),
            seconds=stopwatch.seconds,
        )

    def _execute(self, backend: "Backend", seed: int, causes: Collection[str], **options: Any) -> "Execution":
        from sim.executor import execute

        return execute(
            self.network, backend, self.x, device=self.device, seed=seed, time_s=self.time_s, temp_C=self.temp_C,
            causes=frozenset(causes), cells=self.cells, **options,
        )

    def budget(self, progress: Progress | None = None) -> Passes:
        """Outputs with every subset of causes that an error budget needs."""
        from mho.results.budget_passes import active_causes, run_passes

        active = active_causes(self.network.chip, self.device, self.time_s, self.cells)
        backend = open_backend("functional")
        try:
            return run_passes(
                self.network.model.compute(self.x), active, self.seeds,
                lambda seed, causes: self._execute(backend, seed, causes).outputs, progress,
            )
        finally:
            backend.close()


def run_network(
    network: Network,
    x: NDArray[np.float32],
    *,
    device: Device,
    time: str | float,
    temp: float,
    seed: int,
    seeds: int | None,
    backend: str,
    without: Collection[str],
    only: Collection[str],
    limit: int | None,
    waves: Any,
    progress: Progress | None,
    cells: "Cells | None" = None,
    port: str | None = None,
    baud: int | None = None,
    loading: Progress | None = None,
    note: Callable[[str], None] | None = None,
) -> Result:
    """See :meth:`mho.api.Net.run`."""
    from compiler.compile import check_shape

    causes = check_options(
        time=time,
        temp=temp,
        seed=seed,
        seeds=seeds,
        backend=backend,
        without=without,
        only=only,
        limit=limit,
        waves=waves,
        port=port,
        baud=baud,
    )
    check_device(network.chip, device)
    if cells is not None:
        cells.check_network(network)
        seed = _seed_of(cells, seed, seeds)
    job = _Job(
        network=network, x=check_shape(x, network.model)[:limit], device=device, time_s=parse_time(time),
        temp_C=float(temp), seeds=tuple(range(seed, seed + (seeds or 1))), cells=cells,
    )
    runs = []
    opened = open_backend(backend, waves, port=port, baud=baud, loading=loading, note=note)
    try:
        for index, one in enumerate(job.seeds):
            runs.append(job.run(opened, one, causes, progress=_offset(progress, index, len(job.seeds))))
    finally:
        opened.close()
    options = Options(
        backend=backend, device=device.name, time_s=job.time_s, temp_C=job.temp_C, seeds=job.seeds, causes=causes,
        limit=limit,
    )
    return Result(
        options=options, runs=tuple(runs), reference=network.model.compute(job.x),
        f_clk_MHz=network.chip.clock.f_clk_MHz,
        stacked=seeds is not None, provenance=_provenance(job, backend),
        warnings=tuple(device.warnings(job.time_s, job.temp_C)), budget_passes=job.budget,
    )


def _seed_of(cells: "Cells", seed: int, seeds: int | None) -> int:
    """The seed of the one chip that cells are of."""
    if seeds not in (None, 1):
        raise InputError(f"seeds must be 1 with {cells.where}, which is one chip, not {seeds}")
    if seed not in (0, cells.seed):
        raise InputError(f"seed must be {cells.seed}, that of {cells.where}, not {seed}")
    return cells.seed


def _offset(progress: Progress | None, index: int, count: int) -> Progress | None:
    if progress is None:
        return None
    return lambda done, total: progress(index * total + done, count * total)


def _provenance(job: _Job, backend: str) -> dict[str, Any]:
    """Versions and hashes: what a result is a function of."""
    versions = library_versions()
    if backend in ("cosim", "fpga-sim"):
        from sim.build.toolchain import tool_version

        versions["verilator"] = tool_version("verilator")
    return {
        "versions": versions,
        "hashes": {
            "network": network_sha256(job.network),
            "chip": job.network.chip.sha256,
            "device": _hash(json.dumps(job.device.to_dict(), sort_keys=True).encode()),
            "input": _hash(np.ascontiguousarray(job.x).tobytes()),
        },
        "model": job.network.model.name,
        "chip": job.network.chip.to_dict(),
        "device": job.device.to_dict(),
        "compile_options": job.network.options.to_dict(),
        **({} if job.cells is None else {"cells": job.cells.provenance()}),
    }


def network_sha256(network: Network) -> str:
    """Hash of the file of a network."""
    with tempfile.TemporaryDirectory() as folder:
        network.save(Path(folder) / "net.mho")
        return _hash((Path(folder) / "net.mho").read_bytes())


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
