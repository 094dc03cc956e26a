"""Chains of spins: each step some of them take new values by the sign of their field and a random number."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mho.hw.config import Chip
from mho.macro_models.devices import Device
from mho.macro_models.errors import InputError, argument
from mho.macro_models.integer.draws import Law, draw_key, draws
from mho.sampler.fields import Fields, moving_of
from mho.sampler.problem import Problem, Reals

AT_ONCE = 2
"""Chains that take turns on the chip, as one image: an array is idle while one of them is between two products."""
LEVELS = 16
"""Amplitudes of a schedule: parameters of a tile."""
_DEVIATION = 85.0**0.5
"""Of the law of four nibbles."""
_LOGISTIC = 1.702
"""Deviation of the normal noise that flips with about the odds of a temperature of 1."""


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """``steps`` at temperatures from ``begin`` to ``end``, in units of the couplings, in :data:`LEVELS` levels.

    A step moves the hidden or the visible spins of a bipartite problem, one of ``parts`` of a symmetric one: all at
    once would oscillate.

    Raises InputError if a number is out of range.
    """

    steps: int
    begin: float = 1.0
    end: float = 1.0
    parts: int = 8

    def __post_init__(self) -> None:
        for name, low in (("steps", 1), ("parts", 1), ("begin", 0.0), ("end", 0.0)):
            if not low <= getattr(self, name) < 1e9:
                raise InputError(f"{argument(name)} must be at least {low:g}, not {getattr(self, name)!r}")

    def temperature(self, step: int) -> float:
        """Of a step."""
        return self.begin + (self.end - self.begin) * (step * LEVELS // self.steps) / (LEVELS - 1)


@dataclass(frozen=True, kw_only=True, eq=False)
class Samples:
    """What the chains gave.

    ``spins`` (chains, spins) int8 and ``energies`` (chains,) are those behind the last step, ``best`` and
    ``best_energies`` those of the lowest energy of each chain behind any round. ``fields`` (chains, spins) are those
    that each spin met last, with its bias, in units of the couplings. ``trace`` (1 + rounds, chains) are the energies
    at first and behind each round of ``steps``. ``cores`` are in use; ``analog_cycles`` of a step are those of the
    array that works longest, in the mean.
    """

    spins: NDArray[np.int8]
    energies: Reals
    best: NDArray[np.int8]
    best_energies: Reals
    fields: Reals
    trace: Reals
    steps: int
    cores: int
    analog_cycles: float


def sample(
    problem: Problem, chip: Chip, schedule: Schedule, *, device: Device, chains: int = 1, seed: int = 0,
    time_s: float = 0.0, out_bits: int = 4, initial: NDArray[np.integer] | None = None,
    clamped: NDArray[np.bool_] | None = None,
) -> Samples:
    """Run chains on the functional model of a chip.

    A spin becomes its upper value where ``field + bias + amplitude * draw > 0``, by one vector operation of a tile in
    integers: draws are those of the tile that is its block's home (:func:`mho.macro_models.integer.draws.draws`; chains
    2n and 2n + 1 are image n, in turn). So the same arguments give the same spins, however many chains there are.

    Raises InputError if the chip cannot hold the problem, or an argument is out of range.

    Parameters
    ----------
    problem, chip, schedule
        What is sampled where, and how.
    device, seed, time_s, out_bits
        As of :class:`mho.sampler.fields.Fields`.
    chains
        Independent ones.
    initial, clamped
        Spins at first, at random if not given, and which never move: (chains, spins) or (spins,).
    """
    shape, (lower, upper) = (chains, problem.spins), problem.values
    for name, value, low, high in (("chains", chains, 1, 1 << 31), ("out_bits", out_bits, 2, 8)):
        if not low <= value <= high:
            raise InputError(f"{argument(name)} must be {low} to {high}, not {value}")
    fields = Fields(problem, chip, device=device, seed=seed, time_s=time_s, out_bits=out_bits)
    spins = initial_spins(problem, fields, chains, seed)
    if initial is not None:
        if np.shape(initial) not in (shape, shape[1:]) or not np.isin(initial, (lower, upper)).all():
            raise InputError(f"{argument('initial')} must be {lower} and {upper} of shape {shape}")
        spins[:] = initial
    still = np.broadcast_to(np.zeros(shape, bool) if clamped is None else np.asarray(clamped, bool), shape)
    rounds, numbers = moving_of(problem, fields.blocks, schedule.parts), dict.fromkeys(fields.homes, 0)
    images, turns = np.divmod(np.arange(chains), AT_ONCE)
    best, trace, last_fields, cycles = spins.copy(), [problem.energy(spins)], np.zeros(shape), 0
    best_energies = trace[0]
    for step in range(schedule.steps):
        turn, at = divmod(step, len(rounds))
        moving = rounds[at]
        every, noise = np.concatenate([part for _, part in moving]), list[NDArray[np.int64]]()
        conversions = images << 32 | 2 * ((AT_ONCE * turn + turns) * len(rounds) + at)
        lanes, busy = fields.compute(spins, every, conversions.astype(np.uint64))
        cycles += busy
        for home, part in ((fields.homes[k], part) for k, part in moving):
            noise.append(draws(draw_key(seed, home), images, numbers[home] + turns, len(part), Law.NIBBLES))
            numbers[home] += AT_ONCE
        total = lanes + fields.bias[every]
        last_fields[:, every] = total / fields.unit
        # An odd sum is never 0: of spins -1 and 1 there is no third.
        total += amplitude_of(problem, fields, schedule.temperature(step)) * np.concatenate(noise, axis=1)
        moved = np.clip((upper - lower) * (total + 1) - 1, lower, upper) if lower else np.clip(total, lower, upper)
        spins[:, every] = np.where(still[:, every], spins[:, every], moved)
        if at == len(rounds) - 1 or step + 1 == schedule.steps:
            trace.append(problem.energy(spins))
            better = trace[-1] < best_energies
            best[better], best_energies = spins[better], np.minimum(trace[-1], best_energies)
    return Samples(spins=spins, energies=trace[-1], best=best, best_energies=best_energies, fields=last_fields,
                   trace=np.array(trace), steps=schedule.steps, cores=len(fields.pieces),
                   analog_cycles=cycles / schedule.steps)


def initial_spins(problem: Problem, fields: Fields, chains: int, seed: int) -> NDArray[np.int8]:
    """Spins at random, (chains, spins): by the last numbers that a tile's draws have, those of no step."""
    lower, upper = problem.values
    spins = np.empty((chains, problem.spins), np.int8)
    for k, (block, home) in enumerate(zip(fields.blocks, fields.homes, strict=True)):
        words = draws(draw_key(seed, home), np.arange(chains), -1 - k, len(block), Law.WORD)
        spins[:, block] = np.where(words < 0, lower, upper)
    return spins


def amplitude_of(problem: Problem, fields: Fields, temperature: float) -> int:
    """What draws are multiplied by, in lanes; raises InputError if no sum of lanes could hold it."""
    amplitude = _LOGISTIC * temperature / (1 - min(problem.values)) * fields.unit / _DEVIATION
    if amplitude > 1 << 40:
        raise InputError(f"temperatures must be below {temperature / amplitude * 2**40:.2g}, "
                         f"for couplings and biases so small, not {temperature:g}")
    return round(amplitude)
