"""Fits of synthetic cells of known laws: drawn cells have the statistics of the data. Seeds are fixed."""

import math
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mho.macro_models.cells.programming import programmed
from mho.macro_models.devices import CAUSES, Device, load_device
from mho.macro_models.devices.quantiles import mixture_quantile
from mho.macro_models.devices.sections.heat import Temperature
from mho.macro_models.devices.sections.law import Law
from mho.macro_models.errors import InputError
from mho.macro_models.fit import Measurements, device_toml, fit_device
from mho.macro_models.fit.law.statistics import even_codes, summarise
from mho.macro_models.fit.rows.first_rows import solve_tail
from mho.macro_models.tnsa.config import TnsaConfig
from mho.macro_models.tnsa.model import TnsaModel
from tests.macro_models.fit.reading import read_measurements

ALL = frozenset(CAUSES)
MODELS = ("parametric", "empirical")
TIMES = (0.01, 1.0, 1e5)
LAWS = {
    "normal": lambda r, n: r.normal(size=n),
    "t3": lambda r, n: r.standard_t(3, n),
    "mixture": lambda r, n: r.normal(size=n) * np.where(r.random(n) < 0.15, 5.0, 1.0),
    "skewed": lambda r, n: r.exponential(size=n) - 1.0,
    "uniform": lambda r, n: r.uniform(-1.7, 1.7, n),
}


class Sample:
    """Synthetic cells, written as a table and read back."""

    def __init__(self, folder: Path, law: str, *, cells: int, levels: int, targets: bool, seed: int = 0) -> None:
        r = np.random.default_rng(seed)
        self.cells = cells
        aim = np.linspace(2, 40, levels)[r.integers(0, levels, cells)] if levels else r.uniform(1, 40, cells)
        self.readings = {0.0: aim + (r.uniform(-1, 1, cells) if targets else 0.0)}
        self.programmed = aim if targets else self.readings[0.0]
        z = LAWS[law](r, cells)
        for t in TIMES:
            growth = math.log10(t / 1e-4) / 6
            spread = (0.4 + 1.2 * np.sqrt(aim / 40)) * growth
            self.readings[t] = np.maximum(self.readings[0.0] + spread * z - 0.05 * aim * growth, 0.001)
        path = folder / "cells.csv"
        header = "cell,t_s,g_uS" + (",g_target_uS" if targets else "")
        target = [f",{g:.6g}" for g in aim] if targets else [""] * cells
        rows = [f"{c},{t},{g:.6g}{target[c]}" for t, values in self.readings.items() for c, g in enumerate(values)]
        path.write_text("\n".join([header, *rows]) + "\n")
        self.data = read_measurements(path)

    def drawn(self, device: Device, time_s: float, copies: int) -> NDArray[np.float64]:
        target = np.tile(self.programmed, copies)
        return programmed(target, device=device, seed=0, core=0, time_s=time_s, causes=ALL).g_uS - target


def check(
    change: NDArray[np.float64], drawn: NDArray[np.float64], *, beyond: bool = True, limit: float = 0.1
) -> None:
    """Mean, deviation and far cells agree within three standard errors of the measured sample, or 10 % for the last.

    ``limit`` is by how much the deviation may be off at all.
    """
    n, data, model = len(change), summarise(change), summarise(drawn)
    kurtosis = float(((change - data.mean) ** 4).mean()) / data.std**4
    assert abs(model.mean - data.mean) < 3 * data.std / math.sqrt(n)
    assert abs(model.std / data.std - 1) < min(3 * math.sqrt((kurtosis - 1) / 4 / n), limit) + 0.003
    if beyond:
        error = 3 * math.sqrt(max(data.beyond, 1 / n) / n)
        assert abs(model.beyond - data.beyond) < max(error, 0.1 * data.beyond)


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("law", LAWS)
def test_cells_without_targets(tmp_path: Path, law: str, model: str) -> None:
    sample = Sample(tmp_path, law, cells=4000, levels=0, targets=False)
    device = fit_device(sample.data, name="mine", model=model)
    assert (sample.drawn(device, 0.0, 1) == 0.0).all()
    for t in TIMES:
        check(sample.readings[t] - sample.programmed, sample.drawn(device, t, 8))


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("law", ["normal", "mixture"])
def test_cells_with_targets_at_few_levels(tmp_path: Path, law: str, model: str) -> None:
    sample = Sample(tmp_path, law, cells=3000, levels=6, targets=True)
    device = fit_device(sample.data, name="mine", model=model)
    assert device.law.levels_uS == pytest.approx(np.linspace(2, 40, 6), rel=1e-5)
    for t in (0.0, *TIMES):
        check(sample.readings[t] - sample.programmed, sample.drawn(device, t, 8))
    for level in np.unique(sample.programmed):
        at = sample.programmed == level
        moved = sample.readings[1e5][at] - level
        drawn = sample.drawn(device, 1e5, 16)[np.tile(at, 16)]
        # The scatter of the levels by chance is smoothed: errors of the data, 8 % with these tails, are what decides.
        check(moved, drawn, beyond=False, limit=0.15)


