"""Reference of a user's own macro that takes its cells from a file: the ideal model of its kind with these cells."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.hw.config import Chip
from mho.hw.kinds import core_blocks
from mho.macro_models import MacroModel, Masks, family, load_device
from mho.macro_models.integer.operation import STEP_FRACTION_BITS, STEP_WIDTH, Direction
from mho.sim.core.bench.stimulus import Stimulus
from mho.sim.core.cosim_core import CosimCore

_FINE = 3
"""Steps at which products of single rows lie half way between codes as often as they can."""

_TIED = 40
"""Vectors with a step that is itself half way between whole numbers, and half of the word lines on."""

_APART = 4
"""Vectors of each choice of word lines, and of those that are beyond both ends of the converters."""


def takes_cells(chip: Chip) -> bool:
    """Whether the user's own model says that it takes its cells from a file."""
    from mho.rtl_gen.macro.port_map import macro_files, rtl_files

    paths = [*macro_files(chip), *rtl_files(chip)]
    return any(re.search(r"\bCELLS_FILE\b", path.read_text("utf-8", errors="replace")) for path in paths)


def given_model(chip: Chip, seed: int) -> MacroModel:
    """An ideal macro, without wires and errors of converters, of random cells over the range of the chip.

    Where verify reads are coarser than codes of cells, these are such as the reads can tell.
    """
    cells, config = chip.cells, chip.macro_config()
    uniform = np.random.default_rng([seed, 0x617E]).uniform(cells.g_min_uS, cells.g_max_uS, config.cell_map.shape)
    verify_bits = core_blocks(chip).pins.verify_bits
    if verify_bits is None:
        return ideal_model(chip, uniform)
    return model_of_codes(chip, np.rint(uniform / cells.g_full_scale_uS * (2**verify_bits - 1)), verify_bits)


def model_of_codes(chip: Chip, codes: NDArray[Any], verify_bits: int) -> MacroModel:
    """The same of cells that verify reads of so many bits gave ``codes``."""
    lsb_uS = chip.cells.g_full_scale_uS / (2**chip.core.g_bits - 1)
    return ideal_model(chip, codes * 2.0 ** (chip.core.g_bits - verify_bits) * lsb_uS)


def ideal_model(chip: Chip, cells_uS: NDArray[np.float64]) -> MacroModel:
    """A macro without wires, noise and errors of converters, of cells ``[driven line, converted line]``."""
    return family(chip.core.kind).model.from_measured(
        chip.macro_config(), cells_uS, device=load_device("ideal"), seed=0, core=0, causes=frozenset()
    )


def write_cells(model: MacroModel, path: Path) -> None:
    """Codes of the cells of a model as ``$readmemh`` takes them, driven line by driven line."""
    path.write_text("".join(f"{code:x}\n" for code in model.cells.ravel().tolist()), encoding="utf-8")


def make_edge_stimuli(chip: Chip, model: MacroModel, vectors: int) -> Iterator[Stimulus]:
    """Products of single rows at fine steps, some of all rows at the finest, some at a step that is itself half way.

    Random operations hardly meet where roundings differ, ends of converters, and each word line without another.
    ``vectors`` are the most of one stimulus.
    """
    config = model.config
    masks = Masks.reset(*config.cell_map.shape).without(*config.cell_map.absent)
    op = chip.operation(in_bits=chip.input_bits, in_signed=True)
    rows, top = config.inputs(Direction.FORWARD), op.input_range[1]
    alone = np.diag(np.where(np.arange(rows) % 2, -1, 1))
    # What a step code is times a constant: that is a whole number and a half, of which the even neighbour is below.
    ratio = float(config.load(np.zeros((1, 1)), axis=0, unit_uS=config.lsb_uS)[0]) * 2.0**-STEP_FRACTION_BITS
    wanted = ratio * np.arange(1, 2**STEP_WIDTH)
    fine = 1 + np.flatnonzero(np.rint(wanted) % (2 * np.gcd.reduce(model.cells, axis=None)) == 0)[:_FINE]
    batches = [(int(code), masks, min(top, 2 * number + 1) * alone) for number, code in enumerate(fine)]
    rng = np.random.default_rng(0x71ED)
    dense = rng.integers(-top, top + 1, (_TIED, rows))
    full = model.full_scale(op, masks, dense)
    ties = 1 + np.flatnonzero(wanted % 2 == 0.5)
    step_code = int(ties[np.argmin(np.abs(ties - full))]) if ties.size else int(np.clip(round(full), 1, len(wanted)))
    # Of two word lines there is a product in which the one is on and the other is not: each bit of their numbers.
    lines = np.arange(masks.wl.shape[-1])
    halves = [rng.random(masks.wl.shape) < 0.5, *(
        (lines >> k & 1) == bit for k in range(int(lines[-1]).bit_length()) for bit in (0, 1))]
    batches += [(int(fine[0]) if fine.size else 1, masks, dense[:_APART])]
    batches += [(step_code, replace(masks, wl=masks.wl & half), dense[: None if k == 0 else _APART])
                for k, half in enumerate(halves)]
    for step_code, on, inputs in batches:
        for start in range(0, len(inputs), vectors):
            x = inputs[start : start + vectors]
            yield Stimulus(
                seed=0, number=-2, core=0, op=replace(op, step_code=step_code), masks=on, x=x,
                op_id=np.zeros(len(x), dtype=np.uint64), gap=0, stall=0, hold=0,
            )


def row_products(chip: Chip, model: MacroModel, core: CosimCore) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Codes of products of single rows: those of a model, and those behind the pins, both (rows, columns)."""
    config = model.config
    masks, x = Masks.reset(*config.cell_map.shape).without(*config.cell_map.absent), np.eye(config.rows, dtype=int)
    op = chip.operation(in_bits=min(2, chip.input_bits), in_signed=True)
    step_code = int(np.clip(round(model.full_scale(op, masks, x)), 1, 2**STEP_WIDTH - 1))
    op = replace(op, step_code=step_code)
    expected, observed = model.mvm(op, masks, x, 0), core.run(op, masks, x, 0)
    return expected.codes.astype(np.int64), observed.codes.astype(np.int64)
