"""Readings in a row: white, telegraph and 1/f noise are told apart, depend on the state, and are no relaxation."""

import math
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mho.macro_models.devices import load_device
from mho.macro_models.devices.laws.drift import DriftDevice
from mho.macro_models.devices.sections.noise import Telegraph
from mho.macro_models.fit import device_toml, fit_device, fit_law
from mho.macro_models.fit.reads.noise import fit_read_noise
from mho.macro_models.fit.tables.bursts import Bursts, find_bursts
from tests.macro_models.fit.reading import read_measurements

Reals = NDArray[np.float64]


def bursts(values: Reals) -> Bursts:
    cells, size = values.shape
    number = np.repeat(np.arange(cells), size)
    time = np.tile(np.arange(size, dtype=np.float64), cells)
    return Bursts(burst=number, time_s=time, g_uS=values.ravel(), cell=number)


def switching(r: np.random.Generator, cells: int, size: int, rate: float) -> NDArray[np.bool_]:
    """Two levels, equally likely, left with this probability from reading to reading."""
    state = np.zeros((cells, size), dtype=bool)
    state[:, 0] = r.random(cells) < 0.5
    for k in range(1, size):
        state[:, k] = state[:, k - 1] ^ (r.random(cells) < rate)
    return state


def flicker(r: np.random.Generator, cells: int, size: int) -> Reals:
    """A sum of relaxators with even rates in the logarithm: 1/f, with one unit of variance in each e-fold of rates."""
    readings = np.zeros((cells, size))
    for rate in np.geomspace(1e-4, 1.0, 25):
        keep, step = math.exp(-rate), math.log(1e4) / 24
        x = r.normal(size=cells)
        for k in range(size):
            readings[:, k] += math.sqrt(step) * x
            x = keep * x + math.sqrt(1.0 - keep * keep) * r.normal(size=cells)
    return readings


G = np.random.default_rng(0).uniform(2.0, 40.0, 600)
WHITE = 0.1 + 0.01 * G


def deviation(c: tuple[float, ...], g: Reals) -> Reals:
    return np.asarray(np.polynomial.polynomial.polyval(g / 40.0, np.array(c)), dtype=np.float64)


def test_white_noise_depends_on_the_state() -> None:
    r = np.random.default_rng(1)
    fit = fit_read_noise(bursts(G[:, None] + WHITE[:, None] * r.normal(size=(600, 32))), 40.0, "lab")
    assert fit is not None
    noise, at = fit.section, np.array([2.0, 20.0, 40.0])
    assert deviation(noise.sigma_uS, at) == pytest.approx(0.1 + 0.01 * at, rel=0.05)
    assert (fit.telegraph, noise.flicker_uS, fit.warnings) == (Telegraph(), (), ())


def test_telegraph_noise_is_told_from_white_noise() -> None:
    r = np.random.default_rng(2)
    has, step = r.random(600) < 0.2, 0.06 * G + 0.6
    values = G[:, None] + WHITE[:, None] * r.normal(size=(600, 32))
    values += (has * step)[:, None] * switching(r, 600, 32, 0.25)
    fit = fit_read_noise(bursts(values), 40.0, "lab")
    assert fit is not None
    traps, at = fit.telegraph, np.array([5.0, 20.0, 40.0])
    assert traps.part(20.0) == pytest.approx(has.mean(), abs=0.03)
    assert np.sqrt(traps.variance_uS2(at)) == pytest.approx(math.sqrt(0.05) * (0.06 * at + 0.6), rel=0.2)
    assert deviation(fit.section.sigma_uS, at) == pytest.approx(0.1 + 0.01 * at, rel=0.08)
    assert fit.warnings == ()


