"""Chains of spins on a tile: what a user of Python calls."""

from collections.abc import Callable
from typing import Any

import numpy as np

from mho.api.tiles import run_on
from mho.hw.config import Chip
from mho.macro_models.errors import InputError, ToolError, argument
from mho.runs.backends import BackendOptions
from mho.sampler.fields import Fields
from mho.sampler.problem import Problem
from mho.sampler.run import AT_ONCE, Samples, Schedule
from mho.sampler.tile import chain_inputs, chain_job
from mho.sim.tile_jobs.run import JobResult


def run_chains(
    problem: Problem, chip: Chip, schedule: Schedule, expected: Samples, backend: BackendOptions, *,
    out_bits: int = 4, seed: int = 0, progress: Callable[[int, int], None] | None = None,
    note: Callable[[str], None] | None = None, **cells: Any,
) -> JobResult:
    """Have a tile of a backend carry out the chains of :func:`mho.sampler.run.sample`, called with the same arguments.

    Raises InputError as :func:`mho.sampler.tile.chain_job`, or if the chains are no pairs; ToolError if its spins are
    not ``expected``.
    """
    chains = len(expected.spins)
    if chains % AT_ONCE:
        raise InputError(f"{argument('chains')} must be a multiple of {AT_ONCE} on a tile, not {chains}")
    fields = Fields(problem, chip, out_bits=out_bits, seed=seed, **cells)
    result = run_on(
        chain_job(problem, chip, fields, schedule), chain_inputs(problem, fields, schedule, chains=chains, seed=seed),
        backend, progress=progress, note=note, seed=seed, **cells)
    (spins,) = result.outputs.values()
    if not np.array_equal(spins.reshape(expected.spins.shape), expected.spins):
        raise ToolError(f"{chip.name}: spins of the tile on {backend.name} are not those of the model")
    return result
