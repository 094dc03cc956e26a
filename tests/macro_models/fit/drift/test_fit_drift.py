"""Drift is found in readings: its numbers within their errors, and only where cells drift."""

from pathlib import Path

import numpy as np
import pytest

from mho.macro_models.cells.programming import programmed
from mho.macro_models.devices import CAUSES, device_from_dict, load_device
from mho.macro_models.devices.device import Device
from mho.macro_models.devices.laws.drift import DriftDevice
from mho.macro_models.errors import InputError
from mho.macro_models.files import parse_toml
from mho.macro_models.fit import device_toml, fit_law
from mho.macro_models.fit.drift.device import held_out_score
from mho.macro_models.fit.drift.doubts import OFF
from mho.macro_models.fit.drift.law import fit_drift
from mho.macro_models.fit.tables.measurements import Measurements
from tests.macro_models.fit.reading import read_measurements

TIMES = (0.0, 1.0, 10.0, 100.0, 1e3, 1e4, 1e5)
LEVELS = np.geomspace(1.0, 25.0, 10)


def measured(
    device: Device, path: Path, *, cells: int = 200, seed: int = 1, temps: tuple[float, ...] = (25.0,),
    times: tuple[float, ...] = TIMES, named: tuple[float, ...] | None = None,
) -> Measurements:
    """Cells of a device as a laboratory would read them; ``named`` is what the table calls the times."""
    target = np.repeat(LEVELS, cells)
    rng = np.random.default_rng(seed)
    lines = ["cell,t_s,g_uS,g_target_uS,temp_C"]
    for temp in temps:
        for time_s, called in zip(times, named or times, strict=True):
            drawn = programmed(target, device=device, seed=seed, core=0, time_s=time_s, causes=frozenset(CAUSES))
            sigma = device.read_noise_uS(drawn.g_uS, time_s, drawn.origin_uS)
            g = np.maximum(drawn.g_uS + sigma * rng.standard_normal(len(target)), 0.0)
            lines += [f"{k},{called:g},{g[k]:.6g},{target[k]:.6g},{temp:g}" for k in range(len(target))]
    path.write_text("\n".join(lines) + "\n")
    return read_measurements(path)


@pytest.mark.parametrize("seed", [1, 2])
def test_numbers_are_recovered_within_their_errors(seed: int, tmp_path: Path) -> None:
    truth = load_device("pcm-generic")
    assert isinstance(truth, DriftDevice)
    fit = fit_drift(measured(truth, tmp_path / "pcm.csv", seed=seed), 25.0)
    drift, errors = fit.drift, fit.errors
    assert abs(drift.t_c_s - 20.0) < 3.5 * errors["t_c_s"][0] < 8.0
    assert abs(drift.noise[0] - 0.0088) < 3.5 * errors["noise"][0] < 0.001
    assert abs(drift.noise[1] - 0.65) < 3.5 * errors["noise"][1] < 0.07
    mean, std = truth.drift.nu(fit.levels_uS)
    assert (np.abs(fit.nu[:, 0] - mean) < 4.0 * fit.nu[:, 2] + 0.0015).all()  # t_c moves all of them together
    clear = fit.levels_uS > 2.0
    assert (np.abs(fit.nu[:, 1] - std) < 4.0 * fit.nu[:, 3])[clear].all()
    fitted_mean, fitted_std = drift.nu(LEVELS)
    assert fitted_mean[clear] == pytest.approx(truth.drift.nu(LEVELS)[0][clear], rel=0.08)
    assert fitted_std[clear] == pytest.approx(truth.drift.nu(LEVELS)[1][clear], abs=0.005)
    r = LEVELS / 25.0
    sigma = np.polyval(drift.sigma_uS[::-1], r)
    assert sigma == pytest.approx(0.26348 + 1.965 * r - 1.1731 * r**2, rel=0.15, abs=0.08)


