"""Temperature in fits: laws that are found, that are told apart, and that are refused."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mho.macro_models.cells.programming import programmed
from mho.macro_models.devices import CAUSES, Device, load_device
from mho.macro_models.fit import Measurements, device_toml, fit_device
from mho.macro_models.fit.tables.table import kept_and_read
from tests.macro_models.fit.reading import read_measurements

ALL = frozenset(CAUSES)
K_EV = 8.617333262e-5
TIMES = (0.0, 1.0, 100.0, 1e4, 1e5)
RANGE_US = 35.0
DATA = Path(__file__).parents[5] / "shared" / "data" / "rram-relaxation" / "techA-bake.tsv.gz"

Reals = NDArray[np.float64]


def faster(energy_eV: float, temp_C: float, from_C: float = 25.0) -> float:
    return math.exp(energy_eV / K_EV * (1.0 / (from_C + 273.15) - 1.0 / (temp_C + 273.15)))


def spread_and_drift(aim: Reals, z: Reals, decades: float, size: float = 1.0) -> Reals:
    return aim + size * decades * (0.1 * z - 0.02)


def on_time(aim: Reals, z: Reals, time_s: float, temp_C: float) -> Reals:
    return spread_and_drift(aim, z, math.log1p(time_s * faster(0.6, temp_C) / 1e-3))


def on_change(aim: Reals, z: Reals, time_s: float, temp_C: float) -> Reals:
    return spread_and_drift(aim, z, math.log1p(time_s / 1e-3), faster(0.08, temp_C))


def reversible(aim: Reals, z: Reals, time_s: float, temp_C: float) -> Reals:
    return on_time(aim, z, time_s, temp_C) * (1.0 + 0.0015 * (1.0 - aim / 80.0) * (temp_C - 25.0))


def two_mechanisms(aim: Reals, z: Reals, time_s: float, temp_C: float) -> Reals:
    drift = 0.004 * aim * faster(0.7, temp_C) ** 0.35 * math.log1p(time_s)
    return aim + 0.1 * math.log1p(time_s / 1e-3) * z * faster(0.05, temp_C) - drift


LAWS = {"time": on_time, "change": on_change, "reversible": reversible, "two": two_mechanisms}


def cells(law: str, temp_C: float, n: int, seed: int) -> tuple[Reals, dict[float, Reals]]:
    """Targets, and conductances at each time."""
    r = np.random.default_rng(seed)
    aim, z, left = r.uniform(5.0, 40.0, n), r.standard_normal(n), r.uniform(-0.5, 0.5, n)
    return aim, {t: np.maximum(LAWS[law](aim, z, t, temp_C) + left, 0.0) for t in TIMES}


def table(folder: Path, law: str, temps_C: tuple[float, ...], n: int) -> Measurements:
    lines = []
    for k, temp in enumerate(temps_C):
        aim, g = cells(law, temp, n, seed=k)
        lines += [
            f"{c},{t},{v:.6g},{temp},{a:.6g}" for t in TIMES for c, (v, a) in enumerate(zip(g[t], aim, strict=True))
        ]
    path = folder / f"{law}.csv"
    path.write_text("\n".join(["cell,t_s,g_uS,temp_C,g_target_uS", *lines]))
    return read_measurements(path)


def misses(device: Device, law: str, temps_C: tuple[float, ...], n: int) -> list[str]:
    """Where the device is off beyond two standard errors or 2 % of the range (means), or 10 % (deviations)."""
    misfits = []
    for temp in temps_C:
        aim, true = cells(law, temp, 20_000, seed=99)
        for t in TIMES[1:]:
            g = programmed(aim, device=device, seed=3, core=0, time_s=t, temp_C=temp, causes=ALL).g_uS
            mean, std = float((g - true[t]).mean()), float((g - aim).std() / (true[t] - aim).std())
            allowed = max(2.0 * float((true[t] - aim).std()) * math.sqrt(2.0 / n), 0.02 * RANGE_US)
            if abs(mean) > allowed or abs(math.log(std)) > 0.1:
                misfits.append(f"{temp:g} C, {t:g} s: mean {mean:+.3f}, deviation x {std:.3f}")
    return misfits


@pytest.mark.slow
@pytest.mark.parametrize(
    ("law", "acts_on", "energy_eV"),
    [("time", "time", 0.6), pytest.param("change", "change", 0.08, marks=pytest.mark.long)],
)
def test_one_energy_holds_at_temperatures_left_out(tmp_path: Path, law: str, acts_on: str, energy_eV: float) -> None:
    device = fit_device(table(tmp_path, law, (25.0, 85.0, 125.0, 150.0), 1500), name="hot")
    fitted, heat = device.temperature, device.heat
    assert fitted.acts_on == acts_on
    assert abs(fitted.activation_eV - energy_eV) < 2.5 * fitted.error_eV
    assert fitted.error_eV < 0.1 * energy_eV
    assert heat.choice > 0.9
    assert heat.heldout < 1.0 < 2.0 * heat.rival_heldout
    assert heat.note == ""
    assert misses(device, law, (55.0, 105.0, 140.0), 1500) == []
    assert device.warnings(1.0, 105.0) == []


@pytest.mark.slow
def test_a_reversible_conductance_is_recognised(tmp_path: Path) -> None:
    device = fit_device(table(tmp_path, "reversible", (25.0, 85.0, 125.0, 150.0), 1500), name="hot")
    heat = device.heat
    assert (device.temperature.acts_on, heat.reversible, heat.reversible_C) == ("time", "linear", 25.0)
    true = 0.0015 * (1.0 - np.array(heat.reversible_uS) / 80.0)
    assert np.all(np.abs(np.array(heat.coefficient) - true) < 3.0 * np.array(heat.coefficient_error) + 0.05 * true)
    assert device.temperature.activation_eV == pytest.approx(0.6, rel=0.1)
    assert misses(device, "reversible", (55.0, 105.0, 140.0), 1500) == []
    # Read cold, the cells are those of the law.
    assert float(device.mean_uS(20.0, 0.0, 25.0)) == pytest.approx(0.0, abs=0.1)
    assert float(device.mean_uS(20.0, 0.0, 125.0)) == pytest.approx(20.0 * 0.0015 * 0.75 * 100.0, rel=0.1)


@pytest.mark.long
def test_two_mechanisms_are_named_and_hold_at_the_temperatures_of_the_data(tmp_path: Path) -> None:
    device = fit_device(table(tmp_path, "two", (25.0, 85.0, 125.0, 150.0), 800), name="hot")
    assert device.temperature.acts_on == "table"
    assert "no one activation energy agrees" in device.heat.note
    assert len(device.heat.note) <= 200
    assert any("no one activation energy" in w for w in device.warnings(1.0, 105.0))
    assert misses(device, "two", (25.0, 85.0, 125.0, 150.0), 800) == []
    path = tmp_path / "two.toml"
    path.write_text(device_toml(device))
    again = load_device(path)
    aim = np.linspace(5, 40, 100)
    for temp in (25.0, 85.0, 100.0, 180.0):
        drawn = [
            programmed(aim, device=d, seed=3, core=0, time_s=100.0, temp_C=temp, causes=ALL).g_uS
            for d in (device, again)
        ]
        assert np.array_equal(*drawn)


@pytest.mark.slow
def test_one_hot_temperature_gives_no_energy(tmp_path: Path) -> None:
    device = fit_device(table(tmp_path, "time", (25.0, 125.0), 200), name="hot")
    assert (device.temperature.acts_on, device.temperature.activation_eV) == ("", 0.0)
    assert device.heat.note == (
        "temperature is left out: an activation energy needs readings at two temperatures or more besides 25 C, there "
        "are some at 125 C"
    )
    assert any("temperature is left out" in sentence for sentence in device.warnings(1.0, 85.0))
    assert device.warnings(1.0, 25.0) == []


@pytest.mark.long
@pytest.mark.skipif(not DATA.exists(), reason=f"no measurements in {DATA.parent.name}")
def test_the_same_bake_gives_one_energy_or_none() -> None:
    """Whichever temperatures are left out: what is claimed holds, the rest is refused."""
    columns = {"cell": "1", "t_s": "2", "g_S": "4", "temp_C": "5"}
    data = read_measurements(DATA, columns=columns, g_max_uS=240.0)
    claimed = []
    for temps in ((100, 140, 180, 220, 260), (140, 180, 260), (100, 140, 180)):
        part = data.where(np.isin(data.temp_C, temps))
        device = fit_device(replace(part, cell=np.unique(part.cell, return_inverse=True)[1]), name="bake")
        if device.temperature.acts_on in ("time", "change"):
            claimed.append((temps, device.temperature))
        else:
            assert "activation energy" in device.heat.note
    assert [temps for temps, _ in claimed] == [(100, 140, 180)]
    assert claimed[0][1].acts_on == "change"  # one time: nothing is known of what acts on time
    assert claimed[0][1].error_eV > 0.005


@pytest.mark.slow
def test_lost_cells_have_an_energy_of_their_own(tmp_path: Path) -> None:
    r, lines = np.random.default_rng(2), []
    for temp in (25.0, 100.0, 125.0, 150.0):
        aim, g = cells("time", temp, 1500, seed=int(temp))
        aim, g = aim + 60.0, {t: v + 60.0 for t, v in g.items()}
        when = r.exponential(size=1500) * 1e6 / faster(1.1, temp, 100.0)  # 10 % after 1e5 s at 100 C
        for t in TIMES:
            v = np.where(when < t, 0.2, g[t])
            lines += [f"{c},{t},{x:.6g},{temp},{a:.6g}" for c, (x, a) in enumerate(zip(v, aim, strict=True))]
    path = tmp_path / "lost.csv"
    path.write_text("\n".join(["cell,t_s,g_uS,temp_C,g_target_uS", *lines]))
    device = fit_device(read_measurements(path), name="lost")
    assert abs(device.heat.lost_eV - 1.1) < max(3.0 * device.heat.lost_error_eV, 0.1)
    assert device.temperature.activation_eV == pytest.approx(0.6, rel=0.15)
    for temp, time_s in ((100.0, 1e5), (125.0, 1e4), (110.0, 1e5), (25.0, 1e5)):
        true = -math.expm1(-time_s * faster(1.1, temp, 100.0) / 1e6)
        lost = float(np.mean(device.lost_part(np.linspace(70, 100, 7), time_s, temp)))
        assert lost == pytest.approx(true, rel=0.3, abs=0.01)


def test_histories() -> None:
    """A cell that was heated and read cold again was kept hot; one that is programmed anew each time was not."""
    body = np.array([0, 0, 0, 1, 1, 1, 1])
    time_s = np.array([0.0, 10.0, 20.0, 0.0, 10.0, 0.0, 10.0])
    temp_C = np.array([25.0, 125.0, 25.0, 140.0, 140.0, 100.0, 100.0])
    kept_C, read_C = kept_and_read(body, time_s, temp_C, None)
    assert kept_C.tolist() == [25.0, 125.0, 125.0, 140.0, 140.0, 100.0, 100.0]
    assert read_C.tolist() == temp_C.tolist()
    kept_C, read_C = kept_and_read(body, time_s, temp_C, np.full(7, 30.0))
    assert (kept_C.tolist(), read_C.tolist()) == (temp_C.tolist(), [30.0] * 7)
