"""Cells programmed through the generated Verilog, beside the reference and beside operations."""

from dataclasses import replace

import numpy as np
import pytest

from mho.hw.config import load_chip
from mho.hw.core.write_verify.config import WriteVerifyParameters
from mho.hw.core.write_verify.reference import RECORD
from mho.hw.kinds.tnsa.config import TnsaCoreConfig
from mho.macro_models import load_device
from mho.macro_models.cells.pulses import PulseArray
from mho.macro_models.errors import InputError, ToolError
from mho.macro_models.tnsa.model import TnsaModel
from mho.sim.build.simulators import verilator_build
from mho.sim.core.bench.stimulus import make_models, make_stimulus
from mho.sim.core.bench.write_stimulus import check_run, check_stop, make_write_stimulus
from mho.sim.core.cosim import CosimBackend
from mho.sim.core.cosim_core import CosimCore
from mho.sim.core.process import Simulation
from mho.sim.functional import FunctionalBackend
from mho.sim.programming.write_verify import program_core, reference_pulses

pytestmark = [pytest.mark.cosim, pytest.mark.slow]

CHIP = load_chip("tnsa16-core")
DEVICE = load_device("rram-neurram")


@pytest.fixture(scope="module")
def models():
    return make_models(CHIP, ("ideal", "rram-neurram"), seed=5)


@pytest.fixture(scope="module")
def core(models):
    simulation = Simulation(verilator_build(CHIP), timeout_s=60)
    for index, model in enumerate(models):
        simulation.put_core(index, model)
    yield CosimCore(simulation, TnsaCoreConfig.from_chip(CHIP))
    simulation.close()


@pytest.fixture
def cosim(models):
    backend = CosimBackend(timeout_s=60)
    backend.open(CHIP, models)
    yield backend
    backend.close()


@pytest.mark.parametrize("number", range(12))
def test_any_run_pulse_for_pulse(core, number):
    run, _ = check_run(core, make_write_stimulus(CHIP, 31, number))
    assert run.counters["reads"] > 0


@pytest.mark.parametrize("number", range(8))
def test_runs_and_operations_wait_for_each_other_and_change_nothing(core, models, number):
    beside = make_stimulus(models, 17, number, vectors=12)
    expected = models[beside.core].mvm(beside.op, beside.masks, beside.x, beside.op_id)
    stimulus = make_write_stimulus(CHIP, 33, number)
    _, operation = check_run(core, stimulus, beside)
    assert operation is not None
    np.testing.assert_array_equal(operation.codes, expected.codes)
    np.testing.assert_array_equal(operation.steps, expected.steps)
    after = core.run(beside.op, beside.masks, beside.x, beside.op_id, core=beside.core)
    np.testing.assert_array_equal(after.codes, expected.codes)


@pytest.mark.parametrize("stop_after", [0, 1, 100, 256, 300])
def test_a_run_is_stopped_and_the_next_is_as_if_nothing_had_been(core, stop_after):
    stimulus = make_write_stimulus(CHIP, 35, 0, pauses=False)
    outcome = check_stop(core, stimulus, stop_after)
    assert stop_after <= len(outcome.cells) <= stop_after + 1
    check_run(core, stimulus)


def test_a_pulse_of_another_width_is_noticed(core):
    stimulus = make_write_stimulus(CHIP, 37, 0)
    job = stimulus.job()
    with pytest.raises(ToolError, match=r"failed: a pulse must be as wide as its register says"):
        CosimCore(_own_simulation(), core.cfg).program(replace(job, pins=job.pins + 1))


def _own_simulation() -> Simulation:
    return Simulation(verilator_build(CHIP), timeout_s=60)


@pytest.mark.parametrize("full_time", [False, True])
def test_backends_program_the_same_and_the_cells_then_compute(models, full_time):
    parameters = replace(WriteVerifyParameters.from_chip(CHIP), wait_cycles=50, set_cycles=40)
    targets = np.random.default_rng(2).uniform(1.0, 40.0, (16, 16))
    codes = []
    runs = []
    for backend in (CosimBackend(full_time=full_time, timeout_s=60), FunctionalBackend()):
        backend.open(CHIP, models)
        run = program_core(CHIP, 0, DEVICE, 9, targets, parameters=parameters, programmer=backend)
        cells = run.array.relaxed_uS(3600.0).reshape(16, 16)
        model = TnsaModel.from_measured(CHIP.macro_config(), cells, device=DEVICE, seed=9, core=0)
        backend.open(CHIP, [model])
        stimulus = make_stimulus([model], 3, 1)
        codes.append(backend.mvm(0, stimulus.op, stimulus.masks, stimulus.x, stimulus.op_id).codes)
        runs.append(run)
        backend.close()
    for name in ("pulses", "codes", "faults", "counts", "g_uS"):
        np.testing.assert_array_equal(getattr(runs[0], name), getattr(runs[1], name))
    assert (runs[0].counters, runs[0].cycles) == (runs[1].counters, runs[1].cycles)
    np.testing.assert_array_equal(codes[0], codes[1])


