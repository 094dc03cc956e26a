"""Cells of a device, drawn in Python."""

import numpy as np
import pytest

import mho


def test_cells_spread_as_published() -> None:
    device = mho.Device.load("rram-neurram")
    target = np.full((200, 200), 10.0)
    for time, sigma in (("1s", 2.26), ("1d", 3.72)):
        g = device.draw(target, time=time, seed=3)
        assert g.shape == target.shape
        assert g.std() == pytest.approx(sigma, rel=0.03)
        assert g.min() >= 0.0
    assert np.array_equal(device.draw(target, time=86400, seed=3), g)
    assert not np.array_equal(device.draw(target, seed=4), g)
    assert np.array_equal(device.draw(target, without=["programming", "relaxation"]), target)
    assert device.draw([5.0, np.nan])[1] == 0.0


def test_heat_spreads_them_further() -> None:
    device, target = mho.Device.load("rram-relax"), np.full(5000, 20.0)
    cold, hot = (device.draw(target, temp=temp).std() for temp in (25, 85))
    assert hot > 1.3 * cold


def test_wrong_arguments_are_sentences() -> None:
    device = mho.Device.load("rram-neurram")
    with pytest.raises(mho.InputError, match="targets must be conductances in uS of at least 0, not -1"):
        device.draw([-1.0])
    with pytest.raises(mho.InputError, match="time must be a number with s, m, h, d or y, as in 1d, not 'soon'"):
        device.draw([1.0], time="soon")
    with pytest.raises(mho.InputError, match=r"without must be causes of programming, .*, not 'heat'"):
        device.draw([1.0], without=["heat"])
