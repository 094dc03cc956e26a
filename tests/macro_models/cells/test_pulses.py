"""Cells that are programmed by pulses: their law, their draws, and the statistics of programming."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mho.hw.core.write_verify.config import WriteVerifyConfig, WriteVerifyParameters
from mho.hw.core.write_verify.reference import program
from mho.macro_models.cells.programming import programmed
from mho.macro_models.cells.pulses import PulseArray, PulseConfig
from mho.macro_models.devices import Device, load_device
from mho.macro_models.errors import InputError
from mho.macro_models.integer.pulse import Polarity

LINES = 64
SCALES = PulseConfig(lines=LINES)
NEURRAM = load_device("rram-neurram")


def with_pulse(**values: Any) -> Device:
    return replace(NEURRAM, pulse=replace(NEURRAM.pulse, **values))


def array(device: Device = NEURRAM, config: PulseConfig = SCALES, **values: Any) -> PulseArray:
    return PulseArray(config, device=device, **({"seed": 5} | values))


def give(cells: PulseArray, chosen: np.ndarray, polarity: Polarity, amplitude: int, cycles: int = 100) -> None:
    ones = np.ones(len(chosen), dtype=np.int64)
    cells.pulse(chosen, ones * int(polarity), ones * amplitude, ones * cycles)


ALL = np.arange(LINES * LINES)
SURE = {"high_spread": 0.0, "set_spread_V": 0.0, "reset_spread_V": 0.0, "cycle_spread": 0.0, "weak_fraction": 0.0}


def test_the_law_without_spread() -> None:
    law = NEURRAM.pulse
    cells = array(with_pulse(**SURE))
    before = cells.g_uS.copy()
    give(cells, ALL, Polarity.SET, 80, 50)  # 1.6 V, half a microsecond
    a = law.set_rate * 0.5 * np.exp((1.6 - law.set_threshold_V) / law.set_slope_V)
    expected = before + (law.g_high_uS - before) * (1.0 - np.exp(-a))
    np.testing.assert_allclose(cells.g_uS, expected, rtol=0.01)
    before = cells.g_uS.copy()
    give(cells, ALL, Polarity.RESET, 100)  # 2 V, a microsecond
    a = law.reset_rate * np.exp((2.0 - law.reset_threshold_V) / law.reset_slope_V)
    np.testing.assert_allclose(cells.g_uS, before - (before - law.g_low_uS) * (1.0 - np.exp(-a)), rtol=0.01)


def test_below_the_threshold_nothing_moves() -> None:
    cells = array(with_pulse(**SURE))
    before = cells.g_uS.copy()
    give(cells, ALL, Polarity.SET, 63)  # 1.26 V
    give(cells, ALL, Polarity.RESET, 73)  # 1.46 V
    np.testing.assert_array_equal(cells.g_uS, before)


def test_steps_of_the_same_pulse_are_log_normal() -> None:
    cells = array(with_pulse(**(SURE | {"cycle_spread": 0.4})), seed=8)
    cells.g_uS = 10.0
    give(cells, ALL, Polarity.SET, 70)
    law = NEURRAM.pulse
    rate = -np.log(1.0 - (cells.g_uS - 10.0) / (law.g_high_uS - 10.0))
    log = np.log(rate) - np.log(law.set_rate) - (1.4 - law.set_threshold_V) / law.set_slope_V
    assert log.mean() == pytest.approx(0.0, abs=5 * 0.4 / LINES)
    assert log.std() == pytest.approx(0.4, rel=0.04)


@pytest.mark.slow
def test_a_cell_alone_and_among_others_end_equal() -> None:
    together, alone = array(), array()
    rng = np.random.default_rng(2)
    chosen = ALL[::37]
    for _ in range(12):
        polarity, amplitude = rng.integers(0, 2, len(chosen)), rng.integers(60, 120, len(chosen))
        width = rng.integers(50, 200, len(chosen))
        together.pulse(chosen, polarity, amplitude, width)
        codes = together.verify(chosen)
        for k in rng.permutation(len(chosen)):
            cell = slice(k, k + 1)
            alone.pulse(chosen[cell], polarity[cell], amplitude[cell], width[cell])
            assert alone.verify(chosen[cell])[0] == codes[k]
    np.testing.assert_array_equal(together.g_uS, alone.g_uS)


def test_widths_may_differ_within_a_call() -> None:
    """The width of each pulse is its own; the law for a width scales the rate."""
    mixed, short, long = array(), array(), array()
    half = ALL.size // 2
    ones = np.ones(half, dtype=np.int64)
    mixed.pulse(ALL, np.repeat(ones, 2) * 0, np.repeat(ones, 2) * 80, np.concatenate([ones * 50, ones * 200]))
    short.pulse(ALL[:half], ones * 0, ones * 80, ones * 50)
    long.pulse(ALL[half:], ones * 0, ones * 80, ones * 200)
    np.testing.assert_array_equal(mixed.g[:half], short.g[:half])
    np.testing.assert_array_equal(mixed.g[half:], long.g[half:])
    rates = [np.array(mixed.law((cycles,) * 3).log_rate) for cycles in (50, 200)]
    assert (rates[1] - rates[0]).tolist() == pytest.approx([np.log(4.0) * 64 * 4096] * 3, abs=1.0)


def test_draws_depend_on_seed_and_core() -> None:
    states = []
    for address in ({"seed": 1}, {"seed": 1}, {"seed": 2}, {"seed": 1, "core": 1}):
        cells = array(**address)
        give(cells, ALL, Polarity.SET, 80)
        states.append(cells.g_uS)
    np.testing.assert_array_equal(states[0], states[1])
    assert (states[0] != states[2]).mean() > 0.9
    assert (states[0] != states[3]).mean() > 0.9


def test_stuck_cells_are_those_of_inference() -> None:
    device = replace(NEURRAM, stuck=replace(NEURRAM.stuck, fraction=0.1, values_uS=(0.0, 45.0)))
    cells = array(device, core=3)
    shape = (LINES, LINES)
    g_uS = programmed(np.full(shape, 20.0), device=device, seed=5, core=3, time_s=0.0, causes=frozenset({"stuck"})).g_uS
    np.testing.assert_array_equal(g_uS.ravel() != 20.0, cells.stuck)
    before = cells.g_uS.copy()
    give(cells, ALL, Polarity.SET, 100)
    np.testing.assert_allclose(cells.g_uS[cells.stuck], g_uS.ravel()[cells.stuck], atol=0.5 * SCALES.g_step_uS, rtol=0)
    assert (cells.g_uS != before)[~cells.stuck].mean() > 0.99


def test_fresh_cells_answer_to_forming_only() -> None:
    cells = array(fresh=True)
    give(cells, ALL, Polarity.SET, 160)
    assert (cells.g == SCALES.conductances(NEURRAM.pulse.fresh_uS)).all()
    give(cells, ALL, Polarity.FORM, 250)  # 5 V
    assert cells.formed.all()
    assert np.median(cells.g_uS) == pytest.approx(NEURRAM.pulse.formed_uS, rel=0.05)
    before = cells.g_uS.copy()
    give(cells, ALL, Polarity.FORM, 250)
    np.testing.assert_array_equal(cells.g_uS, before)


def test_a_wait_spreads_the_cells_as_the_device_relaxes() -> None:
    cells = array(with_pulse(**SURE), config=replace(SCALES, wait_s=86400.0))
    give(cells, ALL, Polarity.SET, 90)
    left = cells.g_uS.copy()
    assert np.ptp(left) > 5.0
    cells.relax()
    sigma = NEURRAM.relaxation_uS(left, 86400.0)
    z = (cells.g_uS - left)[left > 15.0] / sigma[left > 15.0]
    assert z.std() == pytest.approx(1.0, rel=0.04)
    day = cells.g_uS.copy()
    np.testing.assert_array_equal(cells.relaxed_uS(0.0), day)
    cells.relax()
    # At rest a cell keeps its place in the distribution; a pulse gives it another.
    assert np.corrcoef(cells.g_uS - left, day - left)[0, 1] > 0.99
    give(cells, ALL, Polarity.SET, 70)
    again = cells.g_uS.copy()
    cells.relax()
    assert abs(np.corrcoef(cells.g_uS - again, day - left)[0, 1]) < 0.1


def test_time_from_now_counts_from_the_last_pulse() -> None:
    short, long = array(config=replace(SCALES, wait_s=10.0)), array(config=replace(SCALES, wait_s=1.0))
    for cells in (short, long):
        give(cells, ALL, Polarity.SET, 90)
    for _ in range(3):
        long.relax()
    # But for the rounding of what the waits left.
    np.testing.assert_allclose(long.relaxed_uS(7.0), short.relaxed_uS(10.0), atol=0.5 * SCALES.g_step_uS, rtol=0)


def test_a_device_without_pulse_response_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        array(load_device("ideal"))
    assert str(caught.value) == (
        "ideal: pulse.set_rate and pulse.reset_rate must be positive to program by pulses, not 0 and 0"
    )


def test_statistics_of_programming_64_lines() -> None:
    # Published (Wan et al. 2022): 8.5 pulses a cell, 99 % of the cells within 1 uS, three passes.
    cfg, p = WriteVerifyConfig(lines=LINES), WriteVerifyParameters(passes=3)
    means, shares = [], []
    for seed in range(4):
        cells = array(seed=seed)
        target = np.random.default_rng(seed).uniform(1.0, 40.0, (LINES, LINES))
        result = program(cfg, p, SCALES.codes(target), cells)
        means.append(result.counts.mean(axis=(1, 2)))
        shares.append((np.abs(cells.g_uS.reshape(target.shape) - target) <= 1.0).mean())
        assert result.faults.mean() <= 0.01
    mean = np.mean(means, axis=0)
    assert min(shares) >= 0.99
    assert mean[0] == pytest.approx(8.5, abs=0.5)
    # Later passes only repair what has relaxed.
    assert mean[1] < 0.4 * mean[0]
    assert mean[2] < 0.4 * mean[0]


def test_passes_narrow_what_relaxation_leaves() -> None:
    # Published: about 2.8 uS after one pass, 2.0 uS after three.
    cfg = WriteVerifyConfig(lines=LINES)
    spread = {}
    for passes in (1, 3):
        cells = array(config=replace(SCALES, wait_s=1.0))
        target = np.random.default_rng(0).uniform(1.0, 40.0, (LINES, LINES))
        program(cfg, WriteVerifyParameters(passes=passes), SCALES.codes(target), cells)
        error = cells.relaxed_uS(1.0).reshape(target.shape) - target
        spread[passes] = error.std()
    expected = np.sqrt(np.mean(NEURRAM.sigma_uS(np.linspace(1.0, 40.0, 400), 1.0) ** 2))
    assert spread[1] == pytest.approx(float(expected), rel=0.05)
    assert spread[3] < 0.8 * spread[1]


def test_weak_and_dead_cells_end_in_the_fault_map() -> None:
    device = replace(
        with_pulse(weak_fraction=0.03, weak_factor=1e-5), stuck=replace(NEURRAM.stuck, fraction=0.02, values_uS=(60.0,))
    )
    cells = array(device, seed=3)
    target = np.random.default_rng(3).uniform(5.0, 35.0, (LINES, LINES))
    result = program(WriteVerifyConfig(lines=LINES), WriteVerifyParameters(passes=1), SCALES.codes(target), cells)
    faults = result.faults[0].ravel()
    assert cells.weak.mean() == pytest.approx(0.03, abs=0.01)
    np.testing.assert_array_equal(faults, cells.stuck | (cells.weak & faults))
    assert (faults & cells.weak).sum() > 0.5 * cells.weak.sum()
    assert faults.mean() < 0.06