def test_fresh_cells_are_formed_and_then_programmed(cosim):
    array = PulseArray(CHIP.pulse_config(), device=DEVICE, seed=6, fresh=True)
    forming = WriteVerifyParameters.from_chip(CHIP, form=True)
    formed = program_core(
        CHIP, 0, DEVICE, 6, np.full((16, 16), 1.25), parameters=forming, programmer=cosim, array=array
    )
    assert formed.counters["forms"] >= 256
    np.testing.assert_array_equal(formed.fault_map.ravel(), ~array.formed)
    # A pulse of a millisecond is not counted out in the simulation, but counts.
    assert formed.cycles > 256 * forming.form_cycles
    targets = np.random.default_rng(6).uniform(5.0, 40.0, (16, 16))
    run = program_core(CHIP, 0, DEVICE, 6, targets, formed.fault_map, programmer=cosim, array=array)
    assert not run.fault_map.any()
    assert abs(run.g_uS - targets)[~formed.fault_map].max() < 1.0


def test_dead_and_weak_cells_end_in_the_fault_map(cosim):
    stuck = replace(DEVICE.stuck, fraction=0.05, values_uS=(0.0, 48.0))
    bad = replace(DEVICE, stuck=stuck, pulse=replace(DEVICE.pulse, weak_fraction=0.1))
    targets = np.random.default_rng(8).uniform(5.0, 40.0, (16, 16))
    run = program_core(CHIP, 1, bad, 4, targets, programmer=cosim)
    assert run.array.stuck.sum() > 5
    assert run.fault_map.ravel()[run.array.stuck].all()
    assert abs(run.g_uS - targets)[~run.fault_map].max() < 1.0


def test_a_core_without_the_engine(models):
    chip = load_chip("tnsa16-core", {"programming.engine": False})
    backend = CosimBackend(timeout_s=60)
    backend.open(chip, models)
    with pytest.raises(InputError, match=r"^tnsa16-core: programming.engine must be true to program cells in"):
        program_core(chip, 0, DEVICE, 1, np.full((16, 16), 10.0), programmer=backend)
    stimulus = make_stimulus(models, 3, 2)
    expected = models[stimulus.core].mvm(stimulus.op, stimulus.masks, stimulus.x, stimulus.op_id)
    result = backend.mvm(stimulus.core, stimulus.op, stimulus.masks, stimulus.x, stimulus.op_id)
    np.testing.assert_array_equal(result.codes, expected.codes)
    backend.close()


@pytest.mark.long
def test_a_core_of_64_lines_within_a_microsiemens():
    chip = load_chip("tnsa64-core")
    backend = CosimBackend(timeout_s=120)
    backend.open(chip, [])
    targets = np.random.default_rng(64).uniform(1.0, 40.0, (64, 64))
    run = program_core(chip, 0, DEVICE, 11, targets, programmer=backend)
    backend.close()
    expected = program_core(chip, 0, DEVICE, 11, targets)
    np.testing.assert_array_equal(run.pulses, expected.pulses)
    np.testing.assert_array_equal(run.g_uS, expected.g_uS)
    assert run.cycles == expected.cycles
    assert (abs(run.g_uS - targets) <= 1.0).mean() >= 0.99


def test_blind_pulses_through_the_verilog_and_beside_write_verify():
    chip = load_chip("tnsa16-core", {"programming.pulses": True})
    rng, parameters = np.random.default_rng(3), WriteVerifyParameters.from_chip(chip)
    records = np.zeros(40, dtype=RECORD)
    for name, top in (("row", 16), ("col", 16), ("polarity", 2), ("count", 5)):
        records[name] = rng.integers(0, top, len(records))
    records["count"] += 1
    arrays = [PulseArray(chip.pulse_config(), device=DEVICE, seed=2) for _ in range(2)]
    runs = []
    backend = CosimBackend(timeout_s=60)
    try:
        for array, programmer in zip(arrays, (FunctionalBackend(), backend), strict=True):
            programmer.open(chip, make_models(chip, ("ideal",), seed=5))
            program_core(chip, 0, DEVICE, 2, np.full((16, 16), 20.0), programmer=programmer, array=array)
            runs.append([programmer.pulse(0, array, part, parameters) for part in np.array_split(records, 2)])
    finally:
        backend.close()
    for reference, run in zip(*runs, strict=True):
        np.testing.assert_array_equal(run.pulses, reference.pulses)
        assert run.cycles == reference.cycles
    np.testing.assert_array_equal(arrays[0].g, arrays[1].g)
    with pytest.raises(InputError, match=r"programming\.engine and programming\.pulses must be true for blind pulses"):
        reference_pulses(CHIP, arrays[0], records, parameters)
