"""Chips at once: the passes of a run shared by processes, each of which has the network and runs one chip at a time.

A pass is a function of its seed, so that results are those of one process, bit for bit.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mho.compiler import Network
from mho.compiler.footprint import run_bytes
from mho.macro_models.errors import InputError, argument
from mho.macro_models.files import check_memory, size_text
from mho.macro_models.files.memory import available_bytes
from mho.threads import one_thread
from mho.workers import Workers, check_jobs, workers

if TYPE_CHECKING:
    from mho.results.seed_run import SeedRun
    from mho.results.uncertainty import DeviceRun

__all__ = ["PROCESS_BYTES", "check_sharing", "said", "team", "whole_pass"]

PROCESS_BYTES = 190_000_000
"""A process with its libraries and its loops compiled; measured."""
_state: dict[str, Any] = {}

Pass = tuple[str, int]
"""``("seed", number of a chip)`` or ``("draw", number of a device)``."""


def check_sharing(jobs: int | None, backend: str) -> None:
    """Refuse a number of processes.

    Raises
    ------
    InputError
        If there are too many, or the backend cannot be had several times.
    """
    if jobs is None:
        return
    check_jobs(jobs)
    if jobs > 1 and backend != "functional":
        raise InputError(f"{argument('jobs')} is for the backend functional, not {backend}")


def pass_bytes(network: Network, images: int) -> int:
    """Memory that each further process takes, by estimate, in bytes."""
    from mho.sim.executor import BATCH

    return PROCESS_BYTES + run_bytes(network, images, 1, codes=0, batch=BATCH)


def said(network: Network, images: int, jobs: int) -> str:
    """What processes take, in words."""
    there = size_text(available_bytes())
    return f"{jobs} processes of about {size_text(pass_bytes(network, images))} each; {there} are available"


@contextmanager
def team(
    jobs: int, job: Any, causes: Collection[str], kept: int, options: dict[str, Any]
) -> Iterator[Workers]:
    """Processes that begin at once, and take passes of ``job`` later.

    Raises
    ------
    InputError
        If they do not fit the memory.
    """
    needed = jobs * pass_bytes(job.network, len(job.x))
    check_memory(needed, f"{jobs} processes", f"take fewer {argument('jobs')} or images")
    with workers(jobs, _begin, (job, tuple(causes), kept, options), copies=True) as made:
        made.ready()
        yield made


def _begin(job: Any, causes: tuple[str, ...], kept: int, options: dict[str, Any]) -> None:
    from mho.runs.backends import open_backend

    _state.update(job=job, causes=causes, kept=kept, backend=open_backend("functional", options))


def whole_pass(one: Pass) -> "SeedRun | DeviceRun":
    """A pass through one chip, on what this process has begun with."""
    (kind, number), job, backend, causes = one, _state["job"], _state["backend"], _state["causes"]
    with one_thread():
        if kind == "seed":
            return job.run(backend, number, causes, _state["kept"])
        return job.device_run(backend, number, causes)
