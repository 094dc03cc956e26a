"""Devices of a weight are filled in turn."""

import numpy as np
import pytest

from mho.macro_models.pwm.config import DeviceQuads, FilledDevices

LOW, HIGH = 0.5, 10.0


@pytest.mark.parametrize("cls", [FilledDevices, DeviceQuads])
def test_differences_come_back_and_one_device_is_in_the_middle(cls: type[FilledDevices]) -> None:
    held = cls(8, 4)
    top = held.top(LOW, HIGH)
    wanted = np.random.default_rng(7).uniform(-top, top, (500,))
    cells = held.split(wanted, LOW, HIGH)
    assert cells.shape == (held.cells, 500)
    assert held.join(cells) == pytest.approx(wanted)
    assert ((cells > LOW) & (cells < HIGH)).sum(axis=0).max() == 1
    assert LOW <= cells.min() <= cells.max() <= HIGH
    ends = held.join(held.split(np.array([-top, top]), LOW, HIGH))
    assert ends.tolist() == [-top, top]


@pytest.mark.parametrize("cls", [FilledDevices, DeviceQuads])
def test_sound_devices_make_up_for_faulty_ones(cls: type[FilledDevices]) -> None:
    held = cls(8, 4)
    top = held.top(LOW, HIGH)
    rng = np.random.default_rng(7)
    stuck = np.where(rng.random((held.cells, 2000)) < 0.3, rng.uniform(0.0, 12.0, (held.cells, 2000)), np.nan)
    least, most = held.reach(stuck, LOW, HIGH)
    wanted = np.clip(rng.uniform(-top, top, 2000), least, most)
    cells = held.split_around(wanted, stuck, LOW, HIGH)
    assert held.join(cells) == pytest.approx(wanted)
    faulty = ~np.isnan(stuck)
    assert np.array_equal(cells[faulty], stuck[faulty])
    assert cells[~faulty].min() >= LOW - 1e-12
    assert cells[~faulty].max() <= HIGH + 1e-12
