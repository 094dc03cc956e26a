"""Devices of a weight are filled in turn."""

import numpy as np
import pytest

from mho.macro_models.pwm.config import DeviceQuads, FilledDevices

LOW, HIGH = 0.5, 10.0


@pytest.mark.parametrize("cls", [FilledDevices, DeviceQuads])
def test_differences_come_back_and_one_device_is_in_the_middle(cls: type[FilledDevices]) -> None:
    cell_map = cls(8, 4)
    top = cell_map.top(LOW, HIGH)
    differences = np.random.default_rng(7).uniform(-top, top, (500,))
    cells = cell_map.split(differences, LOW, HIGH)
    assert cells.shape == (cell_map.cells, 500)
    assert cell_map.join(cells) == pytest.approx(differences)
    assert ((cells > LOW) & (cells < HIGH)).sum(axis=0).max() == 1
    assert LOW <= cells.min() <= cells.max() <= HIGH
    ends = cell_map.join(cell_map.split(np.array([-top, top]), LOW, HIGH))
    assert ends.tolist() == [-top, top]


@pytest.mark.parametrize("cls", [FilledDevices, DeviceQuads])
def test_sound_devices_make_up_for_faulty_ones(cls: type[FilledDevices]) -> None:
    cell_map = cls(8, 4)
    top = cell_map.top(LOW, HIGH)
    rng = np.random.default_rng(7)
    stuck = np.where(rng.random((cell_map.cells, 2000)) < 0.3, rng.uniform(0.0, 12.0, (cell_map.cells, 2000)), np.nan)
    lowest, highest = cell_map.reach(stuck, LOW, HIGH)
    differences = np.clip(rng.uniform(-top, top, 2000), lowest, highest)
    cells = cell_map.split_around(differences, stuck, LOW, HIGH)
    assert cell_map.join(cells) == pytest.approx(differences)
    faulty = ~np.isnan(stuck)
    assert np.array_equal(cells[faulty], stuck[faulty])
    assert cells[~faulty].min() >= LOW - 1e-12
    assert cells[~faulty].max() <= HIGH + 1e-12
