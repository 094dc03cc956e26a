"""Forming of fresh cells, and dead cells that are where the network wants them."""

import dataclasses

import numpy as np
import pytest

from mho.hw.config import load_chip
from mho.hw.core.write_verify.config import WriteVerifyParameters
from mho.macro_models.cells.pulses import PulseArray
from mho.macro_models.devices import Device, load_device
from mho.macro_models.devices.sections.programming import Stuck
from mho.macro_models.errors import InputError
from mho.sim.core.cosim import CosimBackend
from mho.sim.programming.screening import form_cells, screen_cells
from mho.sim.programming.write_verify import program_core

CHIP = load_chip("tnsa64-core")
SMALL = load_chip("tnsa16-core")
NONE = np.zeros((64, 64), dtype=np.bool_)


def device(fraction: float = 0.0, values: tuple[float, ...] = (0.0,), weak: float = 0.0) -> Device:
    base = load_device("rram-neurram")
    pulse = dataclasses.replace(base.pulse, weak_fraction=weak, weak_factor=1e-6)
    return dataclasses.replace(base, stuck=Stuck(fraction=fraction, values_uS=values), pulse=pulse)


def array_of(device: Device, *, seed: int = 1, fresh: bool = False, lines: int = 64) -> PulseArray:
    chip = CHIP if lines == 64 else SMALL
    return PulseArray(chip.pulse_config(), device=device, seed=seed, fresh=fresh)


@pytest.mark.slow
@pytest.mark.parametrize("values", [(0.5,), (1.0,), (20.0,), (40.0,), (10.0, 25.0, 45.0)])
@pytest.mark.parametrize("pattern", ["random", "low", "high"])
def test_every_dead_cell_is_found_and_no_sound_one(values: tuple[float, ...], pattern: str) -> None:
    """Found by the screening, or given up by the run after it: a dead cell ends in one of the two maps."""
    rng = np.random.default_rng(len(values))
    targets = {"random": rng.uniform(1, 40, (64, 64)), "low": np.full((64, 64), 1.0), "high": np.full((64, 64), 40.0)}
    array = array_of(device(0.05, values))
    stuck = array.stuck.reshape(64, 64)
    screening = screen_cells(CHIP, 0, array, targets[pattern], NONE, WriteVerifyParameters.from_chip(CHIP))
    assert not screening.faults[~stuck].any()
    near = np.abs(array.g_uS.reshape(64, 64) - targets[pattern]) < 1.0
    assert screening.faults[stuck & near].all()
    run = program_core(CHIP, 0, array.device, 1, targets[pattern], array=array)
    assert np.array_equal(screening.faults | run.fault_map, stuck)
    assert (np.abs(run.g_uS - targets[pattern]) <= 1.0)[~stuck].mean() > 0.999


def test_weak_cells_near_their_targets_are_found() -> None:
    array = array_of(device(weak=0.1))
    targets = array.g_uS.reshape(64, 64).copy()
    screening = screen_cells(CHIP, 0, array, targets, NONE, WriteVerifyParameters.from_chip(CHIP))
    assert screening.cells > 4000
    assert np.array_equal(screening.faults, array.weak.reshape(64, 64))


def test_skipped_cells_are_left_alone() -> None:
    array, skip = array_of(device(0.1, (5.0,))), NONE.copy()
    before = array.g_uS.copy()
    skip[:32] = True
    screening = screen_cells(CHIP, 0, array, np.full((64, 64), 5.0), skip, WriteVerifyParameters.from_chip(CHIP))
    assert np.array_equal(array.g_uS[: 32 * 64], before[: 32 * 64])
    assert not screening.faults[:32].any()
    assert screening.faults[32:].any()


def test_without_a_cell_near_its_target_nothing_is_pulsed() -> None:
    array = array_of(device())
    screening = screen_cells(CHIP, 0, array, np.full((64, 64), 40.0), NONE, WriteVerifyParameters.from_chip(CHIP))
    assert (screening.cells, screening.pulses) == (0, 0)


def test_fresh_cells_need_forming() -> None:
    """Without it none moves; with it they program as others do, but those that did not form."""
    targets = np.random.default_rng(2).uniform(1, 40, (64, 64))
    assert program_core(CHIP, 0, device(), 3, targets, array=array_of(device(), fresh=True)).fault_map.mean() > 0.99
    array = array_of(device(0.02, (0.0,)), fresh=True)
    formed = form_cells(CHIP, 0, array, NONE)
    assert formed.cells == 4096
    assert formed.faults[array.stuck.reshape(64, 64)].all()
    assert np.array_equal(formed.faults.ravel(), ~array.formed | array.stuck)
    run = program_core(CHIP, 0, array.device, 3, targets, array=array)
    assert np.array_equal(run.fault_map | formed.faults, formed.faults)
    assert (np.abs(run.g_uS - targets) <= 1.0)[~formed.faults].mean() > 0.99


def test_a_device_without_forming_is_refused() -> None:
    bare = dataclasses.replace(device(), pulse=dataclasses.replace(device().pulse, formed_uS=0.0))
    with pytest.raises(InputError, match=r"^rram-neurram: pulse.form_threshold_V and pulse.formed_uS must be positive"):
        form_cells(CHIP, 0, array_of(bare, fresh=True), NONE)


@pytest.mark.slow
@pytest.mark.cosim
def test_the_verilog_does_the_same() -> None:
    bad, skip = device(0.1, (1.0, 20.0), weak=0.05), np.zeros((16, 16), dtype=np.bool_)
    skip[3] = True
    targets = np.random.default_rng(4).choice([1.0, 20.0, 33.0], (16, 16))
    parameters = WriteVerifyParameters.from_chip(SMALL)
    arrays = [array_of(bad, fresh=True, lines=16) for _ in range(2)]
    backend = CosimBackend(timeout_s=60)
    backend.open(SMALL, [])
    try:
        verilog = [form_cells(SMALL, 0, arrays[0], skip, backend)]
        verilog.append(screen_cells(SMALL, 0, arrays[0], targets, skip, parameters, backend))
    finally:
        backend.close()
    here = [form_cells(SMALL, 0, arrays[1], skip), screen_cells(SMALL, 0, arrays[1], targets, skip, parameters)]
    for left, right in zip(here, verilog, strict=True):
        assert np.array_equal(left.faults, right.faults)
        assert (left.pulses, left.cycles) == (right.pulses, right.cycles)
        assert all(np.array_equal(a.pulses, b.pulses) for a, b in zip(left.runs, right.runs, strict=True))
    assert here[1].pulses > 0
    assert np.array_equal(arrays[0].g_uS, arrays[1].g_uS)
