"""A chain of a symmetric problem on one core, as text of a tile's program: levels of a schedule, parts in turn."""

import numpy as np
from numpy.typing import NDArray

from mho.compiler.tile.lowering.geometry import CODES_IN, CODES_OUT
from mho.macro_models.errors import InputError
from mho.macro_models.integer.operation import Direction
from mho.sampler.fields import Fields, moving_of
from mho.sampler.problem import Problem
from mho.sampler.run import AT_ONCE, LEVELS, Schedule, amplitude_of

MOST_PARTS = 8
"""Products that a tile has descriptors for: each part counts its conversions by itself."""
_PERIOD = 8
"""Elements that share parameters, so that lanes work side by side."""
_LARGEST = 32767 // 30
"""Amplitude whose product with any draw of four nibbles is a lane."""

# An image is two chains, which take turns. Amplitudes come as data, a block a level, since a program that wrote them
# into its descriptors would be as long as the schedule. What does not move is copied: a block is all spins.
# No product takes the last ones, so their walk begins anew.
_PROGRAM = """
stream spins_in: block {spins}, blocks 4, remote, slot 0
stream amplitudes: block {bytes}, blocks 3, remote, slot 1
stream spins: block {spins}, blocks 3
stream noise: block {bytes}, blocks 2
walk of_spins: stream spins, run {spins}
parameters sums {{ {sums} }}
parameters signs {{
{period} * m 2, d 1
{period} * m 2
}}
vec take: kind max, a spins_in, a_format signed, target spins, elements {spins}, lo -1, hi 1
vec field: a drain, target accumulators, elements {spins}, parameters sums, shift {shift}
vec noisy: kind product, a amplitudes, a_format lane, b draw, b_format signed, target noise, wide, elements {largest}
vec keep: kind max, a spins, a_format signed, target spins, elements {spins}, lo -1, hi 1
{parts}
loop forever {{
vec take, free_a, push
vec take, free_a, push
loop {levels} {{
{rounds}
free amplitudes
}}
send spins, flow 0, free
send spins, flow 0, free
set walk of_spins: stream spins, run {spins}
image
}}
"""
_PART = """
mvm to_{k}: operation {operation}, conversions {conversions}, i_last {i_last}, o_last {o_last}, in_bits 1, in_signed, \
early_stop, step_code {step_code}, out_bits {bits}
vec move_{k}: a accumulators, a_offset {first}, b noise, b_format lane, target spins, target_offset {first}, \
elements {count}, parameters signs, period {period}, lo -1, hi 1
"""
_BODY = "vec noisy, push\nvec field\nvec keep, free_a\nvec move_{}, free_b, push"


def levels_of(problem: Problem, schedule: Schedule, parts: int) -> int:
    """Levels of a schedule, each of as many whole rounds; raises InputError if they are not whole."""
    levels = 1 if schedule.begin == schedule.end else LEVELS
    if schedule.steps % (levels * parts) or parts > MOST_PARTS:
        raise InputError(f"a chain of a tile takes {MOST_PARTS} parts at most and a multiple of {levels * parts} steps "
                         f"from {schedule.begin:g} to {schedule.end:g} in {parts} parts, not {schedule.steps}")
    return levels


def amplitudes_of(problem: Problem, fields: Fields, schedule: Schedule, images: int) -> NDArray[np.int16]:
    """What the host sends to the stream ``amplitudes``, the same for all images: a level a block.

    Raises InputError if an amplitude times a draw is no lane.
    """
    rounds = moving_of(problem, fields.blocks, schedule.parts)
    levels, largest = levels_of(problem, schedule, len(rounds)), len(rounds[0][0][1])
    steps = [level * schedule.steps // levels for level in range(levels)]
    amplitudes = [amplitude_of(problem, fields, schedule.temperature(step)) for step in steps]
    if max(amplitudes) > _LARGEST:
        raise InputError(f"temperatures on a tile must be below {schedule.begin * _LARGEST / amplitudes[0]:.3g}, "
                         f"not {max(schedule.begin, schedule.end):g}")
    return np.tile(np.repeat(np.array(amplitudes, np.int16), largest), (images, 1))


def annealing_text(problem: Problem, fields: Fields, schedule: Schedule) -> str:
    """The program; the host sends all spins of both chains of an image at first, and gets them at last."""
    product, rounds = fields.products[0][Direction.FORWARD], moving_of(problem, fields.blocks, schedule.parts)
    count, spins, levels = len(rounds), problem.spins, levels_of(problem, schedule, len(rounds))
    op, parts = product.op, [part for ((_, part),) in rounds]
    declared = [_PART.format(
        k=k, operation=2 * k, conversions=2 * count, i_last=(spins - 1) // CODES_IN, o_last=(spins - 1) // CODES_OUT,
        step_code=op.step_code, bits=op.out_bits, first=part[0], count=len(part), period=_PERIOD,
    ) for k, part in enumerate(parts)]
    # The product of one chain works while the other one's spins move.
    turns = [k for k in range(count) for _ in range(AT_ONCE)]
    steps = [f"mvm to_{after}, of_spins, advance\n{_BODY.format(k)}"
             for k, after in zip(turns, [*turns[1:], 0], strict=True)]
    again = schedule.steps // (levels * count) - 1
    rounds_text = ["mvm to_0, of_spins, advance", *([f"loop {again} {{", *steps, "}"] if again else []),
                   *steps[:-1], _BODY.format(turns[-1])]
    return _PROGRAM.format(
        spins=spins, bytes=2 * len(parts[0]), largest=len(parts[0]), period=_PERIOD, shift=product.shift,
        sums="\n".join(f"m {m}, d {d}, target {k}, valid, start"
                       for k, (m, d) in enumerate(zip(product.multiplier[0], fields.bias, strict=True))),
        parts="\n".join(declared), levels=levels, rounds="\n".join(rounds_text))
