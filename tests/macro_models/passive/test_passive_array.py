"""Arrays without transistors: what a pulse reaches, forming, and tuning in passes."""

import numpy as np
import pytest

from mho.macro_models.array import Wires
from mho.macro_models.cells.bias import bias_codes, line_voltages, seen_codes
from mho.macro_models.devices import load_device
from mho.macro_models.errors import InputError
from mho.macro_models.integer.pulse import Polarity
from mho.macro_models.passive.cells import PassiveArray, PassiveConfig
from mho.macro_models.passive.tuning import TuningConfig, form, tune

DEVICE = load_device("rram-passive")
SMALL = {"rows": 12, "columns": 16}


def thresholds_V(array):
    return array.cells.threshold[:, array.place] / 65536 * array.config.v_step_V


@pytest.mark.parametrize(("scheme", "line", "rest"), [("half", 1 / 2, 0.0), ("third", 1 / 3, -1 / 3)])
def test_voltages_of_unselected_cells(scheme, line, rest):
    rows, columns = line_voltages((4, 5), 2, 1, 1.2, scheme)
    seen = rows[:, None] - columns
    assert seen[2, 1] == pytest.approx(1.2)
    np.testing.assert_allclose(np.delete(seen[2], 1), 1.2 * line)
    np.testing.assert_allclose(np.delete(seen[:, 1], 2), 1.2 * line)
    np.testing.assert_allclose(np.delete(np.delete(seen, 2, 0), 1, 1), 1.2 * rest, atol=1e-12)
    for polarity, sign in ((Polarity.SET, 1), (Polarity.RESET, -1), (Polarity.FORM, 1)):
        for code in range(256):
            parts = sign * code * np.array([line, line, rest])
            np.testing.assert_allclose(seen_codes(scheme, polarity, code), parts, atol=2)
            for bias in bias_codes(scheme, polarity, code):
                assert 0 <= bias <= code


@pytest.mark.parametrize("scheme", ["half", "third"])
@pytest.mark.parametrize("polarity", [Polarity.SET, Polarity.RESET])
def test_a_pulse_moves_exactly_those_whose_threshold_is_reached(scheme, polarity):
    array = PassiveArray(PassiveConfig(**SMALL, scheme=scheme), device=DEVICE, seed=4)
    threshold, before, code = thresholds_V(array), array.g_uS.copy(), 180
    array.pulse(3, 7, polarity, code)
    part = 2 if scheme == "half" else 3
    reached = np.zeros(before.shape, dtype=bool)
    reached[3], reached[:, 7] = (threshold[polarity][line] <= code // part * 0.01 for line in (3, (slice(None), 7)))
    if scheme == "third":
        rest = threshold[1 - polarity] <= code // part * 0.01
        rest[3], rest[:, 7] = False, False
        reached |= rest
    reached[3, 7] = threshold[polarity][3, 7] <= code * 0.01
    reached &= ~array.cells.stuck[array.place]
    assert reached.sum() > 2
    assert (~reached).sum() > 100
    np.testing.assert_array_equal(array.g_uS != before, reached)
    reached[3, 7] = False
    np.testing.assert_array_equal(array.moved > 0, reached)


@pytest.mark.parametrize("scheme", ["half", "third"])
def test_tuning_in_passes(scheme):
    size = {"rows": 8, "columns": 12}
    array = PassiveArray(PassiveConfig(**size, scheme=scheme), device=DEVICE, seed=2)
    target = np.random.default_rng(0).uniform(10.0, 100.0, (8, 12))
    result = tune(array, target)
    works = ~array.cells.stuck[array.place]
    np.testing.assert_allclose(result.error, array.g_uS / target - 1.0)
    assert np.mean(np.abs(result.error[works]) <= 0.05) >= 0.98
    assert np.abs(result.error[works]).mean() < 0.04
    assert result.silent[~works].all()
    assert result.passes[0].disturbances > 0
    assert sum(each.disturbances for each in result.passes) == array.moved.sum()
    assert len(result.passes) > 2
    again = tune(PassiveArray(PassiveConfig(**size, scheme=scheme), device=DEVICE, seed=2), target)
    np.testing.assert_array_equal(again.error, result.error)


def test_cells_that_cannot_be_disturbed_need_no_second_visit():
    """Where thresholds do not spread, half of a pulse moves nothing."""
    device = load_device("rram-passive", {
        "pulse.set_spread_V": 0.0, "pulse.reset_spread_V": 0.0, "stuck.fraction": 0.0
    })
    array = PassiveArray(PassiveConfig(rows=6, columns=6), device=device)
    result = tune(array, np.full((6, 6), 40.0))
    assert array.moved.sum() == 0
    assert result.retouched == 0
    assert result.within == 1.0


def test_a_cell_that_only_reads_wrong_was_not_disturbed():
    """Thresholds without spread, and reads so noisy that cells leave their window by themselves."""
    device = load_device("rram-passive", {
        "pulse.set_spread_V": 0.0, "pulse.reset_spread_V": 0.0, "pulse.verify_sigma_uS": 1.0
    })
    result = tune(PassiveArray(PassiveConfig(rows=4, columns=4), device=device), np.full((4, 4), 20.0))
    assert len(result.passes) > 2
    assert result.retouched == sum(each.disturbed for each in result.passes) == 0


def test_forming_one_by_one():
    array = PassiveArray(PassiveConfig(rows=6, columns=6), device=DEVICE, seed=1, fresh=True)
    assert array.g_uS.max() < 1.0 or array.cells.stuck.any()
    done = form(array)
    assert done.within == 1.0 - array.cells.stuck[array.place].mean()
    assert done.visited >= 34  # but for stuck cells that conduct
    assert done.disturbances > 0
    assert done.pulses > 36 * 5


def test_wires_take_from_the_far_corner():
    wires = Wires(r_row_ohm=5.0, r_col_ohm=5.0, r_driver_ohm=200.0, r_sense_ohm=200.0)
    array = PassiveArray(PassiveConfig(rows=32, columns=32, wires=wires), device=DEVICE)
    assert array.share[31, 0] == array.share.max()  # beside both drivers: row at column 0, column at the last row
    assert array.share[0, 31] == array.share.min()
    assert 0.5 < array.share.min() < array.share.max() < 1.0


@pytest.mark.parametrize(("call", "sentence"), [
    (lambda: PassiveConfig(scheme="quarter"), "scheme must be half or third"),
    (lambda: PassiveConfig(rows=0), "rows and columns must be between"),
    (lambda: line_voltages((2, 2), 2, 0, 1.0, "half"), "cell must be in an array of 2 x 2"),
    (lambda: line_voltages((2, 2), 0, 0, 1.0, "v2"), "scheme must be one of half"),
    (lambda: TuningConfig(aim=0.1), "aim and window"),
    (lambda: tune(PassiveArray(PassiveConfig(rows=3), device=DEVICE), np.zeros((3, 64))), "target_uS must be 3 x 64"),
])
def test_what_is_refused(call, sentence):
    with pytest.raises(InputError, match=sentence):
        call()


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["half", "third"])
def test_a_whole_array(scheme):
    array = PassiveArray(PassiveConfig(scheme=scheme), device=DEVICE, seed=1)
    result = tune(array, np.random.default_rng(0).uniform(10.0, 100.0, (64, 64)))
    assert result.within >= 0.98
    assert result.mean_error < 0.04
    assert result.retouched > 0
