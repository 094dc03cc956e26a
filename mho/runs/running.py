"""Runs of a network: from options as a user writes them to results, and the passes of an error budget."""

import hashlib
import json
from collections.abc import Callable, Collection
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from mho.compiler import Inputs, Network
from mho.compiler.network.reach import clipped_inputs
from mho.compiler.network.report import overflow_of
from mho.hw.config import check_device
from mho.macro_models.devices import CAUSES, Device
from mho.macro_models.errors import InputError, argument
from mho.macro_models.files import check_memory
from mho.macro_models.kinds import family
from mho.results.cost import cost_of
from mho.results.facts import Provenance, Trace
from mho.results.result import Result
from mho.results.score import choose
from mho.results.seed_run import Options, SeedRun
from mho.results.uncertainty import DEVICE_DRAWS, DeviceRun
from mho.runs.backends import BackendOptions
from mho.runs.job import team, whole_pass
from mho.units import parse_time
from mho.version import library_versions
from mho.workers import Workers

if TYPE_CHECKING:
    from mho.sim.backend import Backend
    from mho.sim.programming.instance import Cells

from mho.runs.job import Job, Progress

KEPT_BYTES = 1 << 28
"""Output codes of all seeds that are kept together unless a run asks for them."""
SHOWN_BYTES = 1 << 23
"""Codes of the first images that are kept of every run, for its figure."""


_MOST_DRAWS = 10_000


def select_causes(without: Collection[str], only: Collection[str]) -> tuple[str, ...]:
    """The causes that stay on, in their usual order.

    Raises InputError if a cause is unknown, or both are given.
    """
    for name in (*without, *only):
        if name not in CAUSES:
            raise InputError(f"cause must be one of {', '.join(CAUSES)}, not {name!r}")
    if without and only:
        raise InputError(f"{argument('without')} and {argument('only')} exclude each other")
    return tuple(cause for cause in CAUSES if (cause in only if only else cause not in without))


def check_options(
    *, time: str | float, temp: float, seed: int, seeds: int | None, backend: BackendOptions, without: Collection[str],
    only: Collection[str], limit: int | None, device_draws: int | None = None,
) -> tuple[str, ...]:
    """Refuse options that no run can take, before anything is computed; returns the causes that stay on.

    Raises InputError, naming the option, its value and what would be right.
    """
    parse_time(time)
    if seeds is not None and seeds < 1:
        raise InputError(f"{argument('seeds')} must be at least 1, not {seeds}")
    if not 0 <= seed <= 2**32 - (seeds or 1):
        raise InputError(f"{argument('seed')} must be between 0 and 2**32 - 1, not {seed}")
    if device_draws is not None and not 0 <= device_draws <= _MOST_DRAWS:
        raise InputError(f"{argument('device_draws')} must be from 0 to {_MOST_DRAWS}, not {device_draws}")
    if limit is not None and limit < 1:
        raise InputError(f"{argument('limit')} must be at least 1, not {limit}")
    if not np.isfinite(temp) or temp < -273.15:
        raise InputError(f"{argument('temp')} must be a temperature in degrees Celsius, not {temp}")
    backend.check()
    return select_causes(without, only)


def run_network(
    network: Network, x: Inputs, *, device: Device, time: str | float, temp: float, seed: int, seeds: int | None,
    backend: BackendOptions, without: Collection[str], only: Collection[str], limit: int | None,
    progress: Progress | None, device_draws: int | None = None, cells: "Cells | None" = None,
    compensation: str | None = None, score: str | None = None, keep_codes: bool | None = None,
    loading: Progress | None = None, note: Callable[[str], None] | None = None
) -> Result:
    """See :meth:`mho.api.net.Net.run`."""
    from mho.compiler.footprint import run_bytes
    from mho.compiler.job import check_shape
    from mho.sim.account import code_bytes
    from mho.sim.executor import BATCH

    causes = check_options(
        time=time, temp=temp, seed=seed, seeds=seeds, backend=backend, without=without, only=only, limit=limit,
        device_draws=device_draws,
    )
    if not network.chip.sensor.model.spreads:
        causes = tuple(cause for cause in causes if cause != "sensor")
    check_device(network.chip, device)
    family(network.chip.core.kind).compensation(compensation)
    if cells is not None:
        cells.check_network(network)
        seed = _seed_of(cells, seed, seeds)
    x = network.chip.sensor.model.responses(check_shape(x, network.model)[:limit])
    count = seeds or 1
    images_kept = _images_kept(network, len(x), count, keep_codes)
    needed = run_bytes(network, len(x), count, codes=images_kept * code_bytes(network.program), batch=BATCH)
    check_memory(needed, f"a run of {_size(len(x), count)}", "take fewer images or seeds")
    job = Job(
        network=network, x=x, device=device, time_s=parse_time(time),
        temp_C=float(temp), seeds=tuple(range(seed, seed + count)), cells=cells, compensation=compensation,
        scored=score,
    )
    draws = _draws(job, seeds, device_draws, backend.name)
    shared, trace, observed = min(backend.processes, count + draws), None, None
    with ExitStack() as stack:
        # They begin with their first pass, and have then what the float model has loaded here.
        processes = stack.enter_context(team(shared, job, causes, images_kept, backend)) if shared > 1 else None
        model = network.model
        choose(model.finish_all(model.single.last(x[:1])), score)
        last = model.single.last(x, backend.parallel if processes is None else 1)
        compared = None if network.range is None else network.range.compare(job.x)
        provenance, fit = _provenance(job, backend.name), overflow_of(network)
        if processes is not None:
            runs, device_runs = _shared_passes(job, processes, draws, progress)
        else:
            opened = backend.open(progress=loading, note=note, tiles=network.tiles is not None)
            stack.callback(opened.close)
            runs, device_runs, trace = _passes(job, opened, causes, images_kept, draws, progress)
            observed = opened.observed()
    references = model.finish_all(last)
    options = Options(
        backend=backend.name, device=device.name, time_s=job.time_s, temp_C=job.temp_C, seeds=job.seeds, causes=causes,
        limit=limit,
    )
    return Result(
        options=options, runs=tuple(runs), references=references, numbers=network.model.gives_numbers,
        f_clk_MHz=network.chip.clock.f_clk_MHz,
        stacked=seeds is not None, provenance=provenance,
        warnings=(
            *filter(None, [fit["note"]]), *device.warnings(job.time_s, job.temp_C), *job.warnings(compared, runs),
            *filter(None, [clipped_inputs(network, x, last, references)]),
        ),
        trace=trace, observed=observed, cost=cost_of(network, job.names, runs, len(x)), fit=fit, inputs=compared,
        device_runs=tuple(device_runs), budget_passes=job.budget,
    )


