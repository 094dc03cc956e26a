"""Tuning of arrays without transistors by runs of the engine: numpy and generated Verilog, and what it reaches."""

import numpy as np
import pytest

import mho
from mho.compiler import CompileOptions, compile_model
from mho.hw.config import load_chip
from mho.macro_models.cells.pulses import PulseArray
from mho.macro_models.devices import load_device
from mho.macro_models.errors import InputError
from mho.sim.core.cosim import CosimBackend
from mho.sim.programming.network import program_network
from mho.sim.programming.tuning import TuningConfig, tune
from tests.compiler.importer.onnx_models import random_perceptron

SMALL = {"core.rows": 16, "core.columns": 16, "adc.lanes": 2, "adc.columns": 4}


def tuned(device, targets, *, skip=None, seed=2, **keys):
    chip = load_chip("passive-64", {**SMALL, **{f"programming.{name}": value for name, value in keys.items()}})
    array = PulseArray(chip.pulse_config(), device=device, seed=seed)
    return tune(chip, 0, array, targets, skip), array


def all_but(rows, columns):
    """Cells to leave alone."""
    skip = np.full((16, 16), True)
    skip[rows, columns] = False
    return skip


@pytest.mark.cosim
@pytest.mark.slow
def test_the_verilog_tunes_a_network_as_numpy_does():
    chip = load_chip("passive-64", {**SMALL, "programming.passes": 4, "programming.bias": "third"})
    x = np.random.default_rng(0).normal(size=(30, 12)).astype(np.float32)
    options = CompileOptions(seeds=1, samples=32)
    network = compile_model(random_perceptron([12, 6]), chip, calibrate=x, options=options)
    device = load_device("rram-passive", {"stuck.fraction": 0.0})
    pulses, backend = {"functional": {}, "cosim": {}}, CosimBackend()
    backend.open(chip, [])
    try:
        cells = {
            name: program_network(
                network, device=device, seed=1, programmer=programmer, source=name, pulses=pulses[name].__setitem__
            )
            for name, programmer in (("functional", None), ("cosim", backend))
        }
    finally:
        backend.close()
    reports = [cells[name].report for name in pulses]
    assert reports[0] == reports[1]
    assert cells["functional"].sha256 == cells["cosim"].sha256
    for core, expected in pulses["functional"].items():
        np.testing.assert_array_equal(pulses["cosim"][core], expected)
    report, tuning = reports[0], reports[0]["tuning"]
    assert report["passes"] == len(tuning["passes"]) <= 4
    assert sum(counts["pulses"] for counts in report["by_pass"]) == report["pulses"]
    assert tuning["within"] > 0.95
    assert tuning["mean_error"] < 0.1
    assert tuning["passes"][1]["disturbances"] > 0
    assert tuning["energy_J"][1] > tuning["energy_J"][0] > 0.0


@pytest.mark.slow
def test_tuning_in_passes():
    targets = np.random.default_rng(2).uniform(10.0, 100.0, (16, 16))
    tuning, array = tuned(load_device("rram-passive"), targets, passes=5)
    works = ~array.stuck.reshape(16, 16)
    assert np.mean(np.abs(tuning.error[works]) <= 0.05) >= 0.96
    assert np.median(np.abs(tuning.error[works])) < 0.03
    assert tuning.silent[~works].all()
    assert sum(counts.disturbances for counts in tuning.passes) == array.disturbed.sum()
    assert sum(counts.pulses for counts in tuning.passes) == tuning.pulses == tuning.run.counts.sum()


def test_cells_that_cannot_be_disturbed_need_no_second_visit():
    """Where thresholds do not spread, half of a pulse moves nothing."""
    device = load_device("rram-passive", {
        "pulse.set_spread_V": 0.0, "pulse.reset_spread_V": 0.0, "stuck.fraction": 0.0
    })
    skip = all_but(slice(3, 7), slice(2, 8))
    result, array = tuned(device, np.full((16, 16), 40.0), skip=skip)
    assert array.disturbed.sum() == 0
    assert result.retouched == 0
    assert result.within == 1.0
    assert (result.run.counts.sum(axis=0) > 0).sum() == 24
    assert np.isnan(result.error[skip]).all()


def test_a_cell_that_only_reads_wrong_was_not_disturbed():
    """Thresholds without spread, and reads so noisy that cells leave their window by themselves."""
    device = load_device("rram-passive", {
        "pulse.set_spread_V": 0.0, "pulse.reset_spread_V": 0.0, "pulse.verify_sigma_uS": 1.0
    })
    skip = all_but(slice(4), slice(4))
    result, _ = tuned(device, np.full((16, 16), 20.0), skip=skip, guard_uS=2.0, accept_uS=4.0)
    assert len(result.passes) > 2
    assert result.retouched == sum(counts.disturbed for counts in result.passes) == 0


def test_cells_that_were_formed_first():
    result = mho.tune_crossbar(np.full((3, 4), 40.0), seed=1, fresh=True)
    assert result.within > 0.7
    assert result.error.shape == result.silent.shape == (3, 4)


@pytest.mark.parametrize(("call", "sentence"), [
    (lambda: TuningConfig(aim=0.1), "aim, leave and window"),
    (lambda: tuned(load_device("rram-passive"), np.zeros((16, 16))), "targets must be 16 x 16 positive"),
    (lambda: mho.tune_crossbar(np.ones(3)), "target_uS must be a matrix of 1 to 256"),
    (lambda: mho.tune_crossbar(np.ones((3, 3)), scheme="v2"), "scheme must be half or third"),
])
def test_what_is_refused(call, sentence):
    with pytest.raises(InputError, match=sentence):
        call()


@pytest.mark.cosim
@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("scheme", ["half", "third"])
def test_a_whole_array(scheme):
    chip = load_chip("passive-64", {"programming.bias": scheme})
    backend = CosimBackend()
    backend.open(chip, [])
    try:
        targets = np.random.default_rng(1).uniform(10.0, 100.0, (64, 64))
        array = PulseArray(chip.pulse_config(), device=load_device("rram-passive"), seed=1)
        tuning = tune(chip, 0, array, targets, programmer=backend)
    finally:
        backend.close()
    within, error = {"half": (0.98, 0.04), "third": (0.97, 0.045)}[scheme]
    assert tuning.within >= within
    assert tuning.mean_error < error
    assert tuning.retouched > 0
