"""The answer to pulses, from readings after each pulse: of cells of the same law, and of another one."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mho.hw.core.write_verify.config import WriteVerifyConfig, WriteVerifyParameters
from mho.hw.core.write_verify.reference import program
from mho.macro_models.cells.pulses import PulseArray, PulseConfig
from mho.macro_models.devices import Device, load_device
from mho.macro_models.errors import InputError
from mho.macro_models.fit import Pulses, add_pulses, device_toml, pulsed_device, read_data
from mho.macro_models.integer.pulse import Polarity
from tests.macro_models.fit.reading import read_measurements

LINES = 16
CELLS = LINES**2
FEW = 48
HEADER = "cell,pulse_n,pulse_V,pulse_ns,g_uS,t_s"
NEURRAM = load_device("rram-neurram")


def ramp(device: Device, *, volts: NDArray[np.float64], noise_uS: float = 0.05, dead: int = 0) -> list[str]:
    """Rows of cells that see rising SET pulses, then RESET pulses; the first ``dead`` cells stay at 2 uS."""
    scales = PulseConfig(lines=LINES)
    array, rng = PulseArray(scales, device=device, seed=5), np.random.default_rng(0)
    cells = np.arange(CELLS)

    def read() -> NDArray[np.float64]:
        g = np.where(cells < dead, 2.0, array.g_uS)
        return np.maximum(g + noise_uS * rng.normal(size=CELLS), 0.0)

    rows, number = [f"{c},0,,,{g:.6g},0" for c, g in enumerate(read())], 0
    for polarity, sign in ((Polarity.SET, 1), (Polarity.RESET, -1)):
        for v in volts:
            number += 1
            code = round(v / scales.v_step_V)
            array.pulse(cells, np.full(CELLS, int(polarity)), np.full(CELLS, code), np.full(CELLS, 100))
            rows += [f"{c},{number},{sign * code * scales.v_step_V:.6g},1000,{g:.6g},0" for c, g in enumerate(read())]
    return rows


def read(path: Path, rows: list[str], header: str = HEADER) -> Pulses:
    path.write_text("\n".join([header, *rows]) + "\n")
    measured, pulses = read_data(path)
    assert measured is None
    assert pulses is not None
    return pulses


def fit_table(path: Path) -> Device:
    _, pulses = read_data(path)
    assert pulses is not None
    return pulsed_device(pulses, name="x")


def programmed(device: Device, seed: int = 3) -> tuple[float, float]:
    """Mean pulses a cell of write-verify in one pass, and the fraction of cells that it gives up."""
    scales = PulseConfig(lines=64)
    targets = scales.codes(np.random.default_rng(0).uniform(2, 40, (64, 64)))
    array = PulseArray(scales, device=device, seed=seed)
    result = program(WriteVerifyConfig(lines=64), WriteVerifyParameters(passes=1), targets, array)
    return float(result.counts[-1].mean()), float(result.faults[-1].mean())


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Device:
    path = tmp_path_factory.mktemp("pulses") / "ramp.csv"
    rows = ramp(NEURRAM, volts=np.arange(1.0, 3.05, 0.1), dead=4)
    return pulsed_device(read(path, rows), name="mine")


@pytest.mark.slow
def test_the_law_of_the_cells_is_found(fitted: Device) -> None:
    law, truth = fitted.pulse, NEURRAM.pulse
    # Thresholds of 256 cells: the standard error of the mean is 6 mV, the steps of the amplitude are 100 mV.
    assert law.set_threshold_V == pytest.approx(truth.set_threshold_V, abs=0.04)
    assert law.reset_threshold_V == pytest.approx(truth.reset_threshold_V, abs=0.04)
    assert (law.set_slope_V, law.reset_slope_V) == pytest.approx((truth.set_slope_V, truth.reset_slope_V), rel=0.1)
    assert (law.set_spread_V, law.reset_spread_V) == pytest.approx((0.1, 0.1), rel=0.3)
    # The rate belongs to the threshold: compared well above it.
    for kind in ("set", "reset"):
        rates = [
            np.log(getattr(p, f"{kind}_rate"))
            + (2.0 - getattr(p, f"{kind}_threshold_V")) / getattr(p, f"{kind}_slope_V")
            for p in (law, truth)
        ]
        assert rates[0] == pytest.approx(rates[1], abs=0.15)
    assert law.cycle_spread == pytest.approx(truth.cycle_spread, rel=0.1)
    assert (law.g_low_uS, law.g_high_uS) == pytest.approx((truth.g_low_uS, truth.g_high_uS), rel=0.05)
    assert law.high_spread == pytest.approx(truth.high_spread, rel=0.25)
    assert law.initial_uS == pytest.approx(truth.initial_uS, rel=0.15)
    assert law.initial_spread == pytest.approx(truth.initial_spread, rel=0.2)
    assert law.verify_sigma_uS == pytest.approx(0.05, rel=0.2)
    assert law.weak_fraction < 0.04
    assert fitted.stuck.fraction == pytest.approx(4 / CELLS, abs=1 / CELLS)
    assert fitted.stuck.values_uS[0] == pytest.approx(2.0, abs=0.3)


@pytest.mark.slow
def test_write_verify_programs_the_fitted_cells_as_the_original(fitted: Device) -> None:
    alive = replace(fitted, stuck=NEURRAM.stuck)
    (mine, given_up), (truth, _) = programmed(alive), programmed(NEURRAM)
    assert mine == pytest.approx(truth, rel=0.12)
    assert given_up < 0.01


@pytest.mark.slow
def test_the_file_is_the_device(fitted: Device, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(device_toml(fitted), encoding="utf-8")
    assert load_device(path) == fitted
    assert not fitted.relaxes
    assert fitted.fit.cells == CELLS


@pytest.mark.long
def test_cells_of_another_law(tmp_path: Path) -> None:
    # A rate that grows as sinh from 0 V on: no threshold, and a hyperbola for the exponential.
    rng, n, rows, number = np.random.default_rng(1), 200, [], 0
    part, speed = rng.uniform(0.02, 0.08, n), np.exp(0.3 * rng.normal(size=n))

    def g_uS() -> NDArray[np.float64]:
        return 1.0 + 59.0 * part + 0.1 * rng.normal(size=n)

    rows += [f"{c},0,0,500,{g:.6g},0" for c, g in enumerate(g_uS())]
    volts = np.arange(0.6, 2.6, 0.1)
    steps = []
    for sign in (1, -1):
        for v in volts:
            number += 1
            rate = speed * 0.002 * np.sinh(v / 0.35) * np.exp(0.3 * rng.normal(size=n))
            before, way = part.copy(), (1.0 - part) if sign > 0 else -part
            part = part + way * rate / (1.0 + rate)
            steps.append((sign * v, 59.0 * float((part - before).mean())))
            rows += [f"{c},{number},{sign * v:.3g},500,{g:.6g},0" for c, g in enumerate(np.maximum(g_uS(), 0.0))]
    device = pulsed_device(read(tmp_path / "sinh.csv", rows), name="other")
    scales = PulseConfig(lines=LINES)
    array = PulseArray(scales, device=device, seed=1)
    for v, moved in steps:
        polarity = Polarity.SET if v > 0 else Polarity.RESET
        before = float(array.g_uS.mean())
        code = round(abs(v) / scales.v_step_V)
        cells = np.arange(CELLS)
        array.pulse(cells, np.full(CELLS, int(polarity)), np.full(CELLS, code), np.full(CELLS, 50))
        assert float(array.g_uS.mean()) - before == pytest.approx(moved, abs=1.5)
    assert programmed(device)[1] < 0.02


@pytest.mark.slow
def test_pulses_and_readings_over_time_in_one_table(tmp_path: Path) -> None:
    rows = [row for row in ramp(NEURRAM, volts=np.arange(1.0, 3.05, 0.25)) if int(row.split(",")[0]) < FEW]
    rng = np.random.default_rng(0)
    target = rng.uniform(4, 40, 300)
    rows += [f"r{c},,,,{g + t * rng.normal():.6g},{t}" for t in (0, 1) for c, g in enumerate(target)]
    path = tmp_path / "both.csv"
    path.write_text("\n".join([HEADER, *rows]))
    measured, pulses = read_data(path)
    assert measured is not None
    assert pulses is not None
    assert (measured.cells, len(measured.g_uS)) == (300, 600)
    assert (pulses.cells, len(pulses.volts)) == (FEW, 18 * FEW)
    assert (pulses.volts > 0).sum() == 9 * FEW
    assert pulses.before_uS[1] == pulses.after_uS[0]
    relaxing = load_device("rram-relax")
    device = add_pulses(relaxing, pulses)
    assert device.law is relaxing.law
    assert device.pulse.set_rate > 0


def test_readings_after_the_last_pulse_are_readings_over_time(tmp_path: Path) -> None:
    lines = [f"{c},{n},{v},{10 + n + 0.1 * c},0" for c in range(30) for n, v in ((1, 1.2), (2, 1.3), (3, -1.5))]
    lines += [f"{c},3,-1.5,{13.5 + 0.1 * c},{t}" for c in range(30) for t in (1, 100)]
    path = tmp_path / "after.csv"
    path.write_text("\n".join(["cell,pulse_n,pulse_V,g_uS,t_s", *lines]))
    data = read_measurements(path)
    assert (data.cells, data.times_s.tolist()) == (30, [0.0, 1.0, 100.0])
    assert data.target_uS[0] == 13.0
    _, pulses = read_data(path)
    assert pulses is not None
    assert pulses.volts.tolist() == [1.3, -1.5] * 30
    assert not pulses.width_is_known


def test_a_pulse_count_of_programmed_cells_is_no_pulse_data(tmp_path: Path) -> None:
    # One number of pulses for each cell, as write-verify logs it.
    lines = [f"{c},{3 + c % 5},1.4,{10 + c},{t}" for c in range(30) for t in (0, 1)]
    path = tmp_path / "log.csv"
    path.write_text("\n".join(["cell,pulse_n,pulse_V,g_uS,t_s", *lines]))
    measured, pulses = read_data(path)
    assert pulses is None
    assert measured is not None
    assert measured.cells == 30


@pytest.mark.parametrize(
    ("header", "lines", "sentence"),
    [
        ("pulse_V,g_uS,t_s", ["1.2,10,0", "1.3,11,0"], "column cell is needed, to know which pulses"),
        ("cell,pulse_V,g_uS", ["1,1.2,10", "1,1.3,11"], "1 pulses with a reading before and after are too few"),
        (
            "cell,pulse_V,g_uS",
            [f"{c},{1 + 0.1 * k},{10 + 2 * k}" for c in range(60) for k in range(6)],
            "has no pulses with a negative (RESET) pulse_V; both signs are needed",
        ),
        (
            "cell,pulse_V,g_uS",
            [f"{c},{v},{10 + (c + k) % 2}" for c in range(60) for k, v in enumerate((1, 1.1, -1, -1.1, 1.2, -1.2))],
            "pulses move a cell by more than the noise of the readings, at least 40 are needed",
        ),
    ],
)
def test_what_cannot_be_fitted(tmp_path: Path, header: str, lines: list[str], sentence: str) -> None:
    path = tmp_path / "lab.csv"
    path.write_text("\n".join([header, *lines]))
    with pytest.raises(InputError) as error:
        fit_table(path)
    assert "lab.csv" in str(error.value)
    assert sentence in str(error.value)
