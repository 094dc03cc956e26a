"""Chains as the program of one tile, of a problem that one core holds: bipartite at one temperature, or annealed."""

import numpy as np
from numpy.typing import NDArray

from mho.compiler.tile.lowering.geometry import CODES_IN, CODES_OUT
from mho.hw.config import Chip
from mho.hw.tile.asm.assembler import assemble_named
from mho.hw.tile.interpreter.joined import HOST, Flow
from mho.macro_models.errors import InputError
from mho.macro_models.integer.operation import Direction
from mho.sampler.annealer import amplitudes_of, annealing_text
from mho.sampler.fields import Fields, ScaledProduct
from mho.sampler.problem import Problem
from mho.sampler.run import AT_ONCE, Schedule, amplitude_of, initial_spins
from mho.sim.tile_jobs.job import TileJob

# An image is two chains, which take turns: a ring has what is of the first one, then what is of the second one. Of the
# four numbers of conversions of a round the hidden spins have the first, the visible ones the last. A walk alone gives
# back what it reads: so the last visible spins go to the host at once.
_PROGRAM = """
stream visible_in: block {visible}, blocks 4, remote, slot 0
stream spins: block {spins}, blocks 2
{declarations}
vec take: kind max, a visible_in, target visible, lo 0, hi 1, elements {visible}
vec keep_hidden: kind max, a hidden, target spins, target_offset {visible}, lo 0, hi 1, elements {hidden}
loop forever {{
vec take, free_a, push
vec take, free_a, push
mvm to_hidden, of_visible, advance, free
loop {rounds} {{
{again}
}}
{last}
send spins, flow 0, free
send spins, flow 0, free
image
}}
"""
_STEPS = {
    "h": "mvm to_hidden, of_visible, advance, free", "v": "mvm to_visible, of_hidden, advance, free",
    "H": "vec sum_hidden\nvec draw_hidden, push", "V": "vec sum_visible\nvec draw_visible, push",
    "K": "vec keep_hidden", "L": "vec sum_visible\nvec draw_last, push",
}
_AGAIN, _LAST = ("\n".join(_STEPS[step] for step in steps) for steps in ("hHvHvVhV", "hHKvHLKvL"))
_SIDE = """
stream {name}: block {count}, blocks 3
walk of_{name}: stream {name}, run {count}
mvm to_{name}: operation {operation}, conversions 4, i_last {i_last}, o_last {o_last}, in_bits 1, {flags}early_stop, \
step_code {step_code}, out_bits {bits}
parameters sums_{name} {{ {sums} }}
parameters odds_{name} {{ {odds} }}
vec sum_{name}: a drain, target accumulators, elements {lines}, parameters sums_{name}, shift {shift}
"""
_DRAW = "vec draw_{}: a draw, a_format signed, add, target {}, elements {}, parameters odds_{}, period {}, lo 0, hi 1"


def chain_job(problem: Problem, chip: Chip, fields: Fields, schedule: Schedule) -> TileJob:
    """Programs with which a run gives the spins of :func:`mho.sampler.run.sample`, an image two chains.

    The host sends what :func:`chain_inputs` says, and gets all spins of both chains, the visible ones first.

    Raises InputError if tiles of the chip do not draw, more than one core holds the problem, or the schedule is another
    one.
    """
    if not chip.tile.draws or len(fields.pieces) > 1:
        raise InputError(f"{chip.name}: a chain of a tile takes tile.draws = true and a problem on one core, "
                         f"not on {len(fields.pieces)}")
    text = annealing_text(problem, fields, schedule) if problem.symmetric else _gibbs_text(problem, fields, schedule)
    program, names, _ = assemble_named(text)
    return TileJob(
        chip=chip, programs={"0,0": program}, streams={"0,0": {name: number for number, name in names.items()}},
        flows=[Flow(sender="0,0", number=0, to=(HOST,))], conductances={"0,0": fields.targets_uS[0].astype(np.float64)})


def chain_inputs(
    problem: Problem, fields: Fields, schedule: Schedule, *, chains: int, seed: int
) -> dict[str, NDArray[np.generic]]:
    """What the host sends so that chains begin as those of :func:`mho.sampler.run.sample`; an even number of them.

    By streams, of shape (images, elements): the spins of the beginning of two chains, a byte each, of a bipartite
    problem the visible ones alone; amplitudes of a symmetric one, in lanes.

    Raises InputError if the schedule's amplitudes are no lanes.
    """
    images, spins = chains // AT_ONCE, initial_spins(problem, fields, chains, seed)
    if problem.symmetric:
        return {"0,0:spins_in": spins.reshape(images, -1),
                "0,0:amplitudes": amplitudes_of(problem, fields, schedule, images)}
    return {"0,0:visible_in": spins[:, : len(problem.couplings)].reshape(images, -1)}


def _gibbs_text(problem: Problem, fields: Fields, schedule: Schedule) -> str:
    """Hidden and visible spins in turn, at one temperature."""
    if schedule.steps % 2 or schedule.steps < 4 or schedule.begin != schedule.end:
        raise InputError(f"a chain of a tile takes 4, 6, .. steps at one temperature, not {schedule.steps} from "
                         f"{schedule.begin:g} to {schedule.end:g}")
    visible, hidden = problem.couplings.shape
    amplitude = amplitude_of(problem, fields, schedule.begin)
    declarations = [
        _side("hidden", fields.products[0][Direction.FORWARD], visible, fields.bias[visible:], amplitude),
        _side("visible", fields.products[0][Direction.BACKWARD], hidden, fields.bias[:visible], amplitude),
        *(_DRAW.format(name, target, count, moving, count) for name, target, count, moving in (
            ("hidden", "hidden", hidden, "hidden"), ("visible", "visible", visible, "visible"),
            ("last", "spins", visible, "visible")))]
    return _PROGRAM.format(visible=visible, hidden=hidden, spins=visible + hidden, rounds=schedule.steps // 2 - 1,
                           again=_AGAIN, last=_LAST, declarations="\n".join(declarations))


def _side(name: str, product: ScaledProduct, inputs: int, bias: np.ndarray, amplitude: int) -> str:
    """What gives the hidden or the visible spins their fields, of so many ``inputs``."""
    op, (_, count) = product.op, product.lines.shape
    sums = sorted((int(line), f"m {m}, target {output}, valid" + ", start" * (side == 0))
                  for side, (lines, multiplier) in enumerate(zip(product.lines, product.multiplier, strict=True))
                  for output, (line, m) in enumerate(zip(lines, multiplier, strict=True)))
    return _SIDE.format(
        name=name, count=count, operation=3 * op.direction, i_last=(inputs - 1) // CODES_IN,
        o_last=(product.lines.size - 1) // CODES_OUT, flags="backward, " * op.direction, bits=op.out_bits,
        step_code=op.step_code, sums="\n".join(row for _, row in sums), lines=product.lines.size, shift=product.shift,
        odds="\n".join(f"m {amplitude}, d {offset}" for offset in bias))
