"""Fits of cells of two kinds: stuck at one level, lost before the first reading, two humps without names of cells."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mho.macro_models.cells.programming import programmed
from mho.macro_models.devices import CAUSES, Device
from mho.macro_models.fit import MODELS, fit_device
from mho.macro_models.fit.law.statistics import summarise
from tests.macro_models.fit.reading import read_measurements

ALL = frozenset(CAUSES)

Readings = dict[float, NDArray[np.float64]]


def fitted(folder: Path, target: NDArray[np.float64], readings: Readings, model: str, *, named: bool = True) -> Device:
    names = [f"{c}," if named else "" for c in range(len(target))]
    rows = [f"{names[c]}{t},{g:.6g},{target[c]:g}" for t, values in readings.items() for c, g in enumerate(values)]
    path = folder / "cells.csv"
    path.write_text("\n".join(["cell,"[: 5 * named] + "t_s,g_uS,g_target_uS", *rows]) + "\n")
    return fit_device(read_measurements(path), name="mine", model=model)


def check(device: Device, target: NDArray[np.float64], readings: Readings) -> None:
    """Within 10 %, or two standard errors: mean, deviation and cells beyond three robust deviations."""
    for time_s, g in readings.items():
        many = np.tile(target, 20)
        drawn = programmed(many, device=device, seed=1, core=0, time_s=time_s, causes=ALL).g_uS - many
        data, model, n = summarise(g - target), summarise(drawn), len(target)
        kurtosis = float((((g - target) - data.mean) ** 4).mean()) / data.std**4
        assert abs(model.mean - data.mean) < 2 * data.std / n**0.5, time_s
        assert abs(model.std / data.std - 1) < max(0.1, ((kurtosis - 1) / n) ** 0.5), time_s
        far = max(0.1 * data.beyond, 2 * (max(data.beyond, 1 / n) / n) ** 0.5)
        assert abs(model.beyond - data.beyond) < far, time_s


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.slow
def test_one_level_of_which_some_are_stuck(tmp_path: Path, model: str) -> None:
    r = np.random.default_rng(13)
    target = np.full(1000, 25.0)
    stuck, z = r.random(1000) < 0.06, r.normal(size=1000)
    readings = {t: np.where(stuck, 2 + 0.1 * r.normal(size=1000), 25 + 0.3 * z + s * r.normal(size=1000))
                for t, s in ((0.0, 0.0), (60.0, 0.4), (86400.0, 1.1))}
    device = fitted(tmp_path, target, readings, model)
    assert (device.range.g_min_uS, device.range.g_max_uS) == (0.0, 25.0)
    check(device, target, readings)


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
def test_cells_that_are_lost_before_the_first_reading(tmp_path: Path, model: str) -> None:
    r = np.random.default_rng(21)
    target = np.repeat([20.0, 40.0, 60.0], 500)
    u, z = r.random(1500), r.normal(size=1500)
    readings = {t: np.where(u < part, 0.2, target + 0.5 * z + s * r.normal(size=1500))
                for t, part, s in ((1.0, 0.01, 0.1), (100.0, 0.03, 0.8), (1e6, 0.08, 2.4))}
    device = fitted(tmp_path, target, readings, model)
    assert min(device.law.lost[0]) > 0.0
    check(device, target, readings)
    # They belong to programming: without it nobody is lost at the first reading.
    first = programmed(target, device=device, seed=1, core=0, time_s=1.0, causes=frozenset({"relaxation"})).g_uS
    assert (first == target).all()


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
def test_two_humps_without_names_of_cells(tmp_path: Path, model: str) -> None:
    # Every reading is of another cell, so that no error of programming can be followed.
    r = np.random.default_rng(22)
    target = np.repeat([2.0, 6.0, 18.0], 700)
    readings: Readings = {}
    for t, s in ((0.0, 0.4), (1e3, 0.7), (1e6, 1.0)):
        hump = np.where(r.random(2100) < 0.08, 3 + s * r.normal(size=2100), 0.0)
        readings[t] = np.maximum(0.0, target + s * r.normal(size=2100) + hump)
    device = fitted(tmp_path, target, readings, model, named=False)
    check(device, target, readings)


def test_cells_that_were_programmed_exactly(tmp_path: Path) -> None:
    # What six digits of a table leave of the first reading is no error of programming.
    r = np.random.default_rng(5)
    target = np.repeat([1 / 3, 0.8], 60)
    readings = {0.0: target, 10.0: target + 0.02 * r.normal(size=120)}
    device = fitted(tmp_path, target, readings, "parametric")
    first = programmed(target, device=device, seed=1, core=0, time_s=0.0, causes=ALL).g_uS
    assert (first == target).all()
