"""Chains of spins: each step some of them take new values by the sign of their field and a random number."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mho.hw.config import Chip
from mho.macro_models.devices import Device
from mho.macro_models.errors import InputError, argument
from mho.macro_models.integer.draws import Law, draw_key, draws
from mho.sampler.fields import Fields, moving_of
from mho.sampler.problem import PARTS, Problem, Reals

LEVELS = 16
"""Amplitudes of a schedule: parameters of a tile."""
_DEVIATION = 85.0**0.5
"""Of the law of four nibbles."""
_LOGISTIC = 1.702
"""Deviation of the normal noise that flips with about the odds of a temperature of 1."""


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """``steps`` at temperatures from ``begin`` to ``end``, in units of the couplings, in :data:`LEVELS` levels.

    A step moves the hidden or the visible spins of a bipartite problem, one of ``parts`` of a symmetric one.

    Raises
    ------
    InputError
        If a number is out of range.
    """

    steps: int
    begin: float = 1.0
    end: float = 1.0
    parts: int = PARTS

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

    Members
    -------
    spins, energies
        After the last step, (chains, spins) int8 and (chains,).
    best, best_energies
        The same of the lowest energy of each chain behind a round in which each spin could move.
    fields
        The field that each spin saw last, with its bias, in units of the couplings, (chains, spins).
    cores, analog_cycles
        Cores in use; cycles of a step in which the array that works longest is at work, in the mean.
    """

    spins: NDArray[np.int8]
    energies: Reals
    best: NDArray[np.int8]
    best_energies: Reals
    fields: Reals
    cores: int
    analog_cycles: float


def sample(
    problem: Problem, chip: Chip, schedule: Schedule, *, device: Device, chains: int = 1, seed: int = 0,
    time_s: float = 0.0, out_bits: int = 4, initial: NDArray[np.integer] | None = None,
    clamped: NDArray[np.bool_] | None = None,
) -> Samples:
    """Run chains on the functional model of a chip.

    A spin becomes its upper value where ``field + bias + amplitude * draw > 0``, by one vector operation of a tile in
    integers: draws are those of the tile that is its block's home (:func:`mho.macro_models.integer.draws.draws`; chain
    n is image n). So the same arguments give the same spins, however many chains there are.

    Parameters
    ----------
    problem, chip, schedule
        What is sampled where, and how.
    device, seed, time_s, out_bits
        As of :class:`mho.sampler.fields.Fields`.
    chains
        Independent ones.
    initial
        Spins at first, (chains, spins) or (spins,); at random if not given.
    clamped
        Spins that never move, of the same shape.

    Raises
    ------
    InputError
        If the chip cannot hold the problem, or an argument is out of range.
    """
    if not 1 <= chains < 1 << 31 or not 2 <= out_bits <= 8:
        raise InputError(f"{argument('chains')} must be at least 1 and {argument('out_bits')} 2 to 8, not {chains} and "
                         f"{out_bits}")
    fields = Fields(problem, chip, device=device, seed=seed, time_s=time_s, out_bits=out_bits)
    shape, (lower, upper) = (chains, problem.spins), problem.values
    keys = [draw_key(seed, home) for home in fields.homes]
    images, numbers = np.arange(chains), dict.fromkeys(fields.homes, 0)
    spins = initial_spins(problem, fields, chains, seed)
    if initial is not None:
        if np.shape(initial) not in (shape, shape[1:]) or not np.isin(initial, (lower, upper)).all():
            raise InputError(f"{argument('initial')} must be {lower} and {upper} of shape {shape}")
        spins[:] = initial
    still = np.zeros(shape, bool) if clamped is None else np.broadcast_to(np.asarray(clamped, bool), shape)
    bias, last_fields, cycles = fields.bias, np.zeros(shape), 0
    rounds, places = moving_of(problem, fields.blocks, schedule.parts), {}
    for k, block in enumerate(fields.blocks):
        places |= {int(spin): k for spin in block}
    best, best_energies = spins.copy(), problem.energy(spins)
    width = upper - lower
    for step in range(schedule.steps):
        moving = rounds[step % len(rounds)]
        lanes, busy = fields.compute(spins, every := np.concatenate(moving), step)
        cycles += busy
        noise = list[NDArray[np.int64]]()
        for part in moving:
            k = places[int(part[0])]
            noise.append(draws(keys[k], images, numbers[fields.homes[k]], len(part), Law.NIBBLES))
            numbers[fields.homes[k]] += 1
        amplitude = amplitude_of(problem, fields, schedule.temperature(step))
        total = lanes.astype(np.int64) + bias[every]
        # An odd sum is never 0: of spins -1 and 1 there is no third.
        moved = np.clip(width * (total + amplitude * np.concatenate(noise, axis=1)) + width - 1, lower, upper)
        last_fields[:, every] = total / fields.unit
        spins[:, every] = np.where(still[:, every], spins[:, every], moved)
        if step % len(rounds) == len(rounds) - 1 or step == schedule.steps - 1:
            energies = problem.energy(spins)
            better = energies < best_energies
            best[better], best_energies = spins[better], np.minimum(energies, best_energies)
    return Samples(spins=spins, energies=problem.energy(spins), best=best, best_energies=best_energies, fields=last_fields,
                   cores=len(fields.pieces), analog_cycles=cycles / schedule.steps)


def initial_spins(problem: Problem, fields: Fields, chains: int, seed: int) -> NDArray[np.int8]:
    """Spins at random, (chains, spins): by the last numbers that a tile's draws have, those of no step."""
    lower, upper = problem.values
    spins = np.empty((chains, problem.spins), np.int8)
    for k, (block, home) in enumerate(zip(fields.blocks, fields.homes, strict=True)):
        words = draws(draw_key(seed, home), np.arange(chains), -1 - k, len(block), Law.WORD)
        spins[:, block] = np.where(words < 0, lower, upper)
    return spins


def amplitude_of(problem: Problem, fields: Fields, temperature: float) -> int:
    """What draws are multiplied by, in lanes."""
    lower, upper = problem.values
    return round(_LOGISTIC * temperature / (upper - lower) * fields.unit / _DEVIATION)
