"""Cells that drift, baked and read hot: an energy for what stays, and a reversible part for what does not."""

import math
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mho.macro_models.cells.programming import programmed
from mho.macro_models.devices import CAUSES, load_device
from mho.macro_models.devices.laws.drift import DriftDevice
from mho.macro_models.fit import device_toml, fit_law
from tests.macro_models.fit.reading import read_measurements

Reals = NDArray[np.float64]
TEMPS = (25.0, 60.0, 90.0, 120.0)
PER_K = 0.003


def grown(time_s: float, temp_C: float) -> float:
    faster = math.exp(0.4 / 8.617333262e-5 * (1.0 / 298.15 - 1.0 / (temp_C + 273.15)))
    return math.log1p(time_s * faster / 10.0)


def cells(r: np.random.Generator, target: Reals, time_s: float, temp_C: float, read_C: float) -> Reals:
    nu, left = np.abs(0.05 + 0.012 * r.normal(size=len(target))), 1.0 + 0.03 * r.normal(size=len(target))
    return target * left * np.exp(-nu * grown(time_s, temp_C)) * (1.0 + PER_K * (read_C - 25.0))


@pytest.fixture(scope="module")
def device(tmp_path_factory: pytest.TempPathFactory) -> DriftDevice:
    """Three targets, so that groups of targets are fewer than quarters of the cells."""
    lines, cell = ["cell,t_s,g_uS,g_target_uS,temp_C,read_temp_C"], 0
    for k, temp in enumerate(TEMPS):
        target = np.repeat([5.0, 10.0, 20.0], 70)
        for time_s in (0.0, 10.0, 1e3, 1e5):
            # The same cells at all times.
            read = temp if time_s else 25.0
            g = cells(np.random.default_rng(k), target, time_s, temp if time_s else 25.0, read)
            lines += [f"{cell + c},{time_s:g},{v:.6g},{target[c]:g},{temp:g},{read:g}" for c, v in enumerate(g)]
        cell += len(target)
    path = tmp_path_factory.mktemp("bake") / "bake.csv"
    path.write_text("\n".join(lines) + "\n")
    fitted = fit_law(read_measurements(path), name="mine", model="drift")
    assert isinstance(fitted, DriftDevice)
    return fitted


def test_energy_and_reversible_part_are_told_apart(device: DriftDevice) -> None:
    law, heat = device.temperature, device.heat
    assert law.acts_on == "time"
    assert law.activation_eV == pytest.approx(0.4, abs=3.0 * law.error_eV)
    assert 0.0 < law.error_eV < 0.1
    assert heat.reversible in ("linear", "arrhenius")
    assert heat.reversible_uS == pytest.approx([5.0, 10.0, 20.0])
    assert device.heat.read_factor(10.0, 100.0) == pytest.approx(1.0 + 75.0 * PER_K, abs=0.04)


@pytest.mark.parametrize("temp", [25.0, 75.0, 120.0])
@pytest.mark.parametrize("target", [5.0, 20.0])
def test_held_out_temperatures_and_times_are_met(device: DriftDevice, temp: float, target: float) -> None:
    aim = np.full(20_000, target)
    true = cells(np.random.default_rng(9), aim, 1e4, temp, temp)
    drawn = programmed(aim, device=device, seed=5, core=0, time_s=1e4, temp_C=temp, causes=frozenset(CAUSES)).g_uS
    allowed = max(2.0 * float(true.std()) / math.sqrt(70.0), 0.02 * 20.0)
    assert abs(drawn.mean() - true.mean()) < allowed
    assert drawn.std() == pytest.approx(float(true.std()), rel=0.17)  # 70 cells at a target: 8.5 % is one error
    assert float(device.mean_uS(target, 1e4, temp)) == pytest.approx(float(drawn.mean()) - target, abs=0.05)
    assert float(device.sigma_uS(target, 1e4, temp)) == pytest.approx(float(drawn.std()), rel=0.05)


def test_the_file_holds_it(device: DriftDevice, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(device_toml(device), encoding="utf-8")
    assert load_device(path) == device
