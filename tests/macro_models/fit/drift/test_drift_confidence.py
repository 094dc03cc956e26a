"""How sure a law of drift is, its floor, and its temperature: found again in readings of a device that has them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mho.macro_models.devices import Device, device_from_dict, load_device
from mho.macro_models.devices.laws.drift import DriftDevice
from mho.macro_models.devices.resampled import resampled
from mho.macro_models.errors import InputError
from mho.macro_models.files import parse_toml
from mho.macro_models.fit import device_toml
from mho.macro_models.fit.drift.device import drift_device
from mho.macro_models.fit.drift.errors import movements
from mho.macro_models.fit.drift.law import fit_drift
from mho.macro_models.fit.tables.measurements import Measurements
from tests.macro_models.fit.drift.test_fit_drift import measured
from tests.macro_models.fit.reading import read_measurements

DAY = 86400.0
AT_US = np.array([4.0, 12.0, 22.0])


def pcm(drift: dict[str, Any] | None = None, **sections: Any) -> Device:
    """``pcm-generic`` with other numbers."""
    tree = load_device("pcm-generic").to_dict()
    return device_from_dict({**tree, "drift": {**tree["drift"], **(drift or {})}, **sections})


QUIET: dict[str, Any] = {"noise": [0.004, 0.2, 0.2]}


@pytest.mark.slow
def test_drawn_devices_scatter_as_other_samples_do(tmp_path: Path) -> None:
    truth, of_samples, of_draws = pcm(), [], []
    for seed in range(1, 25):
        data = measured(truth, tmp_path / "pcm.csv", cells=30, seed=seed)
        refitted = DriftDevice(name="one", drift=fit_drift(data, 25.0).drift)
        of_samples.append([*refitted.mean_uS(AT_US, DAY), *np.log(refitted.sigma_uS(AT_US, DAY))])
        if seed <= 4:
            device = drift_device(data, name="one", g_max_uS=25.0)
            drawn = [resampled(device, k) for k in range(60)]
            of_draws.append(np.std(
                [[*d.mean_uS(AT_US, DAY), *np.log(d.sigma_uS(AT_US, DAY))] for d in drawn], axis=0
            ))
    ratio = np.sqrt(np.mean(np.square(of_draws), axis=0)) / np.std(of_samples, axis=0)
    assert np.all((ratio > 0.6) & (ratio < 1.7)), ratio


def test_the_file_holds_the_errors(tmp_path: Path) -> None:
    device = drift_device(measured(pcm(), tmp_path / "pcm.csv", cells=20), name="mine", g_max_uS=25.0)
    confidence = device.confidence
    assert (confidence.cells, confidence.dies) == (200, 1)
    assert set(confidence.names) >= {"ln t_c", "nu_mean offset", "nu_std offset", "ln noise", "ln sigma"}
    assert all(low < mean < high for low, mean, high in
               zip(confidence.mean_low_uS, device.fit.mean_uS, confidence.mean_high_uS, strict=True))
    again = device_from_dict(parse_toml(device_toml(device), "mine"))
    assert again == device
    assert resampled(again, 3) == resampled(again, 3) != resampled(again, 4)
    assert any("200 cells" in sentence for sentence in device.fit.warnings)
    tree = device.to_dict()
    tree["confidence"]["names"] = ["slope", *confidence.names[1:]]
    with pytest.raises(InputError, match=r'^my: confidence.names must be numbers of the law, as "ln t_c" .* "slope"$'):
        device_from_dict(tree, where="my")
    tree["confidence"]["names"] = list(confidence.names[1:])
    with pytest.raises(InputError, match=r"^my: confidence.errors and memory must have \d+ entries"):
        device_from_dict(tree, where="my")


def on_dies(path: Path, spread: float) -> Measurements:
    """Four dies, each with a nu of its own."""
    lines = ["die,cell,t_s,g_uS,g_target_uS"]
    for die, away in enumerate(np.array([-1.2, -0.4, 0.4, 1.2]) * spread):
        curve = [0.0, *(0.06 + away for _ in range(3))]
        data = measured(pcm({**QUIET, "nu_mean": curve}), path, cells=15, seed=die + 1)
        lines += [
            f"{die},{c},{data.times_s[t]:g},{g:.6g},{target:.6g}"
            for c, t, g, target in zip(data.cell, data.time_index, data.g_uS, data.target_uS, strict=True)
        ]
    path.write_text("\n".join(lines) + "\n")
    return read_measurements(path)


def test_dies_count_as_dies(tmp_path: Path) -> None:
    """The mean of nu of four dies that differ by 0.01 is known to 0.005, however many cells are on each."""
    errors = {}
    for spread in (0.0, 0.01):
        names, moves, _ = movements(fit_drift(on_dies(tmp_path / "dies.csv", spread), 25.0))
        errors[spread] = dict(zip(names, moves, strict=True))["nu_mean offset"]
    assert errors[0.01] == pytest.approx(0.0109 / 2.0, rel=0.35)
    assert errors[0.0] < 0.4 * errors[0.01]


@pytest.mark.slow
@pytest.mark.parametrize("floor_uS", [0.5, 0.8, 1.5])
def test_a_floor_is_found(floor_uS: float, tmp_path: Path) -> None:
    data = measured(pcm({**QUIET, "floor_uS": floor_uS}), tmp_path / "floor.csv", cells=60)
    drift = drift_device(data, name="mine", g_max_uS=25.0).drift
    error = float(drift.source.split("floor_uS +- ")[1].split(";")[0])
    assert abs(drift.floor_uS - floor_uS) < max(4.0 * error, 0.01 * floor_uS)
    clear = np.array([4.0, 10.0, 20.0])
    assert drift.nu(clear)[0] == pytest.approx(pcm().drift.nu(clear)[0], rel=0.08)  # type: ignore[attr-defined]


@pytest.mark.parametrize("noise", [QUIET["noise"], [0.0088, 0.65, 0.2]])
def test_cells_that_fall_on_have_no_floor(noise: list[float], tmp_path: Path) -> None:
    device = drift_device(measured(pcm({"noise": noise}), tmp_path / "none.csv", cells=60), name="mine", g_max_uS=25.0)
    assert device.drift.floor_uS == 0.0
    assert "no floor is seen down to" in device.drift.source


def hot(path: Path, energies: dict[float, float]) -> Measurements:
    """Cells kept at 25 C and at each of the temperatures, where drift has that energy."""
    lines = ["cell,t_s,g_uS,g_target_uS,temp_C"]
    for k, (temp, energy) in enumerate({25.0: 0.5, **energies}.items()):
        truth = pcm(QUIET, temperature={"acts_on": "time", "activation_eV": energy})
        assert isinstance(truth, DriftDevice)
        # At 25 C so much later, cells are where those of the temperature are.
        factor = truth.temperature.factor(temp, 25.0)
        data = measured(truth, path, cells=20, seed=k + 1, times=tuple(t * factor for t in TIMES), named=TIMES)
        lines += [
            f"{c},{TIMES[t]:g},{g:.6g},{target:.6g},{temp:g}"
            for c, t, g, target in zip(data.cell, data.time_index, data.g_uS, data.target_uS, strict=True)
        ]
    path.write_text("\n".join(lines) + "\n")
    return read_measurements(path)


TIMES = (0.0, 1.0, 10.0, 100.0, 1e3, 1e4, 1e5)


@pytest.mark.slow
def test_an_activation_energy_is_found(tmp_path: Path) -> None:
    data = hot(tmp_path / "hot.csv", dict.fromkeys((55.0, 85.0, 125.0), 0.5))
    device = drift_device(data, name="mine", g_max_uS=25.0)
    law = device.temperature
    assert (law.acts_on, law.fitted_C) == ("time", (25.0, 55.0, 85.0, 125.0))
    assert abs(law.activation_eV - 0.5) < 3.0 * law.error_eV < 0.25
    assert device.warnings(1e4, 85.0) == []
    assert "extrapolated by Arrhenius' law" in device.warnings(1e4, 150.0)[0]
    assert replace(device_from_dict(parse_toml(device_toml(device), "mine")), fit=device.fit) == device


@pytest.mark.slow
def test_a_temperature_that_cannot_be_known_is_left_out(tmp_path: Path) -> None:
    fitted = drift_device(hot(tmp_path / "one.csv", {85.0: 0.5}), name="mine", g_max_uS=25.0)
    assert fitted.temperature.acts_on == ""
    assert "needs readings at two temperatures or more besides 25 C" in fitted.warnings(1.0, 85.0)[1]
    apart = drift_device(hot(tmp_path / "apart.csv", {55.0: 1.6, 85.0: 0.1, 125.0: 1.2}), name="mine", g_max_uS=25.0)
    assert apart.temperature.acts_on == ""
    assert "the law of drift does not agree at" in apart.heat.note
