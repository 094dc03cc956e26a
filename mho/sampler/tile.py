"""A chain as the program of one tile: a bipartite problem that one core holds, at one temperature."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mho.compiler.tile.code.allocate import allocate
from mho.compiler.tile.code.ir import Data, Descriptor, Instruction, Repeat, TileSource, mvm, send, vec
from mho.compiler.tile.lowering.geometry import CODES_IN, CODES_OUT
from mho.hw.config import Chip
from mho.hw.core.layout import pack
from mho.hw.tile.config import TileConfig
from mho.hw.tile.interpreter.joined import HOST, Flow
from mho.hw.tile.isa import Format, Kind, Op, Operand
from mho.macro_models.errors import InputError
from mho.macro_models.integer.draws import Law
from mho.macro_models.integer.operation import Direction
from mho.sampler.fields import Fields, ScaledProduct
from mho.sampler.problem import Problem
from mho.sampler.run import Schedule, amplitude_of
from mho.sim.tile_jobs.job import TileJob

_TILE, _INPUT, _OUTPUT = "0,0", "visible_in", "spins_out"
_STEP_NUMBERS = 4
"""Numbers of conversions from a step of the hidden spins to the next one."""


def chain_job(problem: Problem, chip: Chip, fields: Fields, schedule: Schedule) -> TileJob:
    """Programs with which a run gives the spins of :func:`mho.sampler.run.sample`, an image a chain.

    The host sends the visible spins of the beginning, a byte each, to the stream ``visible_in`` of tile 0,0, and gets
    all spins, the visible ones first.

    Raises
    ------
    InputError
        If tiles of the chip do not draw, more than one core holds the problem, or a step is left over.
    """
    if not chip.tile.draws:
        raise InputError(f"{chip.name}: tiles must draw, tile.draws = true, to sample")
    if problem.symmetric or len(fields.pieces) > 1:
        raise InputError(f"a tile's program is of a bipartite problem on one core, not on {len(fields.pieces)}")
    if schedule.steps % 2 or schedule.begin != schedule.end:
        raise InputError(f"a tile's program moves hidden and visible spins as often, at one temperature, not in "
                         f"{schedule.steps} steps from {schedule.begin:g} to {schedule.end:g}")
    visible, hidden = problem.couplings.shape
    amplitude = amplitude_of(problem, fields, schedule.begin)
    descriptors: dict[str, list[Descriptor]] = {kind: [] for kind in ("stream", "walk", "mvm", "vec")}
    parameters = list[Data]()

    def declare(what: str, name: str, /, **values: int | str) -> None:
        descriptors[what].append(Descriptor(what, name, tuple(values.items())))

    declare("stream", _INPUT, block=visible, blocks=3, remote=1, slot=0)
    declare("stream", _OUTPUT, block=visible + hidden, blocks=2)
    sides = ("hidden", Direction.FORWARD, "visible", visible), ("visible", Direction.BACKWARD, "hidden", hidden)
    for name, direction, source, inputs in sides:
        product, outputs = fields.products[0][direction], visible + hidden - inputs
        bias = fields.bias[visible:] if direction is Direction.FORWARD else fields.bias[:visible]
        declare("stream", name, block=outputs, blocks=2)
        declare("walk", f"of_{source}", stream=source, run=inputs, width=1, height=1, positions_x=1, positions_y=1)
        bits = pack(product.op)
        declare("mvm", f"to_{name}", i_last=(inputs - 1) // CODES_IN, o_last=(product.lines.size - 1) // CODES_OUT,
                operation=0 if direction is Direction.FORWARD else _STEP_NUMBERS - 1, conversions=_STEP_NUMBERS,
                op=bits & 0xFFFFFFFF, op_high=bits >> 32)
        parameters += [Data("parameters", f"sums_{name}", _sums(product)),
                       Data("parameters", f"odds_{name}", _odds(bias, amplitude))]
        declare("vec", f"sum_{name}", shift=product.shift, a=Operand.DRAIN, target=Operand.ACCUMULATORS,
                elements=product.lines.size, parameters=f"sums_{name}", period=product.lines.size)
        declare("vec", f"draw_{name}", a=Operand.ACCUMULATORS, a_format=Format.LANE, b=Operand.DRAW,
                b_format=int(Law.NIBBLES), lo=0, hi=1, target=name, elements=outputs, parameters=f"odds_{name}",
                period=outputs)
    copy = {"kind": Kind.MAX, "lo": 0, "hi": 1}
    declare("vec", "take", **copy, a=_INPUT, target="visible", elements=visible)
    declare("vec", "keep_hidden", **copy, a="hidden", target=_OUTPUT, target_offset=visible, elements=hidden)
    # A walk alone gives back what it reads: the last visible spins go to the host at once.
    drawn = dict(next(vec for vec in descriptors["vec"] if vec.name == "draw_visible").fields)
    declare("vec", "draw_last", **{**drawn, "target": _OUTPUT})
    first, second = _half("hidden", "visible"), _half("visible", "hidden")
    code = [vec("take", "free_a", "push")]
    again = (Repeat((*first, *second), times=schedule.steps // 2 - 1),) if schedule.steps > 2 else ()
    source = TileSource(
        tile=_TILE, descriptors={kind: tuple(some) for kind, some in descriptors.items()},
        data={"parameters": tuple(parameters), "bytes": (), "table": ()},
        code=(Repeat((*code, *again, *first, vec("keep_hidden"), *second[:-1], vec("draw_last", "push"),
                      send(_OUTPUT, 0, "free"), Instruction(Op.IMAGE))),))
    program, names = allocate(source, TileConfig.of_tiles(chip)[_TILE])
    return TileJob(
        chip=chip, programs={_TILE: program}, streams={_TILE: {name: number for number, name in names.items()}},
        flows=[Flow(sender=_TILE, number=0, to=(HOST,))], conductances={_TILE: fields.targets_uS[0].astype(np.float64)})


def _half(moving: str, source: str) -> Sequence[Instruction]:
    """A step of some spins, whose field comes from the others."""
    return (mvm(f"to_{moving}", f"of_{source}", "advance", "free"), vec(f"sum_{moving}"),
            vec(f"draw_{moving}", "push"))


def _sums(product: ScaledProduct) -> NDArray[np.int64]:
    """Parameters that add the codes of each output's lines to its accumulator."""
    rows = np.zeros((product.lines.size, 6), np.int64)
    for at, (lines, multiplier) in enumerate(zip(product.lines, product.multiplier, strict=True)):
        for output, (line, m) in enumerate(zip(lines.tolist(), multiplier.tolist(), strict=True)):
            rows[line] = m, 0, 0, output, 1, at == 0
    return rows


def _odds(bias: NDArray[np.int64], amplitude: int) -> NDArray[np.int64]:
    """Parameters of field and draw, one behind the other."""
    rows = np.zeros((2 * len(bias), 6), np.int64)
    rows[: len(bias), 0], rows[: len(bias), 1], rows[len(bias) :, 0] = 1, -bias, amplitude
    return rows
