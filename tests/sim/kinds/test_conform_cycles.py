"""Cycles of a product are one number: of functional, of co-simulation and of the core's own counter, of each kind."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from mho.hw.config import Chip, kind_names, load_chip, preset_names
from mho.hw.kinds import core_blocks, timing
from mho.macro_models import Masks, family, load_device
from mho.macro_models.integer.operation import MvmOperation
from mho.sim.core.cosim import CosimBackend
from mho.sim.core.kinds import simulated
from mho.sim.functional import FunctionalBackend


def smallest(kind: str) -> Chip:
    chips = [load_chip(name) for name in preset_names()]
    return min((chip for chip in chips if chip.core.kind == kind and not chip.tiled), key=lambda chip: chip.lines)


def operations(chip: Chip) -> Iterator[MvmOperation]:
    """Of few and of many bits, and what the kind makes up."""
    for in_bits in (1, chip.input_bits):
        op = chip.operation(in_bits=in_bits, in_signed=in_bits > 1)
        yield from (replace(op, step_code=500), replace(op, step_code=40_000, out_bits=min(3, op.out_bits)))
    rng = np.random.default_rng(5)
    for _ in range(6):
        yield replace(simulated(chip).random_operation(rng, chip), step_code=2_000)


@pytest.mark.slow
@pytest.mark.cosim
@pytest.mark.parametrize("kind", kind_names())
def test_cycles_of_functional_are_those_of_the_rtl(kind: str) -> None:
    check_cycles(smallest(kind))


def check_cycles(chip: Chip) -> None:
    config = chip.macro_config()
    rng = np.random.default_rng(2)
    target = rng.uniform(chip.cells.g_min_uS, chip.cells.g_max_uS, config.cell_map.shape)
    model = family(chip.core.kind).model(config, target, device=load_device("ideal"), seed=0, core=0)
    functional, cosim = FunctionalBackend(), CosimBackend()
    functional.open(chip, [model])
    cosim.open(chip, [model])
    try:
        core = cosim._core
        assert core is not None
        for op in operations(chip):
            low, high = op.input_range
            x = rng.integers(low, high + 1, (1, config.inputs(op.direction)))
            masks = Masks.reset(*config.cell_map.shape)
            here, verilog = (backend.mvm(0, op, masks, x, 0) for backend in (functional, cosim))
            assert np.array_equal(here.cycles, verilog.cycles), op
            assert np.array_equal(here.analog, verilog.analog), op
            # Alone, nothing waits for the result before it: the counter of the core says the same.
            run = core.run(op, masks, x, 0)
            assert run.cycles[0, 0] - run.cycles[0, 2] == here.cycles[0], op
            assert here.cycles[0] <= timing(chip).worst_cycles(op)
    finally:
        cosim.close()


@pytest.mark.parametrize("name", preset_names())
def test_the_worst_is_no_less_than_any(name: str) -> None:
    """Of each preset: conversions of all lengths are within what a plan counts with."""
    check_worst(load_chip(name))


def check_worst(chip: Chip) -> None:
    assert core_blocks(chip).cfg.lines == chip.lines
    for op in operations(chip):
        took, worst = timing(chip), timing(chip).worst_cycles(op)
        for share in (0.0, 0.5, 1.0):
            steps = np.rint(share * took.worst_steps(op)).astype(np.int64)[None]
            first = took.conversion_cycles(op, steps)[0, 0]
            assert first <= took.analog_cycles(op, steps)[0] < took.cycles(op, steps)[0]
            assert took.cycles(op, steps)[0] <= worst
