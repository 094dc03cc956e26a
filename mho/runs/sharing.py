"""Chips at once: the passes of a run shared by processes, each of which has the network and runs one chip at a time.

A pass is a function of its seed, so that results are those of one process, bit for bit.
"""

from collections.abc import Collection
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, NamedTuple

from mho.compiler import Network
from mho.compiler.footprint import run_bytes
from mho.macro_models.threads import one_thread
from mho.runs.backends import BackendOptions
from mho.workers import PROCESS_BYTES, Workers, check_processes, workers

if TYPE_CHECKING:
    from mho.results.seed_run import SeedRun
    from mho.results.uncertainty import DeviceRun
    from mho.runs.job import Job
    from mho.sim.backend import Backend


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

    Raises
    ------
    InputError
        If they do not fit the memory.
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
