"""Arrays without transistors: what a pulse reaches, what it takes, and what wires leave of it."""

import numpy as np
import pytest

from mho.macro_models.array import Wires
from mho.macro_models.array.nonlinear.laws import Ohmic
from mho.macro_models.array.nonlinear.solve import solve_array
from mho.macro_models.cells.bias import bias_codes, line_voltages, pulse_energy_J, seen_codes, sneak_paths
from mho.macro_models.cells.pulses import PulseArray, PulseConfig
from mho.macro_models.devices import load_device
from mho.macro_models.errors import InputError
from mho.macro_models.integer.pulse import Polarity
from mho.macro_models.passive.dynamics import pulse_shares

DEVICE = load_device("rram-passive")
SHAPE = (12, 16)


@pytest.mark.parametrize(("scheme", "line", "rest"), [("half", 1 / 2, 0.0), ("third", 1 / 3, -1 / 3)])
def test_voltages_of_unselected_cells(scheme, line, rest):
    rows, columns = line_voltages((4, 5), 2, 1, 1.2, scheme)
    voltages = rows[:, None] - columns
    assert voltages[2, 1] == pytest.approx(1.2)
    np.testing.assert_allclose(np.delete(voltages[2], 1), 1.2 * line)
    np.testing.assert_allclose(np.delete(voltages[:, 1], 2), 1.2 * line)
    np.testing.assert_allclose(np.delete(np.delete(voltages, 2, 0), 1, 1), 1.2 * rest, atol=1e-12)
    for polarity, sign in ((Polarity.SET, 1), (Polarity.RESET, -1), (Polarity.FORM, 1)):
        for code in range(256):
            parts = sign * code * np.array([line, line, rest])
            np.testing.assert_allclose(seen_codes(scheme, polarity, code), parts, atol=2)
            for bias in bias_codes(scheme, polarity, code):
                assert 0 <= bias <= code


@pytest.mark.parametrize("scheme", ["half", "third"])
@pytest.mark.parametrize("polarity", [Polarity.SET, Polarity.RESET])
def test_a_pulse_moves_exactly_those_whose_threshold_is_reached(scheme, polarity):
    config = PulseConfig(
        lines=12, columns=16, v_step_V=0.01, verify_bits=12, g_full_scale_uS=150.0, cycle_s=1e-6, bias=scheme
    )
    array, code = PulseArray(config, device=DEVICE, seed=4), 180
    threshold, before = array.threshold.reshape(3, *SHAPE) / 65536, array.g_uS.copy()
    array.pulse(*(np.array([value]) for value in (3 * 16 + 7, polarity, code, 1)))
    part = 2 if scheme == "half" else 3
    reached = np.zeros(SHAPE, dtype=bool)
    reached[3], reached[:, 7] = (threshold[polarity][line] <= code // part for line in (3, (slice(None), 7)))
    if scheme == "third":
        rest = threshold[1 - polarity] <= code // part
        rest[3], rest[:, 7] = False, False
        reached |= rest
    reached[3, 7] = threshold[polarity][3, 7] <= code
    reached &= ~array.stuck.reshape(SHAPE)
    assert reached.sum() > 2
    assert (~reached).sum() > 100
    np.testing.assert_array_equal((array.g_uS != before).reshape(SHAPE), reached)
    reached[3, 7] = False
    np.testing.assert_array_equal(array.disturbed.reshape(SHAPE) > 0, reached)


@pytest.mark.parametrize("scheme", ["half", "third"])
def test_energy_is_that_of_the_voltages_of_all_cells(scheme):
    rng, g_S = np.random.default_rng(0), np.random.default_rng(1).uniform(1e-6, 1e-4, SHAPE)
    row, column, volts = rng.integers(0, 12, 5), rng.integers(0, 16, 5), rng.uniform(0.5, 2.0, 5)
    meant = everywhere = 0.0
    for i, j, v in zip(row, column, volts, strict=True):
        rows, columns = line_voltages(SHAPE, i, j, v, scheme)
        power = (rows[:, None] - columns) ** 2 * g_S
        meant, everywhere = meant + power[i, j], everywhere + power.sum()
    took = pulse_energy_J(scheme, row, column, volts**2 * 1e-6, g_S)
    np.testing.assert_allclose(took, (1e-6 * meant, 1e-6 * (everywhere - meant)))


def test_wires_take_from_the_far_corner():
    wires = Wires(r_row_ohm=5.0, r_col_ohm=5.0, r_driver_ohm=200.0, r_sense_ohm=200.0)
    share = pulse_shares((32, 32), wires, g_uS=30.0, volts=1.05)
    assert share[31, 0] == share.max()  # beside both drivers: row at column 0, column at the last row
    assert share[0, 31] == share.min()
    assert 0.5 < share.min() < share.max() < 1.0


def test_lines_that_float_let_currents_through_other_cells():
    g = np.random.default_rng(2).integers(0, 1 << 20, (5, 7))
    g[2], g[:, 3] = 0, 0  # lines without cells
    for row, column in ((0, 0), (4, 6), (2, 3), (2, 1)):
        point = solve_array(g * 1e-10, Wires(), *line_voltages(g.shape, row, column, 1.0, "float"), law=Ohmic())
        assert sneak_paths(g, row, column) == pytest.approx(point.row_A[row] * 1e10, abs=0.6)
    assert sneak_paths(g, 0, 0) > g[0, 0] + 1e5


def test_a_verify_read_finds_what_sneaks_where_lines_float():
    config = PulseConfig(lines=8, columns=8, verify_bits=12, g_full_scale_uS=4000.0, bias="half", float_lines=True)
    array = PulseArray(config, device=DEVICE, seed=1)
    array.g_uS = np.full(64, 40.0)
    cells = np.arange(64)
    # Beside the cell 7, 49 and 7 of the others in series.
    assert array.verify(cells) == pytest.approx(config.codes(40.0 + 40.0 / (2 / 7 + 1 / 49)), abs=1)


@pytest.mark.parametrize(("call", "sentence"), [
    (lambda: PulseConfig(bias="quarter"), "bias must be half or third"),
    (lambda: line_voltages((2, 2), 2, 0, 1.0, "half"), "cell must be in an array of 2 x 2"),
    (lambda: line_voltages((2, 2), 0, 0, 1.0, "v2"), "scheme must be one of half"),
])
def test_what_is_refused(call, sentence):
    with pytest.raises(InputError, match=sentence):
        call()