@pytest.mark.slow
def test_drift_is_recognised_and_written(tmp_path: Path) -> None:
    truth = load_device("pcm-generic")
    data = measured(truth, tmp_path / "pcm.csv", cells=60)
    device = fit_law(data, name="mine", g_max_uS=25.0)
    assert isinstance(device, DriftDevice)
    assert "chosen by readings of cells and a time that were held out" in device.fit.source
    assert device.fit.model_std_uS == pytest.approx(device.fit.std_uS, rel=0.1)
    text = device_toml(device)
    again = device_from_dict(parse_toml(text, "mine"))
    assert again.to_dict()["drift"] == device.to_dict()["drift"]
    # A year on, where there are no data, it is still the law of the cells.
    for target in (5.0, 12.5, 25.0):
        year = 31557600.0
        assert again.mean_uS(target, year) == pytest.approx(truth.mean_uS(target, year), rel=0.06)
        assert again.sigma_uS(target, year) == pytest.approx(truth.sigma_uS(target, year), rel=0.2)


@pytest.mark.slow
def test_cells_that_do_not_drift_keep_their_quantiles(tmp_path: Path) -> None:
    data = measured(load_device("rram-neurram"), tmp_path / "rram.csv", cells=60)
    assert not isinstance(fit_law(data, name="mine"), DriftDevice)


def test_the_score_is_least_for_the_truth(tmp_path: Path) -> None:
    truth = load_device("pcm-generic")
    data = measured(truth, tmp_path / "pcm.csv", cells=40)
    tree = truth.to_dict()
    best = held_out_score(truth, data)
    for key, value in (("nu_mean", [0.0, 0.07, 0.07, 0.07]), ("nu_std", [0.0, 0.06, 0.06, 0.06]), ("t_c_s", 0.1)):
        altered = device_from_dict({**tree, "drift": {**tree["drift"], key: value}})
        assert held_out_score(altered, data) > best


def test_what_cannot_be_fitted_is_one_sentence(tmp_path: Path) -> None:
    lines = [f"{c},{t},{20 - t}" for c in range(30) for t in (0, 1)]
    (tmp_path / "two.csv").write_text("\n".join(["cell,t_s,g_uS", *lines]))
    sentence = r"two.csv: a law of drift needs 10 cells with readings at 3 times, 0 have them$"
    with pytest.raises(InputError, match=sentence):
        fit_law(read_measurements(tmp_path / "two.csv"), name="mine", model="drift")
    data = measured(load_device("pcm-generic"), tmp_path / "pcm.csv", cells=5)
    with pytest.raises(InputError, match=r"^model must be one of auto, parametric, empirical, drift, not 'best'$"):
        fit_law(data, name="mine", model="best")


@pytest.mark.slow
def test_a_law_of_drift_that_is_too_narrow_is_named_and_not_chosen(tmp_path: Path) -> None:
    # Filaments relax: deviations near a target of 2 uS are not in proportion to it, as those of drift are.
    r, times = np.random.default_rng(0), (0.0, 1.0, 60.0, 3600.0, 86400.0)
    target = np.repeat(np.linspace(2.0, 40.0, 8), 50)
    z, left = r.normal(size=len(target)), r.uniform(-0.5, 0.5, len(target))
    lines = ["cell,t_s,g_uS,g_target_uS"]
    for t in times:
        grown = np.log10(1.0 + t / 1e-3)
        g = np.maximum(target + left + grown * ((0.4 + 0.04 * target) / 8.0 * z - 0.01 * target), 0.0)
        lines += [f"{k},{t:g},{v:.6g},{target[k]:.6g}" for k, v in enumerate(g)]
    path = tmp_path / "lab.csv"
    path.write_text("\n".join(lines) + "\n")
    data = read_measurements(path)
    assert any(OFF in w for w in fit_law(data, name="m", model="drift").fit.warnings)
    chosen = fit_law(data, name="m")
    assert not isinstance(chosen, DriftDevice)
    assert chosen.fit.model_std_uS == pytest.approx(chosen.fit.std_uS, rel=0.05)
