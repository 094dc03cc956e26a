"""Potentiation and depression: update laws are told apart, and what training takes from them is that of the cells."""

from pathlib import Path

import numpy as np
import pytest

from macro_models.devices import load_device
from macro_models.devices.sections.update import Update
from macro_models.fit import device_toml, pulsed_device
from macro_models.fit.response.updates import fit_updates
from macro_models.fit.tables.pulses import Pulses

WINDOW = {"g_min_uS": 2.0, "g_max_uS": 40.0}
SPREADS = {"cycle_spread": 0.3, "cell_spread": 0.2, "read_sigma_uS": 0.1}
LAWS = (
    Update(model="linear", up_uS=1.6, down_uS=1.3, **WINDOW, **SPREADS),
    Update(model="soft", up_uS=4.0, down_uS=3.0, **WINDOW, **SPREADS),
    Update(model="exponential", up_uS=9.0, down_uS=14.0, up_curve=3.0, down_curve=4.0, **WINDOW, **SPREADS),
    Update(model="abrupt", up_part=0.2, down_part=0.3, **WINDOW, read_sigma_uS=0.1),
)


def pulsed(
    law: Update, *, cells: int = 120, pulses: int = 40, cycles: int = 1, volts: tuple[float, ...] = (1.5,)
) -> Pulses:
    """Cells that see pulses upwards, then downwards, with a reading after each."""
    r = np.random.default_rng(4)
    g, kind = np.full(cells, law.g_min_uS), r.standard_normal(cells)
    rows: list[np.ndarray] = []
    reading = first = g + law.read_sigma_uS * r.standard_normal(cells)
    for sign in (1, -1) * cycles:
        for k in range(pulses):
            g = law.draw(g, sign, r.standard_normal(cells), kind)
            after = g + law.read_sigma_uS * r.standard_normal(cells)
            rows.append(np.array([np.arange(cells), np.full(cells, sign * volts[k % len(volts)]), reading, after]))
            reading = after
    cell, amplitude, before, after = np.array(rows).transpose(1, 2, 0).reshape(4, -1)
    return Pulses(
        path=Path("ltp.csv"), sha256="", cell=cell.astype(np.int64), volts=amplitude,
        width_s=np.full(cell.shape, 1e-6), before_uS=before, after_uS=after, first_uS=first, width_is_known=True,
    )


@pytest.mark.slow
@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.model)
def test_the_law_is_recognised_and_its_curve_is_that_of_the_cells(law: Update) -> None:
    found = fit_updates(pulsed(law))
    assert found.model == law.model
    window = law.g_max_uS - law.g_min_uS
    assert np.abs(np.array(found.g_uS) - np.array(found.model_g_uS)).max() < 0.07 * window
    assert (found.up_V, found.down_V, found.pulse_s) == (1.5, -1.5, 1e-6)
    inside = np.linspace(8.0, 34.0, 9)
    for sign in (1, -1):
        assert found.step(inside, sign) == pytest.approx(law.step(inside, sign), rel=0.3, abs=0.02 * window)
    if law.model != "abrupt":
        assert found.cell_spread == pytest.approx(0.2, abs=0.1)
        assert found.cycle_spread == pytest.approx(0.3, abs=0.12)
    assert found.asymmetry == pytest.approx(law.asymmetry, abs=0.15)
    best = min(range(4), key=lambda k: found.heldout[k])
    assert found.heldout[best] < 0.03 < max(found.heldout)


def test_pulses_that_differ_are_no_update_law() -> None:
    assert fit_updates(pulsed(LAWS[1], volts=(1.0, 1.5, 2.0))) == Update()
    assert fit_updates(pulsed(LAWS[1], pulses=3)) == Update()


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.model)
def test_steps_are_what_their_draws_are_on_average(law: Update) -> None:
    r = np.random.default_rng(0)
    for sign in (1, -1):
        for g in (10.0, 20.0, 30.0):
            moved = law.draw(np.full(40_000, g), sign, r.standard_normal(40_000)) - g
            assert moved.mean() == pytest.approx(float(law.step(g, sign)), abs=5.0 * moved.std() / 200.0 + 1e-9)
    curve = law.curve(200, 1)
    assert np.all(np.diff(curve) >= 0.0)
    assert curve[-1] <= law.g_max_uS


def test_the_symmetry_point_is_where_up_and_down_cancel() -> None:
    soft = Update(model="soft", up_uS=4.0, down_uS=3.0, g_min_uS=0.0, g_max_uS=35.0)
    # aihwkit's SoftBounds: a+ (1 - x) = a- x.
    assert soft.symmetry_uS == pytest.approx(35.0 * 4.0 / 7.0, abs=0.05)
    assert Update(model="linear", up_uS=1.0, down_uS=1.0, **WINDOW).asymmetry == 0.0


@pytest.mark.slow
def test_it_is_in_the_file_and_what_one_amplitude_cannot_say_is_named(tmp_path: Path) -> None:
    data = pulsed(LAWS[1], cells=60, cycles=2)
    device = pulsed_device(data, name="ltp")
    path = tmp_path / "ltp.toml"
    path.write_text(device_toml(device))
    again = load_device(path)
    assert (again.update, again.pulse_fit) == (device.update, device.pulse_fit)
    assert device.update.model == "soft"
    # One amplitude says nothing of how the rate grows with it, nor where it begins.
    for name in ("set_slope_V", "reset_slope_V", "set_threshold_V"):
        assert name in device.pulse_fit.unknown
    moved, model = np.array(device.pulse_fit.moved_uS), np.array(device.pulse_fit.model_moved_uS)
    assert device.pulse_fit.volts == (-1.5, 1.5)
    assert model == pytest.approx(moved, rel=0.5)
