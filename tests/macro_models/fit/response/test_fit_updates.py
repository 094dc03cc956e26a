"""Potentiation and depression: update laws are told apart, and what training takes from them is that of the cells."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mho.macro_models.devices import load_device
from mho.macro_models.devices.sections.update import Update
from mho.macro_models.fit import device_toml, pulsed_device
from mho.macro_models.fit.response.identified import about_moves
from mho.macro_models.fit.response.updates import fit_updates
from mho.macro_models.fit.tables.pulses import Pulses

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
    fit = fit_updates(pulsed(law))
    assert fit.model == law.model
    window = law.g_max_uS - law.g_min_uS
    assert np.abs(np.array(fit.g_uS) - np.array(fit.model_g_uS)).max() < 0.07 * window
    assert (fit.up_V, fit.down_V, fit.pulse_s) == (1.5, -1.5, 1e-6)
    inside = np.linspace(8.0, 34.0, 9)
    for sign in (1, -1):
        assert fit.step(inside, sign) == pytest.approx(law.step(inside, sign), rel=0.3, abs=0.02 * window)
    if law.model != "abrupt":
        assert fit.cell_spread == pytest.approx(0.2, abs=0.1)
        assert fit.cycle_spread == pytest.approx(0.3, abs=0.12)
    assert fit.asymmetry == pytest.approx(law.asymmetry, abs=0.15)
    best = min(range(4), key=lambda k: fit.heldout[k])
    assert fit.heldout[best] < 0.03 < max(fit.heldout)


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
    assert abs(float(soft.step(35.0 * 4.0 / 7.0, 1) + soft.step(35.0 * 4.0 / 7.0, -1))) < 1e-9
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


def _steps(up: str, down: str) -> Pulses:
    """Potentiation and depression of two forms, in turn."""
    laws = {law.model: law for law in LAWS}
    return pulsed(replace(laws[up], down_model="" if up == down else down, down_uS=laws[down].down_uS,
                          down_curve=laws[down].down_curve, down_part=laws[down].down_part), cells=60, cycles=2)


@pytest.mark.slow
def test_pulses_of_each_sign_have_a_form_of_their_own() -> None:
    # A phase-change cell: gradual SET, RESET at once.
    data = _steps("linear", "abrupt")
    fit = fit_updates(data)
    assert (fit.form(1), fit.form(-1)) == ("linear", "abrupt")
    assert fit.step(20.0, 1) == pytest.approx(1.6, rel=0.15)
    assert fit.down_part == pytest.approx(0.3, abs=0.1)


def test_one_sign_alone_is_fitted_and_named() -> None:
    data = pulsed(LAWS[0], cells=40)
    ups = data.where(data.volts > 0.0)
    device = pulsed_device(ups, name="ltp")
    assert device.update.model == "linear"
    assert device.update.step(20.0, 1) == pytest.approx(1.6, rel=0.15)
    assert device.update.step(20.0, -1) == 0.0
    assert device.pulse.set_rate == 0.0
    assert any("upwards only: [update] has no steps downwards" in w for w in device.fit.warnings)
    assert any("[pulse] is not fitted" in w and "both signs" in w for w in device.fit.warnings)
    assert "[update]" in device_toml(device)


def test_moves_that_a_law_misses_are_named() -> None:
    data = pulsed(LAWS[0], cells=60)
    steps = np.where(data.volts > 0.0, LAWS[0].step(data.before_uS, 1), LAWS[0].step(data.before_uS, -1))
    assert about_moves(data, steps, "the law") == []
    in_proportion = np.where(data.volts > 0.0, 0.08 * (40.0 - data.before_uS), -0.07 * (data.before_uS - 2.0))
    (warning,) = about_moves(data, in_proportion, "the law")
    assert "the law does not follow the data: pulses of " in warning


@pytest.mark.slow
def test_cells_that_switch_at_once_are_no_error() -> None:
    device = pulsed_device(pulsed(LAWS[3], cells=40, pulses=12, cycles=3), name="bits")
    assert device.update.model == "abrupt"
    assert device.pulse.set_rate <= 1e6
    assert device_toml(device)
