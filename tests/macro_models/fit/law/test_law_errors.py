"""Errors of fitted laws: intervals hold what they say, and devices drawn from them scatter as measurements do."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mho.macro_models.devices import Device, load_device
from mho.macro_models.devices.resampled import resampled
from mho.macro_models.devices.sections.fit import Confidence
from mho.macro_models.fit import Measurements, device_toml, fit_device
from mho.macro_models.fit.law.errors import law_errors, mean_interval, std_interval
from mho.macro_models.fit.law.statistics import choose_levels
from tests.macro_models.fit.reading import read_measurements

Reals = NDArray[np.float64]
LEVELS_US = np.array([5.0, 15.0, 25.0, 35.0])


def student(r: np.random.Generator, n: int) -> Reals:
    return r.standard_t(5, n)


def mixed(r: np.random.Generator, n: int) -> Reals:
    return np.where(r.random(n) < 0.1, 3.0, 1.0) * r.standard_normal(n)


def normal(r: np.random.Generator, n: int) -> Reals:
    return r.standard_normal(n)


def skewed(r: np.random.Generator, n: int) -> Reals:
    return -r.gamma(4.0, 1.0, n)


def table(path: Path, r: np.random.Generator, n: int, dies: int = 1, die_shift: float = 0.0) -> Measurements:
    aim, z, die = np.tile(LEVELS_US, n // 4), r.standard_normal(n), np.arange(n) // 4 * 4 * dies // n
    of_die = die_shift * r.standard_normal(dies)
    lines = []
    for t, size in ((0.0, 0.3), (1.0, 1.0), (1e4, 2.0)):
        g = aim + size * (0.8 * z + 0.6 * r.standard_normal(n)) - 0.1 * size + of_die[die]
        lines += [f"{c},{t},{v:.6g},{a:g},{d}" for c, (v, a, d) in enumerate(zip(g, aim, die, strict=True))]
    path.write_text("\n".join(["cell,t_s,g_uS,g_target_uS,die", *lines]))
    return read_measurements(path)


@pytest.mark.slow
@pytest.mark.parametrize("law", [normal, student, mixed, skewed])
@pytest.mark.parametrize("cells", [20, pytest.param(100, marks=pytest.mark.slow)])
def test_intervals_hold_the_truth_as_often_as_they_say(
    law: Callable[[np.random.Generator, int], Reals], cells: int
) -> None:
    r = np.random.default_rng(1)
    many, samples = law(r, 1_000_000), 400
    covered = np.zeros(2)
    for _ in range(samples):
        x = law(r, cells)
        for k, (interval, truth) in enumerate(((mean_interval, many.mean()), (std_interval, many.std()))):
            low, high = interval(x)
            covered[k] += low <= truth <= high
    # 85 to 95 %, and three standard errors of the count.
    slack = 3.0 * math.sqrt(0.9 * 0.1 / samples)
    assert np.all((covered / samples > 0.85 - slack) & (covered / samples < 0.95 + slack)), covered / samples


def test_intervals_know_of_dies() -> None:
    """Cells of one die have its mean in common: of five dies the interval is that of five numbers."""
    r, covered, narrow, samples = np.random.default_rng(3), 0, 0, 300
    for _ in range(samples):
        die = np.repeat(np.arange(5), 40)
        x = r.standard_normal(200) + 0.5 * r.standard_normal(5)[die]
        low, high = mean_interval(x, die)
        covered += low <= 0.0 <= high
        low, high = mean_interval(x)
        narrow += low <= 0.0 <= high
    assert 0.85 < covered / samples < 0.96
    assert narrow / samples < 0.6


def test_errors_of_a_law(tmp_path: Path) -> None:
    data = table(tmp_path / "lab.csv", np.random.default_rng(0), 400)
    errors = law_errors(data, choose_levels(data.target_uS))
    assert (errors.cells, errors.dies) == (400, 1)
    expected = np.array([0.3, 1.0, 2.0])[:, None] / 10.0
    assert np.array(errors.mean_error_uS) == pytest.approx(np.broadcast_to(expected, (3, 4)), rel=0.25)
    assert np.array(errors.spread_error) == pytest.approx(1.0 / math.sqrt(2 * 100), rel=0.3)
    # Cells share 64 % of their variance between times.
    memory = np.array(errors.mean_memory)
    assert memory[np.triu_indices(3, 1)] == pytest.approx(0.64, abs=0.1)
    assert np.array(errors.spread_memory)[0, 1] == pytest.approx(0.64**2, abs=0.2)
    assert all(low < high for low, high in zip(errors.mean_low_uS, errors.mean_high_uS, strict=True))


@pytest.mark.slow
def test_drawn_devices_scatter_as_their_errors_say(tmp_path: Path) -> None:
    data = table(tmp_path / "lab.csv", np.random.default_rng(0), 400)
    device = fit_device(data, name="lab")
    path = tmp_path / "lab.toml"
    path.write_text(device_toml(device))
    assert load_device(path).confidence == device.confidence
    drawn = [resampled(device, k) for k in range(300)]
    time_s = device.law.times_s[-1]
    mean = np.array([d.mean_uS(LEVELS_US, time_s, 25.0) for d in drawn])
    std = np.log([d.sigma_uS(LEVELS_US, time_s, 25.0) for d in drawn])
    assert mean.std(axis=0) == pytest.approx(np.array(device.confidence.mean_error_uS)[-1], rel=0.2)
    assert std.std(axis=0) == pytest.approx(np.array(device.confidence.spread_error)[-1], rel=0.25)
    assert np.corrcoef(mean[:, 0], mean[:, 1])[0, 1] == pytest.approx(0.0, abs=0.2)  # other cells
    assert resampled(device, 7) == resampled(device, 7)
    assert resampled(replace(device, confidence=Confidence()), 7).law == device.law


def test_a_device_without_errors_is_itself() -> None:
    for name in ("ideal", "rram-neurram", "rram-relax"):
        device = load_device(name)
        assert resampled(device, 3) is device
        assert "confidence" not in device.to_dict()
        assert "heat" not in device.to_dict()
    assert isinstance(device, Device)