@pytest.mark.slow
def test_programming_and_relaxation_are_told_apart(tmp_path: Path) -> None:
    sample = Sample(tmp_path, "normal", cells=3000, levels=6, targets=True)
    device = fit_device(sample.data, name="mine")
    target = np.full(100_000, 40.0)

    def std(causes: set[str]) -> float:
        g = programmed(target, device=device, seed=1, core=0, time_s=1.0, causes=frozenset(causes)).g_uS
        return float(g.std())

    truth = 1.6 * math.log10(1e4) / 6
    assert std({"programming"}) == pytest.approx(1 / math.sqrt(3), rel=0.1)
    assert std({"relaxation"}) == pytest.approx(truth, rel=0.1)
    assert std({"programming", "relaxation"}) == pytest.approx(math.hypot(truth, 1 / math.sqrt(3)), rel=0.07)
    assert std(set()) == 0.0
    # The cells were programmed uniformly within 1 uS.
    error = programmed(target, device=device, seed=1, core=0, time_s=0.0, causes=ALL).g_uS - 40.0
    assert np.quantile(np.abs(error), [0.5, 0.999]) == pytest.approx([0.5, 1.0], rel=0.1)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.slow
def test_two_hundred_cells(tmp_path: Path, model: str) -> None:
    sample = Sample(tmp_path, "mixture", cells=200, levels=4, targets=True)
    device = fit_device(sample.data, name="mine", model=model)
    for t in (0.0, *TIMES):
        check(sample.readings[t] - sample.programmed, sample.drawn(device, t, 100))


@pytest.mark.slow
def test_readings_without_names_of_cells(tmp_path: Path) -> None:
    sample = Sample(tmp_path, "normal", cells=2000, levels=5, targets=True)
    path = tmp_path / "nameless.csv"
    lines = (tmp_path / "cells.csv").read_text().splitlines()
    path.write_text("\n".join(line.split(",", 1)[1] for line in lines))
    device = fit_device(read_measurements(path), name="mine")
    for t in (0.0, *TIMES):
        check(sample.readings[t] - sample.programmed, sample.drawn(device, t, 8), beyond=False)


@pytest.mark.slow
def test_error_of_programming_that_heals_is_not_counted_twice(tmp_path: Path) -> None:
    # Every reading is the target with a noise of its own: nothing of the first reading is left in the second.
    r = np.random.default_rng(0)
    target = np.tile([10.0, 20.0, 30.0], 1000)
    rows = [f"{c},{t},{g + r.normal():.6g},{g}" for t in (0, 1) for c, g in enumerate(target)]
    path = tmp_path / "noise.csv"
    path.write_text("\n".join(["cell,t_s,g_uS,g_target_uS", *rows]))
    device = fit_device(read_measurements(path), name="mine")
    assert device.law.kept[1] < 0.1
    many = np.tile(target, 10)
    drawn = programmed(many, device=device, seed=0, core=0, time_s=1.0, causes=ALL).g_uS - many
    assert drawn.std() == pytest.approx(1.0, rel=0.06)


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    return Sample(tmp_path_factory.mktemp("cells"), "t3", cells=3000, levels=0, targets=False)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.slow
def test_the_file_is_the_device(sample: Sample, tmp_path: Path, model: str) -> None:
    device = fit_device(sample.data, name="mine", model=model, g_min_uS=1.0, g_max_uS=40.0)
    path = tmp_path / "mine.toml"
    path.write_text(device_toml(device), encoding="utf-8")
    assert load_device(path) == device
    fit = device.fit
    assert fit.sha256 == sample.data.sha256
    assert (fit.cells, fit.readings, fit.n[1:]) == (3000, 12000, (3000.0,) * 3)
    for k, t in enumerate(TIMES, start=1):
        moved = summarise(sample.readings[t] - sample.programmed)
        summary = (fit.mean_uS[k], fit.std_uS[k], fit.beyond[k])
        assert summary == pytest.approx((moved.mean, moved.std, moved.beyond), rel=1e-3)
    assert (device.range.g_min_uS, device.range.g_max_uS) == (1.0, 40.0)