def _passes(
    job: Job, backend: "Backend", causes: Collection[str], images_kept: int, draws: int, progress: Progress | None
) -> tuple[list[SeedRun], list[DeviceRun], Trace | None]:
    """A pass through each chip and each device that is drawn, and what the backend noted of the chips."""
    count, images, runs, device_runs = len(job.seeds), len(job.x), [], []
    for index, seed in enumerate(job.seeds):
        runs.append(job.run(backend, seed, causes, images_kept, progress=_offset(progress, index, count + draws)))
    trace = cast("Trace | None", backend.trace())
    for draw in range(draws):
        device_runs.append(job.device_run(backend, draw, causes))
        if progress is not None:
            progress((count + draw + 1) * images, (count + draws) * images)
    return runs, device_runs, trace


def _shared_passes(
    job: Job, processes: Workers, draws: int, progress: Progress | None
) -> tuple[list[SeedRun], list[DeviceRun]]:
    """The same passes, by several processes."""
    tasks = [*(("seed", seed) for seed in job.seeds), *(("draw", draw) for draw in range(draws))]
    passes: dict[int, Any] = {}
    for number, result in processes.run(whole_pass, tasks):
        passes[number] = result
        if progress is not None:
            progress(len(passes) * len(job.x), len(tasks) * len(job.x))
    return [passes[k] for k in range(len(job.seeds))], [passes[k] for k in range(len(job.seeds), len(tasks))]


def _draws(job: Job, seeds: int | None, draws: int | None, backend: str) -> int:
    """How many devices are drawn from the errors of the one that was fitted."""
    if not job.device.confidence.known or job.cells is not None:
        return 0
    usual = DEVICE_DRAWS if seeds is not None and backend == "functional" else 0
    return usual if draws is None else draws


def _images_kept(network: Network, images: int, seeds: int, keep_codes: bool | None) -> int:
    """Of how many images of each seed codes are kept.

    Raises InputError if all of them are wanted, and do not fit the memory.
    """
    from mho.sim.account import code_bytes

    image_bytes = code_bytes(network.program)
    needed = image_bytes * images * seeds
    if keep_codes:
        what = f"{argument('keep_codes')} of {_size(images, seeds)}"
        check_memory(needed, what, "take fewer images or seeds, or do without")
    if keep_codes or (keep_codes is None and needed <= KEPT_BYTES):
        return images
    return min(images, max(1, SHOWN_BYTES // (image_bytes * seeds)))


def _size(images: int, seeds: int) -> str:
    return f"{images} images and {seeds} seed{'' if seeds == 1 else 's'}"


def _seed_of(cells: "Cells", seed: int, seeds: int | None) -> int:
    """The seed of the one chip that cells are of."""
    if seeds not in (None, 1):
        raise InputError(f"{argument('seeds')} must be 1 with {cells.where}, which is one chip, not {seeds}")
    if seed not in (0, cells.seed):
        raise InputError(f"{argument('seed')} must be {cells.seed}, that of {cells.where}, not {seed}")
    return cells.seed


def _offset(progress: Progress | None, index: int, count: int) -> Progress | None:
    if progress is None:
        return None
    return lambda done, total: progress(index * total + done, count * total)


def _provenance(job: Job, backend: str) -> Provenance:
    """Versions and hashes: what a result is a function of."""
    versions = library_versions()
    if backend in ("cosim", "fpga-sim"):
        from mho.sim.build.toolchain import tool_version

        versions["verilator"] = tool_version("verilator")
    provenance: Provenance = {
        "versions": versions,
        "hashes": {
            "network": job.network.sha256,
            "chip": job.network.chip.sha256,
            "device": _hash(json.dumps(job.device.to_dict(), sort_keys=True).encode()),
            "input": _hash(np.ascontiguousarray(job.x).tobytes()),
        },
        "model": job.network.model.name,
        "chip": job.network.chip.to_dict(),
        "device": job.device.to_dict(),
        "compile_options": job.network.options.to_dict(),
    }
    if job.cells is not None:
        provenance["cells"] = job.cells.provenance()
    return provenance


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