def test_traps_have_sizes_and_occupancies_of_their_own() -> None:
    r, cells, reads = np.random.default_rng(5), 1500, 24
    g, p, z = r.uniform(2.0, 40.0, cells), r.uniform(0.2, 0.8, cells), r.normal(size=(2, cells))
    size = (0.6 + 0.06 * g) * np.exp(0.3 * z[0] - 0.09) * (r.random(cells) < 0.1 + 0.005 * g)
    values = g[:, None] + 0.15 * r.normal(size=(cells, reads)) + size[:, None] * (r.random((cells, reads)) < p[:, None])
    fit = fit_read_noise(bursts(values), 40.0, "lab")
    assert fit is not None
    traps, at = fit.telegraph, np.array([8.0, 20.0, 36.0])
    assert traps.part(at) == pytest.approx(0.1 + 0.005 * at, abs=0.04)
    assert traps.size_uS(at) == pytest.approx(0.6 + 0.06 * at, rel=0.12)
    assert traps.spread == pytest.approx(0.3, abs=0.05)
    assert traps.occupancy[0] == pytest.approx(0.2, abs=0.1)
    assert traps.occupancy[-1] == pytest.approx(0.8, abs=0.1)


def test_flicker_noise_is_told_from_white_noise() -> None:
    r = np.random.default_rng(3)
    size = 0.004 * G
    values = G[:, None] + WHITE[:, None] * r.normal(size=(600, 48)) + size[:, None] * flicker(r, 600, 48)
    fit = fit_read_noise(bursts(values), 40.0, "lab")
    assert fit is not None
    noise = fit.section
    assert noise.flicker_uS
    assert not fit.telegraph.acts
    assert deviation(noise.flicker_uS, np.array([30.0])) == pytest.approx([0.12], rel=0.25)
    inside = values.var(axis=1, ddof=1)
    total = deviation(noise.sigma_uS, G) ** 2 + deviation(noise.flicker_uS, G) ** 2 * noise.flicker_efolds
    assert total.mean() == pytest.approx(inside.mean(), rel=0.05)


def table(path: Path, sigma: float, reads: int, cells: int = 1500, rtn: float = 0.0) -> tuple[Path, Reals]:
    """Cells that relax to N(0, 1 uS) at 1e4 s and are read several times in a row, 1 s apart."""
    r = np.random.default_rng(4)
    target, z = np.linspace(5.0, 40.0, 6)[r.integers(0, 6, cells)], r.normal(size=cells)
    noisy = sigma * (0.5 + target / 40.0)
    lines = ["cell,t_s,g_uS,g_target_uS"]
    for t, size in ((100.0, 0.5), (1e4, 1.0)):
        state = switching(r, cells, reads, 0.3) if rtn else np.zeros((cells, reads))
        for k in range(reads):
            g = target + size * z + noisy * r.normal(size=cells) + rtn * target * state[:, k]
            lines += [f"{c},{t + k:g},{v:.6g},{target[c]:g}" for c, v in enumerate(g)]
    path.write_text("\n".join(lines) + "\n")
    return path, target


@pytest.mark.slow
@pytest.mark.parametrize("reads", [3, 16])
def test_read_noise_is_no_relaxation(tmp_path: Path, reads: int) -> None:
    data = read_measurements(table(tmp_path / "lab.csv", 0.6, reads)[0])
    assert data.bursts is not None
    assert data.bursts.count == 3000
    assert np.unique(data.reads).tolist() == [reads]
    device = fit_device(data, name="mine")
    for g in (5.0, 19.0, 40.0):
        assert float(device.sigma_uS(g, 1e4)) == pytest.approx(1.0, rel=0.08)
        assert float(device.read_noise_uS(g)) == pytest.approx(0.6 * (0.5 + g / 40.0), rel=0.05)
    assert any("are not told from white noise" in w for w in device.fit.warnings) == (reads < 12)
    assert not any("part of the law" in w for w in device.fit.warnings)
    path = tmp_path / "mine.toml"
    path.write_text(device_toml(device), encoding="utf-8")
    assert load_device(path) == device