@pytest.mark.slow
def test_a_cell_moves_coherently_and_the_model_of_a_core_takes_the_device(sample: Sample) -> None:
    device = fit_device(sample.data, name="mine")
    target = np.full((64, 64), 20.0)
    config = TnsaConfig(lines=64)
    only = frozenset({"relaxation"})
    how = {"device": device, "seed": 1, "core": 2, "causes": only}
    at = [programmed(target, time_s=t, **how).g_uS.ravel() for t in (1.0, 1e3, 1e5)]
    # The median drifts, so what is compared is the order of the cells.
    order = np.argsort(at[0], kind="stable")
    for later in at[1:]:
        assert np.diff(later[order]).min() > -1e-9
    core = TnsaModel(config, target, device=device, seed=1, core=2, time_s=1e5, causes=only)
    assert np.abs(core.cells.ravel() * config.lsb_uS - np.minimum(at[2], 50.0)).max() <= 0.5001 * config.lsb_uS
    first = TnsaModel(config, target, device=device, seed=1, core=2, time_s=0.0)
    assert (first.cells == round(20.0 / config.lsb_uS)).all()


@pytest.mark.slow
def test_between_and_beyond_the_times(sample: Sample) -> None:
    device = fit_device(sample.data, name="mine")
    sigma = [float(device.relaxation_uS(20.0, t)) for t in (1.0, math.sqrt(1e5), 1e5, 1e7)]
    assert sigma[0] < sigma[1] < sigma[2]
    assert sigma[1] == pytest.approx((sigma[0] + sigma[2]) / 2, rel=0.01)
    assert sigma[3] - sigma[2] == pytest.approx((sigma[2] - sigma[0]) * 2 / 5, rel=0.01)
    assert float(device.relaxation_uS(20.0, 0.0)) == 0.0
    assert 0.0 < float(device.relaxation_uS(20.0, 1e-4)) < sigma[0]


@pytest.mark.slow
def test_warnings_of_a_fitted_device(sample: Sample) -> None:
    device = fit_device(sample.data, name="mine")
    assert device.warnings(1.0, 25.0) == []
    assert device.warnings(0.001, 25.0) == [
        "mine is fitted from 0.01 s to 100000 s after programming: 0.001 s is interpolated from the end of programming"
    ]
    assert device.warnings(1e6, 85.0) == [
        "mine is fitted from 0.01 s to 100000 s after programming: for 1e+06 s the trend of the last two times goes on",
        "mine is fitted at 25 C only: 85 C changes nothing in the model",
    ]


def arrhenius(folder: Path, acts_on: str, energy_eV: float) -> Measurements:
    """Cells at three temperatures, that obey one of the two laws."""
    r = np.random.default_rng(0)
    lines = []
    for temp in (25.0, 85.0, 125.0):
        factor = Temperature(acts_on=acts_on, activation_eV=energy_eV).factor(temp, 25.0)
        aim = r.uniform(5, 40, 2000)
        z = r.normal(size=2000)
        for t in (0.0, 1.0, 100.0, 1e4, 1e6):
            at, size = (t * factor, 1.0) if acts_on == "time" else (t, factor)
            g = aim + size * 0.1 * math.log1p(at / 1e-3) * z
            lines += [f"{c},{t},{v:.6g},{temp}" for c, v in enumerate(g)]
    path = folder / "hot.csv"
    path.write_text("\n".join(["cell,t_s,g_uS,temp_C", *lines]))
    return read_measurements(path)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("acts_on", "energy_eV"), [pytest.param("time", 0.6, marks=pytest.mark.long), ("change", 0.08)]
)
def test_arrhenius_law_is_found(tmp_path: Path, acts_on: str, energy_eV: float) -> None:
    data = arrhenius(tmp_path, acts_on, energy_eV)
    device = fit_device(data, name="hot")
    law = device.temperature
    assert law.acts_on == acts_on
    assert abs(law.activation_eV - energy_eV) < 3.0 * law.error_eV + 0.02 * energy_eV
    assert (device.law.temp_C, law.fitted_C) == (25.0, (25.0, 85.0, 125.0))
    at = (data.temp_C == 85.0) & (data.time_index == 3)
    many = np.tile(data.target_uS[at], 8)
    drawn = programmed(many, device=device, seed=0, core=0, time_s=1e4, temp_C=85.0, causes=ALL).g_uS
    assert (drawn - many).std() == pytest.approx((data.g_uS - data.target_uS)[at].std(), rel=0.1)
    assert device.warnings(1.0, 85.0) == []
    assert "150 C is extrapolated by Arrhenius' law" in device.warnings(1.0, 150.0)[0]


