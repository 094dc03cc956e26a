"""Cores of different sizes and devices side by side in one simulator process, each equal to ``functional``."""

from collections.abc import Iterator

import numpy as np
import pytest

from mho.hw.config import Chip, load_chip
from mho.hw.kinds.tnsa.config import TnsaCoreConfig
from mho.macro_models import MacroModel
from mho.macro_models.errors import ToolError
from mho.sim.build.simulators import verilator_build
from mho.sim.core.batch import Mode
from mho.sim.core.bench.stimulus import Stimulus, make_models, make_stimulus
from mho.sim.core.bench.write_stimulus import check_run, make_write_stimulus
from mho.sim.core.cosim_core import CosimCore
from mho.sim.core.process import Simulation
from mho.sim.functional import FunctionalBackend

pytestmark = [pytest.mark.cosim, pytest.mark.slow]

CHIPS = (
    load_chip("tnsa16-core"),
    load_chip("tnsa16-core", {"adc.bits": 6, "verilog.reset": "async_low", "timing.t_sample_ns": 50}),
    load_chip("tnsa16-core", {"core.corelet": 8, "programming.engine": False, "clock.f_clk_MHz": 250}),
    load_chip("tnsa16-core"),
    load_chip("tnsa16-core", {"core.corelet": 8, "programming.engine": False, "clock.f_clk_MHz": 250}),
)
"""Two have the Verilog of others: they are the same modules."""

DEVICES = (("ideal",), ("rram-neurram", "ideal"), ("rram-neurram",), ("rram-neurram",), ("rram-relax",))


@pytest.fixture(scope="module")
def models() -> list[list[MacroModel]]:
    return [make_models(chip, devices, 11 + k) for k, (chip, devices) in enumerate(zip(CHIPS, DEVICES, strict=True))]


@pytest.fixture(scope="module")
def simulation(models: list[list[MacroModel]]) -> Iterator[Simulation]:
    simulation = Simulation(verilator_build(*CHIPS), timeout_s=120)
    number = 0
    for group in models:
        for model in group:
            simulation.put_core(number, model)
            number += 1
    yield simulation
    simulation.close()


@pytest.fixture(scope="module")
def cores(simulation: Simulation) -> list[CosimCore]:
    return [CosimCore(simulation, TnsaCoreConfig.from_chip(chip), k) for k, chip in enumerate(CHIPS)]


FIRST = np.cumsum([0, *(len(devices) for devices in DEVICES)])
"""Number of the first model of each core."""


def check(chip: Chip, models: list[MacroModel], stimulus: Stimulus, run) -> None:
    backend = FunctionalBackend()
    backend.open(chip, models)
    expected = backend.mvm(stimulus.core, stimulus.op, stimulus.masks, stimulus.x, stimulus.op_id)
    np.testing.assert_array_equal(run.codes, expected.codes)
    np.testing.assert_array_equal(run.steps, expected.steps)
    np.testing.assert_array_equal(run.cycles[:, 1], expected.analog)


def run_all(simulation, cores, models, numbers, mode, vectors) -> None:
    trials = [make_stimulus(group, 3 + k, numbers[k], vectors=vectors[k]) for k, group in enumerate(models)]
    batches = [
        core.batch(
            stimulus.op, stimulus.masks, stimulus.x, stimulus.op_id, core=int(FIRST[k]) + stimulus.core, mode=mode,
            gap=stimulus.gap, stall=stimulus.stall, hold=stimulus.hold, seed=stimulus.number + 1,
        )
        for k, (core, stimulus) in enumerate(zip(cores, trials, strict=True))
    ]
    results = simulation.run_together(batches)
    for k, result in enumerate(results):
        check(CHIPS[k], models[k], trials[k], cores[k].finish(batches[k], result))


@pytest.mark.parametrize("turn", range(6))
def test_all_at_once_each_as_functional(simulation, cores, models, turn) -> None:
    mode = Mode.PIN_LEVEL if turn == 5 else Mode.LAZY
    run_all(simulation, cores, models, [turn + 2 * k for k in range(5)], mode, [3 + (turn + k) % 4 for k in range(5)])


def test_one_runs_while_the_others_rest(cores, models) -> None:
    for k in (4, 1, 0):
        stimulus = make_stimulus(models[k], 5, k, vectors=4)
        run = cores[k].run(stimulus.op, stimulus.masks, stimulus.x, stimulus.op_id, core=int(FIRST[k]) + stimulus.core)
        check(CHIPS[k], models[k], stimulus, run)


def test_modes_and_lengths_are_each_core_s_own(simulation, cores, models) -> None:
    trials = [make_stimulus(group, 9, k, vectors=(1, 40)[k % 2], pauses=False) for k, group in enumerate(models)]
    modes = (Mode.LAZY, Mode.LAZY, Mode.CONST, Mode.PIN_LEVEL, Mode.LAZY)
    batches = [
        core.batch(t.op, t.masks, t.x, t.op_id, core=int(FIRST[k]) + t.core, mode=mode, keep_charges=k == 1)
        for k, (core, t, mode) in enumerate(zip(cores, trials, modes, strict=True))
    ]
    for k, result in enumerate(simulation.run_together(batches)):
        run = cores[k].finish(batches[k], result)
        assert len(run.charges) == (len(batches[k].ops) * batches[k].segments if k == 1 else 0)
        if modes[k] is not Mode.CONST:
            check(CHIPS[k], models[k], trials[k], run)


def test_cells_are_programmed_in_one_core_while_another_computes(simulation, cores, models) -> None:
    for k in (0, 3, 1):
        run, _ = check_run(cores[k], make_write_stimulus(CHIPS[k], 4, k), None)
        assert len(run.pulses)
    run_all(simulation, cores, models, [20] * 5, Mode.LAZY, [2] * 5)


def test_a_core_that_is_stuck_is_named(models) -> None:
    simulation = Simulation(verilator_build(*CHIPS), timeout_s=120)
    cores = [CosimCore(simulation, TnsaCoreConfig.from_chip(chip), k) for k, chip in enumerate(CHIPS)]
    trials = [make_stimulus(group, 1, 0, pauses=False) for group in models]
    batches = [
        core.batch(t.op, t.masks, t.x[:, :0] if k == 2 else t.x, t.op_id, mode=Mode.CONST)
        for k, (core, t) in enumerate(zip(cores, trials, strict=True))
    ]
    with pytest.raises(ToolError, match=r"^the simulated core 2 made no progress for \d+ cycles"):
        simulation.run_together(batches)