@pytest.mark.slow
def test_telegraph_noise_is_no_relaxation(tmp_path: Path) -> None:
    device = fit_device(read_measurements(table(tmp_path / "lab.csv", 0.2, 24, rtn=0.05)[0]), name="mine")
    assert float(device.sigma_uS(19.0, 1e4)) == pytest.approx(1.0, rel=0.1)
    sigma_uS = math.hypot(0.2 * (0.5 + 40.0 / 40.0), 0.05 * 40.0 / 2.0)
    assert float(device.read_noise_uS(40.0)) == pytest.approx(sigma_uS, rel=0.1)
    assert float(device.telegraph.part(40.0)) > 0.9  # those of smaller targets hide in the noise
    path = tmp_path / "mine.toml"
    path.write_text(device_toml(device), encoding="utf-8")
    assert load_device(path) == device


@pytest.mark.slow
def test_readings_once_at_a_time_are_named(tmp_path: Path) -> None:
    device = fit_device(read_measurements(table(tmp_path / "lab.csv", 0.2, 1)[0]), name="mine")
    assert any("noise of the read is part of the law" in w for w in device.fit.warnings)
    assert device.read_noise.sigma_uS == (0.0,)


@pytest.mark.parametrize(
    ("times", "runs"),
    [
        ([0, 1, 2, 3, 4, 5, 6], 7),  # a trace from programming on is no burst
        ([0, 0.1, 0.2, 0.3, 100, 1000], 3),
        ([1, 10, 100, 1000, 10000], 5),
        ([1000, 1001, 1002, 1003, 5000, 5001, 5002], 2),
        ([5, 5, 5, 70, 70], 2),
        ([1, 1.26, 1.58, 2, 2.5, 3.2, 4, 5], 8),  # ten in a decade
    ],
)
def test_what_is_in_a_row(times: list[float], runs: int) -> None:
    numbers = find_bursts(np.zeros(len(times), dtype=np.int64), np.array(times, dtype=np.float64))
    assert numbers[-1] + 1 == runs
    two = find_bursts(np.repeat([0, 1], len(times)), np.tile(np.array(times, dtype=np.float64), 2))
    assert two[-1] + 1 == 2 * runs


def test_cells_that_drift_have_the_noise_of_reads_beside_it(tmp_path: Path) -> None:
    r, cells, reads = np.random.default_rng(3), 300, 16
    target = np.linspace(5.0, 25.0, 3)[r.integers(0, 3, cells)]
    nu, left = np.abs(0.05 + 0.01 * r.normal(size=cells)), target * (1.0 + 0.03 * r.normal(size=cells))
    size = 0.2 * target * (r.random(cells) < 0.2)
    lines = ["cell,t_s,g_uS,g_target_uS"]
    for t in (10.0, 100.0, 1e3, 1e4, 1e5):
        mean = left * ((t + 20.0) / 20.0) ** -nu
        for k in range(reads):
            g = mean * (1.0 + 0.02 * r.normal(size=cells)) + size * ((r.random(cells) < 0.4) - 0.4)
            lines += [f"{c},{t + k * 1e-3 * t:g},{v:.6g},{target[c]:g}" for c, v in enumerate(g)]
    path = tmp_path / "lab.csv"
    path.write_text("\n".join(lines) + "\n")
    device = fit_law(read_measurements(path), name="mine", model="drift")
    assert isinstance(device, DriftDevice)
    assert device.drift.nu_mean[1] == pytest.approx(0.05, abs=0.003)
    assert device.drift.nu_std[1] == pytest.approx(0.01, rel=0.2)
    assert float(device.telegraph.part(20.0)) == pytest.approx(0.2, abs=0.07)
    assert float(device.telegraph.size_uS(15.0)) == pytest.approx(3.0 * 1.3, rel=0.15)  # of a target that has drifted
    assert float(device.normal_noise_uS(15.0, 1e3)) == pytest.approx(0.3, rel=0.2)
    assert not any("does not follow" in w for w in device.fit.warnings)