def test_what_cannot_be_fitted(tmp_path: Path) -> None:
    path = tmp_path / "one.csv"
    path.write_text("\n".join(["cell,t_s,g_uS", *(f"{c},0,{5 + c}" for c in range(30))]))
    data = read_measurements(path)
    with pytest.raises(InputError, match=r"one.csv: has one time only; readings at two times, or a column g_target_uS"):
        fit_device(data, name="one")
    with pytest.raises(InputError, match="model must be auto, parametric or empirical, not 'magic'"):
        fit_device(data, name="one", model="magic")


@pytest.mark.slow
@pytest.mark.parametrize(("tail", "ratio"), [(0.1, 5.0), (0.3, 3.0), (0.02, 10.0)])
def test_a_tail_is_found_from_its_own_statistics(tail: float, ratio: float) -> None:
    z = np.abs(np.random.default_rng(0).normal(size=400_000))
    y = mixture_quantile(z, tail, ratio)
    middle = float(np.median(y))
    mixture = solve_tail(y, 4.4478 * middle)
    # Two laws may share both statistics, so these are compared, not the parameters; laws are on a coarse grid.
    again = mixture_quantile(z, *mixture)
    at = float(np.median(again))
    assert np.sqrt((again**2).mean()) / at == pytest.approx(np.sqrt((y**2).mean()) / middle, rel=0.06)
    assert (again > 4.4478 * at).mean() == pytest.approx((y > 4.4478 * middle).mean(), rel=0.1)


@pytest.mark.parametrize("ratio", [1.0, 3.0, 200.0])
@pytest.mark.parametrize("tail", [0.0, 1e-4, 0.2, 1.0])
def test_quantiles_of_a_mixture_invert_its_distribution(tail: float, ratio: float) -> None:
    z = np.linspace(0.0, 4.5, 46)
    y = mixture_quantile(z, tail, ratio)
    beyond = np.array([math.erfc(v / math.sqrt(2)) for v in y]) * (1 - tail)
    beyond += np.array([math.erfc(v / ratio / math.sqrt(2)) for v in y]) * tail
    assert beyond == pytest.approx([math.erfc(v / math.sqrt(2)) for v in z], rel=1e-9)


def test_light_sides_end() -> None:
    z = np.array([0.6744897501960817, 4.5])
    assert mixture_quantile(z, 0.0, 0.0) == pytest.approx(z)
    assert mixture_quantile(z, 1.0, 0.0) == pytest.approx([z[0], 2 * z[0]], rel=1e-4)
    assert mixture_quantile(z, 2.0, 0.0) == pytest.approx([z[0], 4 / 3 * z[0]], rel=1e-4)


def test_even_codes_are_normal_in_every_run() -> None:
    codes = even_codes(60_000, 0) / 4096
    for start in (0, 1234, 50_000):
        run = codes[start : start + 1000]
        assert abs(run.mean()) < 0.01
        assert run.std() == pytest.approx(1.0, rel=0.02)
    another_run = even_codes(60_000, 1) / 4096
    assert abs(np.corrcoef(codes, another_run)[0, 1]) < 0.01


def test_a_law_with_one_level() -> None:
    law = Law(
        model="empirical", levels_uS=(10.0,), times_s=(0.0, 1.0), kept=(1.0, 1.0),
        quantiles_uS=(((0.0,) * 37,), (tuple(np.linspace(-4.5, 4.5, 37)),)),
    )
    codes = np.array([-4096, 0, 4096, 17698])
    drawn = law.draw(law.change(1.0, 1e-6), np.array([5.0, 10.0, 20.0, 20.0]), codes)
    assert drawn == pytest.approx([-1.0, 0.0, 1.0, 17698 / 4096])


