"""Dies and repeated programming of cells that drift: shares are those of the truth, and cells are drawn with them."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mho.macro_models.cells.programming import programmed
from mho.macro_models.devices import CAUSES, Device, device_from_dict, load_device
from mho.macro_models.devices.laws.drift import DriftDevice
from mho.macro_models.devices.resampled import cycled
from mho.macro_models.devices.sections.programming import Programming
from mho.macro_models.errors import InputError
from mho.macro_models.files import parse_toml
from mho.macro_models.fit import device_toml
from mho.macro_models.fit.drift.device import drift_device
from tests.macro_models.fit.reading import read_measurements

TIMES = (0.0, 10.0, 100.0, 1e3, 1e4, 1e5)
CAUSES_ALL = frozenset(CAUSES)


def table(path: Path, groups: int, cells: int, of_error: float, of_nu: float, *, named: str) -> Path:
    """Groups of cells that share parts of the variances of their error of programming and of their nu."""
    r, lines = np.random.default_rng(8), []
    for group in range(groups):
        deviates = r.normal(size=2)
        for cell in range(cells):
            target = (5.0, 10.0, 20.0)[cell % 3] if named == "die" else (5.0, 10.0, 20.0)[group % 3]
            z = math.sqrt(of_error) * deviates[0] + math.sqrt(1.0 - of_error) * r.normal()
            left = target * (1.0 + 0.05 * z)
            nu = 0.06 + 0.012 * (math.sqrt(of_nu) * deviates[1] + math.sqrt(1.0 - of_nu) * r.normal())
            for t in TIMES:
                g = left * ((t + 20.0) / 20.0) ** -nu * (1.0 + 0.004 * r.normal())
                where = f"{group},{cell},1" if named == "die" else f"0,{group},{cell}"
                lines.append(f"{where},{t:g},{g:.6g},{target:g}")
    path.write_text("\n".join(["die,cell,cycle,t_s,g_uS,g_target_uS", *lines]) + "\n")
    return path


@pytest.mark.slow
def test_dies_differ_in_the_law_as_in_the_data(tmp_path: Path) -> None:
    data = read_measurements(table(tmp_path / "dies.csv", 30, 24, 0.0, 0.4, named="die"))
    device = drift_device(data, name="mine")
    assert device.drift.die == (0.0, pytest.approx(0.4, abs=0.14))
    assert device.drift.cell == ()
    assert device.fit.share_die[-1] == pytest.approx(device.drift.die[1], abs=0.12)
    assert device.fit.share_die[0] == 0.0
    target = np.full(200, 10.0)
    chips = np.array([
        np.log(programmed(target, device=device, seed=s, core=0, time_s=1e5, causes=CAUSES_ALL).g_uS).mean()
        for s in range(150)
    ])
    whole = 0.012 * math.log(1e5 / 20.0 + 1.0)
    assert chips.std() == pytest.approx(whole * math.sqrt(device.drift.die[1]), rel=0.25)
    again = device_from_dict(parse_toml(device_toml(device), "mine"))
    assert again == device
    tree = device.to_dict()
    tree["drift"]["die"] = [0.1]
    with pytest.raises(InputError, match=r"^mine: drift.die must have two shares"):
        device_from_dict(tree, where="mine")


@pytest.mark.slow
def test_cells_that_are_programmed_again_have_their_share_again(tmp_path: Path) -> None:
    data = read_measurements(table(tmp_path / "again.csv", 150, 4, 0.0, 0.7, named="cycle"))
    device = drift_device(data, name="mine")
    assert device.drift.cell == (pytest.approx(0.0, abs=0.1), pytest.approx(0.7, abs=0.1))
    assert device.drift.die == ()
    assert device.fit.share_cell[-1] > 0.4
    target = np.full(20_000, 10.0)

    def change(device: Device, cycle: int) -> np.ndarray:
        chip = replace(device, programming=Programming(cycle=cycle))
        return programmed(target, device=chip, seed=3, core=0, time_s=1e5, causes=frozenset({"relaxation"})).g_uS

    assert np.corrcoef(change(device, 0), change(device, 5))[0, 1] == pytest.approx(device.drift.cell[1], abs=0.03)
    plain = load_device("pcm-generic")
    assert isinstance(plain, DriftDevice)
    assert np.array_equal(change(plain, 0), change(plain, 5))  # without shares a cell keeps its nu for life
    assert {"die", "cell"}.isdisjoint(plain.to_dict()["drift"])
    assert "draw what differs" in cycled(device, 10)[1][0]


@pytest.mark.slow
def test_switching_is_named_where_cells_drift(tmp_path: Path) -> None:
    r, lines = np.random.default_rng(5), []
    for decade in range(5):
        for cell in range(60):
            nu = 0.04 + 0.01 * decade + 0.008 * r.normal()
            lines += [f"{cell},{10**decade},{t:g},{10.0 * (t / 20.0 + 1.0) ** -nu * (1 + 0.01 * r.normal()):.6g},10"
                      for t in TIMES]
    (tmp_path / "worn.csv").write_text("\n".join(["cell,cycles,t_s,g_uS,g_target_uS", *lines]) + "\n")
    device = drift_device(read_measurements(tmp_path / "worn.csv"), name="mine")
    assert device.fit.cycles_mean_uS[-1] < -3.0 * device.fit.cycles_mean_error_uS[-1]
    assert any("the law is that of cells switched 1 to 1e+04 times" in w for w in device.fit.warnings)
