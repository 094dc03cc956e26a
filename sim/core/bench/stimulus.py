"""Random legal operations with everything that they need, each a function of (seed, number) alone."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from mho.hw.config import Chip
from mho.macro_models import MacroModel, Masks, family, load_device
from mho.macro_models.cell_map import CellMap
from mho.macro_models.integer.operation import STEP_FRACTION_BITS, STEP_WIDTH, Direction, MvmOperation
from mho.macro_models.integer.tnsa.operation import TnsaOperation
from mho.sim.core.kinds import kind_of

_DENSITIES = (1.0, 1.0, 0.9, 0.5, 0.05)
"""How many lines of a mask are on; all of them in two of five masks."""

_HALF_STEP = 1 << STEP_FRACTION_BITS - 1
"""Step code of half a load."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Stimulus:
    """One random legal operation on a few vectors."""

    seed: int
    number: int
    """What it was made from."""
    core: int
    """Index of the macro model."""
    op: MvmOperation
    masks: Masks
    x: NDArray[np.int64]
    op_id: NDArray[np.uint64]
    """The operation, as a backend takes it."""
    gap: int
    stall: int
    hold: int
    """Random pauses of the streams and of the macro, in 256ths of the cycles."""

    def __str__(self) -> str:
        op = self.op
        parameters = ", ".join(f"{entry.name}={getattr(op, entry.name)!s}" for entry in fields(op))
        pauses = f"gap {self.gap}, stall {self.stall}, hold {self.hold}"
        return f"seed {self.seed}, operation {self.number} on core {self.core}: {parameters}, {pauses}"


def make_models(chip: Chip, devices: Sequence[str], seed: int) -> list[MacroModel]:
    """A programmed macro of random targets for each device, its cells read a day after programming."""
    shape, model = chip.macro_config().cell_map.shape, family(chip.core.kind).model
    models: list[MacroModel] = []
    for index, name in enumerate(devices):
        rng = np.random.default_rng([seed, index])
        target = rng.uniform(chip.cells.g_min_uS, chip.cells.g_max_uS, shape)
        models.append(
            model(chip.macro_config(), target, device=load_device(name), seed=seed, core=index, time_s=86400.0)
        )
    return models


def make_stimulus(
    models: Sequence[MacroModel], seed: int, number: int, *, vectors: int = 3, pauses: bool = True,
    chip: Chip | None = None,
) -> Stimulus:
    """Stimulus ``number`` of ``seed``; ``pauses`` puts random gaps into some of them.

    With a ``chip`` its outputs have as many bits at most as those of its cores.
    """
    rng = np.random.default_rng([seed, number, 0x7E57])
    core = number % len(models)
    config = models[core].config
    masks = _random_masks(rng, config.cell_map)
    kind = kind_of(config.kind)
    while not models[core].supports(op := kind.random_operation(rng, chip)) or not kind.carried_out(chip, op):
        continue
    low, high = op.input_range
    x = rng.integers(low, high + 1, (vectors, config.inputs(op.direction)))
    # Some vectors are sparse, some are at the ends of the range.
    x[rng.random(x.shape) < rng.choice([0.0, 0.3, 0.9])] = 0
    if rng.random() < 0.2:
        x = np.where(rng.random(x.shape) < 0.5, low, high)
    op = _with_step(rng, op, models[core], masks, x)
    idle = [int(rng.choice([0, 0, 64, 230])) if pauses else 0 for _ in range(3)]
    return Stimulus(
        seed=seed, number=number, core=core, op=op, masks=masks, x=x,
        op_id=rng.integers(0, 2**64, vectors, dtype=np.uint64), gap=idle[0], stall=idle[1], hold=min(idle[2], 64),
    )


def make_whole_stimulus(chip: Chip, model: MacroModel, direction: Direction, seed: int) -> Stimulus:
    """A stimulus on all lines that there are."""
    rng, config = np.random.default_rng([seed, direction, 0x7E58]), model.config
    masks = Masks.reset(*config.cell_map.shape).without(*config.cell_map.absent)
    op = chip.operation(in_bits=min(4, chip.input_bits), in_signed=True).facing(direction)
    top = op.input_range[1]
    x = rng.integers(-top, top + 1, (2, config.inputs(direction)))
    return Stimulus(
        seed=seed, number=-1, core=0, masks=masks, x=x, op_id=np.zeros(2, dtype=np.uint64), gap=0, stall=0, hold=0,
        op=replace(op, step_code=int(np.clip(round(model.full_scale(op, masks, x)), 1, 2**STEP_WIDTH - 1))),
    )


def make_tied_stimulus(model: MacroModel, seed: int) -> Stimulus | None:
    """Products of one bit line whose decrements lie half way between whole numbers, the even one of which is below.

    None where no cell of the macro can show it.
    """
    config = model.config
    op = TnsaOperation(direction=Direction.FORWARD, in_bits=4, in_signed=True, out_bits=8, step_code=_HALF_STEP)
    # Of one in four the half is above an even number; of the smallest one step less is most.
    shows = (model.cells % 4 == 1) & (model.cells > 1)
    if not shows.any() or np.ptp(config.load(model.cells, axis=0)) == 0:
        return None
    line = int(np.argmin(np.where(shows, model.cells, np.inf).min(axis=1)))
    every = np.ones(len(model.cells), dtype=bool)
    x = np.zeros((1, config.inputs(Direction.FORWARD)), dtype=np.int64)
    x[0, line // 2] = -7 if line % 2 else 7
    return Stimulus(
        seed=seed, number=-2, core=0, op=op, x=x, op_id=np.zeros(1, dtype=np.uint64), gap=0, stall=0, hold=0,
        masks=Masks(np.arange(len(every)) == line, every, ~every, ~every).without(*config.cell_map.absent),
    )


def _random_masks(rng: np.random.Generator, cell_map: CellMap) -> Masks:
    driven, converted = cell_map.shape

    def on(*shape: int) -> NDArray[np.bool_]:
        return rng.random(shape) < rng.choice(_DENSITIES)

    skip = rng.choice([0.0, 0.0, 0.1], 2)
    return Masks(
        np.array([on(driven) for _ in range(8)]), np.array([on(converted) for _ in range(8)]),
        rng.random(driven) < skip[0], rng.random(converted) < skip[1],
    ).without(*cell_map.absent)


def _with_step(
    rng: np.random.Generator, op: MvmOperation, model: MacroModel, masks: Masks, x: NDArray[np.int64]
) -> MvmOperation:
    """``op`` with a step such that the largest charges count from a fraction of the range to several times of it."""
    spread = rng.choice([0.3, 0.9, 1.0, 1.1, 4.0])
    step = int(np.clip(round(model.full_scale(op, masks, x) * spread), 1, 2**STEP_WIDTH - 1))
    return replace(op, step_code=step)
