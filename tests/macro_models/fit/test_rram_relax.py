"""The shipped device ``rram-relax`` against the measurements that it was fitted to, where they are at hand."""

import math
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr

from mho.macro_models.cells.programming import programmed
from mho.macro_models.devices import CAUSES, load_device
from mho.macro_models.fit import Measurements, fit_device
from mho.macro_models.fit.law.statistics import summarise
from tests.macro_models.fit.reading import read_measurements

FOLDER = Path(__file__).parents[4] / "shared" / "data" / "rram-relaxation"
RELAXATION, BAKE = FOLDER / "techC-relax.tsv.gz", FOLDER / "techA-bake.tsv.gz"
needs_data = pytest.mark.skipif(not RELAXATION.exists(), reason=f"no measurements in {FOLDER.name}")
TIMES = (0.01, 0.1, 1.0, 1e5)
GOLDEN = [1461921, 7111621, 17479747, 22589731, 31559395, 40190288]


@pytest.fixture(scope="module")
def measured() -> Measurements:
    return read_measurements(RELAXATION, columns={"cell": "1", "t_s": "7", "g_S": "4"}, g_max_uS=40.0)


@pytest.mark.slow
@needs_data
@pytest.mark.parametrize("time_s", TIMES)
def test_it_reproduces_the_measured_cells(measured: Measurements, time_s: float) -> None:
    at = measured.times_s[measured.time_index] == time_s
    target, n = measured.target_uS[at], int(at.sum())
    change = measured.g_uS[at] - target
    device, causes = load_device("rram-relax"), frozenset(CAUSES)
    drawn = np.concatenate(
        [
            programmed(target, device=device, seed=seed, core=0, time_s=time_s, causes=causes).g_uS - target
            for seed in range(10)
        ]
    )
    data, model = summarise(change), summarise(drawn)
    kurtosis = float(((change - data.mean) ** 4).mean()) / data.std**4
    assert abs(model.mean - data.mean) < 2 * data.std / math.sqrt(n)
    assert model.mean == pytest.approx(data.mean, rel=0.1)
    assert model.std == pytest.approx(data.std, rel=min(0.1, 2 * math.sqrt((kurtosis - 1) / 4 / n)))
    assert model.robust == pytest.approx(data.robust, rel=0.05)
    assert abs(model.beyond - data.beyond) < 2 * math.sqrt(data.beyond * (1 - data.beyond) / n)
    # Every eighth of the range on its own as well.
    for k in range(8):
        inside = (target >= 5 * k) & (target < 5 * k + 5)
        part, same = change[inside], drawn[np.tile(inside, 10)]
        assert abs(same.mean() - part.mean()) < 3 * part.std() / math.sqrt(inside.sum())
        assert same.std() == pytest.approx(part.std(), rel=0.1)


@needs_data
@pytest.mark.slow
def test_its_constants_are_those_of_a_fit(measured: Measurements) -> None:
    shipped = load_device("rram-relax")
    again = fit_device(measured, name=shipped.name, g_min_uS=1.0, g_max_uS=40.0, temperature=shipped.temperature)
    assert shipped.fit.sha256 == again.fit.sha256
    # A reading just below 0 is a reading of 0 since then.
    assert (shipped.fit.cells, shipped.fit.readings + 1) == (again.fit.cells, again.fit.readings)
    # What ships was fitted level by level; since then the scatter of the levels by chance is smoothed. Over all cells
    # the two have the same law.
    assert again.law.times_s == shipped.law.times_s
    for target in (10.0, 20.0, 30.0, 38.0):
        for t in TIMES:
            spread, mean = float(again.sigma_uS(target, t)), float(shipped.mean_uS(target, t))
            assert spread == pytest.approx(float(shipped.sigma_uS(target, t)), rel=0.12)
            assert float(again.mean_uS(target, t)) == pytest.approx(mean, abs=0.07 * spread)


@needs_data
@pytest.mark.slow
def test_cells_keep_their_rank_as_far_as_the_measured_ones(measured: Measurements) -> None:
    device = fit_device(measured, name="mine", g_min_uS=1.0, g_max_uS=40.0)
    change = np.full((measured.cells, len(measured.times_s)), np.nan)
    change[measured.cell, measured.time_index] = measured.g_uS - measured.target_uS
    target = np.zeros(measured.cells)
    target[measured.cell] = measured.target_uS
    drawn = [
        programmed(target, device=device, seed=1, core=0, time_s=t, causes=frozenset(CAUSES)).g_uS - target
        for t in measured.times_s
    ]
    compared = 0
    for a in range(1, len(drawn)):
        for b in range(a + 1, len(drawn)):
            both = np.isfinite(change[:, a] * change[:, b])
            data = spearmanr(change[both, a], change[both, b]).statistic
            assert spearmanr(drawn[a][both], drawn[b][both]).statistic == pytest.approx(data, abs=0.05)
            compared += 1
    assert compared == 10


@needs_data
@pytest.mark.slow
def test_its_temperature_is_that_of_the_bake() -> None:
    columns = {"cell": "1", "t_s": "2", "g_S": "4", "temp_C": "5"}
    bake = read_measurements(BAKE, columns=columns, g_max_uS=240.0, temp_max_C=180.0)
    fitted, shipped = fit_device(bake, name="bake").temperature, load_device("rram-relax").temperature
    assert (fitted.acts_on, fitted.fitted_C) == (shipped.acts_on, shipped.fitted_C) == ("change", (100.0, 140.0, 180.0))
    # The shipped energy is that of root mean squares; means and deviations give one that agrees within its error.
    assert abs(fitted.activation_eV - shipped.activation_eV) < fitted.error_eV < 0.02


def test_heat_makes_its_cells_move_further() -> None:
    device = load_device("rram-relax")
    cold, warm, hot = (float(device.relaxation_uS(20.0, 3600.0, t)) for t in (25.0, 55.0, 85.0))
    factor = math.exp(device.temperature.activation_eV / 8.617333262e-5 * (1 / 298.15 - 1 / 358.15))
    assert cold < warm < hot == pytest.approx(cold * factor, rel=1e-5)
    assert device.warnings(3600.0, 85.0) == []


def test_its_draws_are_the_same_everywhere() -> None:
    # Integers of the first cells of one chip, in 2**-20 uS: a change of the law's arithmetic shows here.
    device = load_device("rram-relax")
    g = programmed(np.linspace(1, 40, 6), device=device, seed=7, core=3, time_s=3600.0, causes=frozenset(CAUSES)).g_uS
    assert np.rint(g * 2**20).astype(int).tolist() == GOLDEN
