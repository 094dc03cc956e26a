"""``mho compare`` of devices: moments of the cells, and what the measurements say of their difference."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mho.cli import run
from mho.comparisons.descriptions import compare_devices
from mho.macro_models.devices import load_device
from mho.macro_models.devices.device import Device
from mho.macro_models.devices.resampled import moved_law
from mho.macro_models.devices.sections.fit import Confidence

ERROR_US = 0.1


def measured(device: Device, mean_uS: float = 0.0) -> Device:
    """A device with errors of its law, its means moved at all times after programming."""
    times, levels = len(device.law.times_s), len(device.law.levels_uS)
    confidence = Confidence(
        cells=4000, level_cells=(4000.0,) * levels, mean_error_uS=((ERROR_US,) * levels,) * times,
        spread_error=((0.02,) * levels,) * times, mean_memory=tuple(map(tuple, np.ones((times, times)))),
        spread_memory=tuple(map(tuple, np.ones((times, times)))),
    )
    mean = np.full((times, levels), mean_uS)
    mean[0] = 0.0
    return replace(device, law=moved_law(device.law, mean, np.zeros((times, levels))), confidence=confidence)


@pytest.mark.slow
def test_moments_are_those_of_the_devices_and_intervals_of_their_errors() -> None:
    device = load_device("rram-relax")
    first, same, moved = measured(device), measured(device), measured(device, 1.0)
    for moment in compare_devices(first, same).moments:
        assert moment.difference == 0.0
        assert moment.sure is False
    means = [moment for moment in compare_devices(first, moved).moments if moment.of == "mean"]
    for moment in means:
        assert moment.first == pytest.approx(float(first.mean_uS(moment.target_uS, moment.time_s)))
        assert moment.difference == pytest.approx(1.0, abs=0.02)
        assert moment.sure is True
    # Of both errors, but for levels between which a target lies: at most those of a level, at least a root of two less.
    widths = np.array([m.high - m.low for m in means if m.low is not None and m.high is not None])
    full = 2 * 1.645 * np.sqrt(2.0) * ERROR_US
    assert len(widths) == 12
    assert (widths > 0.55 * full).all()
    assert (widths < 1.4 * full).all()


@pytest.mark.slow
def test_a_device_without_errors_has_no_intervals(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    to = tmp_path / "c.json"
    command = ["compare", "rram-neurram", "rram-relax", "-o", str(tmp_path / "d.png"), "--json", str(to)]
    assert run(command) == 0
    said = json.loads(to.read_text())
    assert said["kind"] == "device"
    moments = said["compared"][0]["moments"]
    assert {moment["more_than_chance"] for moment in moments} == {None}
    assert {moment["of"] for moment in moments} == {"mean", "deviation"}
    assert "without errors of the numbers" in capsys.readouterr().err
    assert (tmp_path / "d.png").stat().st_size > 5000
