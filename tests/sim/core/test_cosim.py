import os
import signal
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from mho.hw.config import load_chip
from mho.macro_models.errors import ToolError
from mho.macro_models.integer.tnsa.operation import TnsaOperation
from mho.sim.build.simulators import icarus_build, verilator_build
from mho.sim.core.batch import Mode
from mho.sim.core.bench.stimulus import make_models, make_stimulus
from mho.sim.core.cosim import CosimBackend
from mho.sim.functional import FunctionalBackend

pytestmark = pytest.mark.cosim

DEVICES = ("ideal", "rram-neurram")
CHIP = load_chip("tnsa16-core")
FIELDS = ("codes", "steps", "cycles", "analog")


def same(result, expected) -> bool:
    return all(np.array_equal(getattr(result, name), getattr(expected, name)) for name in FIELDS)


def run(backend, stimulus):
    return backend.mvm(stimulus.core, stimulus.op, stimulus.masks, stimulus.x, stimulus.op_id)


@pytest.fixture
def models():
    return make_models(CHIP, DEVICES, seed=5)


@pytest.fixture
def functional(models):
    backend = FunctionalBackend()
    backend.open(CHIP, models)
    return backend


@pytest.fixture
def cosim(models):
    backend = CosimBackend(timeout_s=60)
    backend.open(CHIP, models)
    yield backend
    backend.close()


@pytest.mark.slow  # the first use builds the simulator
def test_cosim_equals_functional_for_any_order_of_cores_and_operations(cosim, functional, models):
    for number in range(40):
        stimulus = make_stimulus(models, 8, number, vectors=5)
        assert same(run(cosim, stimulus), run(functional, stimulus)), str(stimulus)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["lazy", "pin_level"])
def test_a_batch_equals_its_vectors_alone(models, functional, mode):
    backend = CosimBackend(mode=mode)
    backend.open(CHIP, models)
    stimulus = make_stimulus(models, 2, 1, vectors=6)
    whole = run(backend, stimulus)
    assert same(whole, run(functional, stimulus))
    for k in reversed(range(6)):
        vector, number = stimulus.x[k : k + 1], stimulus.op_id[k : k + 1]
        alone = backend.mvm(stimulus.core, stimulus.op, stimulus.masks, vector, number)
        assert np.array_equal(alone.codes[0], whole.codes[k])
    backend.close()


@pytest.mark.slow
def test_one_process_serves_another_set_of_cores(cosim, functional):
    process = cosim._core.simulation.process
    other_models = make_models(CHIP, DEVICES, seed=77)
    functional.open(CHIP, other_models)
    cosim.open(CHIP, other_models)
    assert cosim._core.simulation.process is process
    for number in range(4):
        stimulus = make_stimulus(other_models, 1, number)
        assert same(run(cosim, stimulus), run(functional, stimulus))


@pytest.mark.slow
def test_large_batch(cosim, functional, models):
    rng = np.random.default_rng(0)
    op = TnsaOperation(step_code=300)
    x, ids = rng.integers(-7, 8, (3000, 8)), np.arange(3000, dtype=np.uint64) << np.uint64(32)
    stimulus = make_stimulus(models, 0, 0)
    assert same(cosim.mvm(1, op, stimulus.masks, x, ids), functional.mvm(1, op, stimulus.masks, x, ids))


@pytest.mark.slow
def test_several_simulators_run_at_once(models, functional):
    def work(seed):
        backend = CosimBackend()
        backend.open(CHIP, models)
        trials = [make_stimulus(models, seed, number) for number in range(5)]
        results = [run(backend, stimulus) for stimulus in trials]
        backend.close()
        return list(zip(trials, results, strict=True))

    with ThreadPoolExecutor(3) as pool:
        by_simulator = list(pool.map(work, range(3)))
    for pairs in by_simulator:
        for stimulus, result in pairs:
            assert same(result, run(functional, stimulus))


@pytest.mark.slow
def test_closing_leaves_no_process_and_no_log(cosim):
    simulation = cosim._core.simulation
    assert simulation.log.exists()
    cosim.close()
    cosim.close()
    assert simulation.process.returncode == 0
    assert not simulation.log.exists()


@pytest.mark.slow
def test_a_crash_names_its_log_and_the_backend_can_be_opened_again(cosim, functional, models):
    simulation = cosim._core.simulation
    os.kill(simulation.process.pid, signal.SIGKILL)
    simulation.process.wait(60)
    stimulus = make_stimulus(models, 0, 0)
    sentence = r"^the simulator was ended by SIGKILL before it had answered; see .*simulator-.*\.log$"
    with pytest.raises(ToolError, match=sentence):
        run(cosim, stimulus)
    assert simulation.log.exists()
    simulation.log.unlink()
    cosim.open(CHIP, models)
    assert same(run(cosim, stimulus), run(functional, stimulus))


@pytest.mark.slow
def test_a_simulator_that_does_not_answer_is_ended(models):
    backend = CosimBackend(timeout_s=4)
    backend.open(CHIP, models)
    assert backend._core is not None
    simulation = backend._core.simulation
    os.kill(simulation.process.pid, signal.SIGSTOP)
    with pytest.raises(ToolError, match=r"^the simulator did not answer within 4(\.0)? s; see "):
        run(backend, make_stimulus(models, 0, 0))
    assert simulation.process.returncode == -signal.SIGKILL
    simulation.log.unlink()


@pytest.mark.slow
def test_a_failing_model_is_reported(models):
    backend = CosimBackend()
    backend.open(CHIP, models)
    stimulus = make_stimulus(models, 0, 0)
    sentence = "^the macro in the simulation failed: the evaluator of the macro model failed"
    with pytest.raises(ToolError, match=sentence):
        backend.mvm(7, stimulus.op, stimulus.masks, stimulus.x, stimulus.op_id)


@pytest.mark.slow
def test_a_core_without_input_is_reported_as_stuck(cosim, models):
    stimulus = make_stimulus(models, 0, 0, pauses=False)
    core = cosim._core
    still, nothing = "o_valid stands still after 0 of 72 output words", stimulus.x[:, :0].repeat(3, axis=0)
    with pytest.raises(ToolError, match=rf"^the simulated core made no progress for \d+ cycles: {still}; see "):
        core.run(stimulus.op, stimulus.masks, nothing, stimulus.op_id[:1].repeat(9), mode=Mode.CONST)


@pytest.mark.slow
def test_a_broken_source_names_the_log(monkeypatch, tmp_path):
    monkeypatch.setenv("MHO_CACHE", str(tmp_path))
    netlist = tmp_path / "broken.v"
    netlist.write_text("module mho_core (input wire clk); assign nothing; endmodule")
    with pytest.raises(ToolError, match=r"^verilator failed with exit code 1; see .*failed-build-\d+\.log$"):
        verilator_build(CHIP, netlist=netlist)


@pytest.mark.slow
@pytest.mark.cosim("iverilog", "vvp")
def test_the_hardware_names_a_build_and_the_cells_do_not():
    first = verilator_build(CHIP)
    assert verilator_build(load_chip("tnsa16-core", {"cells.g_max_uS": 30, "adc.sigma_gain": 0.02})) == first
    icarus = icarus_build(CHIP)
    assert icarus_build(load_chip("tnsa16-core", {"timing.t_sample_ns": 110})) != icarus