def cells_with_targets(
    path: Path, target: NDArray[np.float64], readings: dict[float, NDArray[np.float64]]
) -> Measurements:
    rows = [f"{c},{t},{g:.6g},{target[c]:.6g}" for t, values in readings.items() for c, g in enumerate(values)]
    path.write_text("\n".join(["cell,t_s,g_uS,g_target_uS", *rows]) + "\n")
    return read_measurements(path)


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
def test_cells_that_lose_their_state(tmp_path: Path, model: str) -> None:
    r = np.random.default_rng(3)
    n, times = 3000, (0.0, 1.0, 1e3, 1e5)
    target, z, life = r.uniform(8, 40, n), r.normal(size=n), 10 ** r.uniform(2, 9, n)
    readings = {t: np.where(t > life, 0.05, target + 0.3 * math.log10(1 + t / 1e-3) * z) for t in times}
    data = cells_with_targets(tmp_path / "lost.csv", target, readings)
    device = fit_device(data, name="mine", model=model)
    path = tmp_path / "mine.toml"
    path.write_text(device_toml(device), encoding="utf-8")
    assert load_device(path) == device
    assert device.law.lost_uS == pytest.approx(0.05, abs=0.01)
    many, lost = np.tile(target, 8), {}
    for t in times[1:]:
        drawn = programmed(many, device=device, seed=0, core=0, time_s=t, causes=ALL).g_uS
        check(readings[t] - target, drawn - many)
        lost[t] = drawn < 0.1 * many
        assert lost[t].mean() == pytest.approx((t > life).mean(), abs=0.02)
    # What is lost stays so, and the formulas know of it.
    assert (lost[1e5] | ~lost[1e3]).all()
    high = np.full(200_000, 30.0)
    drawn = programmed(high, device=device, seed=1, core=0, time_s=1e5, causes=ALL).g_uS - high
    assert float(device.mean_uS(30.0, 1e5)) == pytest.approx(drawn.mean(), rel=0.02)
    assert float(device.sigma_uS(30.0, 1e5)) == pytest.approx(drawn.std(), rel=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("law", ["t3", "mixture"])
def test_heavy_tails_that_reach_zero_are_no_lost_cells(tmp_path: Path, law: str) -> None:
    sample = Sample(tmp_path, law, cells=3000, levels=0, targets=True)
    device = fit_device(sample.data, name="mine")
    assert device.law.lost == ()
    assert device.stuck.fraction == 0.0


@pytest.mark.slow
def test_stuck_cells_are_told_from_cells_that_moved(tmp_path: Path) -> None:
    r = np.random.default_rng(3)
    n, times = 4000, (0.0, 1.0, 1e3)
    target, z, u = np.linspace(0, 40, 9)[r.integers(0, 9, n)], r.normal(size=n), r.random(n)
    moving = {t: np.maximum(target + (0.5 + 0.2 * math.log10(1 + t / 1e-3)) * z, 0) for t in times}
    readings = {t: np.where(u < 0.01, 0.0, np.where(u < 0.015, 55.0, g)) for t, g in moving.items()}
    data = cells_with_targets(tmp_path / "stuck.csv", target, readings)
    # A cell that is stuck where its target is cannot be told from the others.
    recognised = ((u < 0.01) & (target > 4)) | ((u >= 0.01) & (u < 0.015))
    assert len(data.stuck_uS) == recognised.sum()
    assert data.dropped == {"stuck cells": recognised.sum()}
    device = fit_device(data, name="mine")
    assert device.stuck.fraction == pytest.approx(recognised.mean(), rel=1e-3)
    assert set(device.stuck.values_uS) == {0.0, 55.0}
    many = np.tile(target, 8)
    drawn = programmed(many, device=device, seed=0, core=0, time_s=1e3, causes=ALL).g_uS - many
    check(readings[1e3] - target, drawn)


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
def test_a_drift_that_is_a_power_of_time(tmp_path: Path, model: str) -> None:
    r = np.random.default_rng(5)
    n, times = 4000, (0.0, 3600.0, 86400.0, 3e7)
    target, nu = r.uniform(1, 25, n), np.abs(0.06 + 0.03 * r.normal(size=n))
    left = np.maximum(target + 0.5 * r.normal(size=n), 0.05)
    readings = {t: left * ((t + 20) / 20) ** -nu for t in times}
    device = fit_device(cells_with_targets(tmp_path / "pcm.csv", target, readings), name="pcm", model=model)
    many = np.tile(target, 8)
    for t in times:
        drawn = programmed(many, device=device, seed=0, core=0, time_s=t, causes=ALL).g_uS - many
        check(readings[t] - target, drawn)
