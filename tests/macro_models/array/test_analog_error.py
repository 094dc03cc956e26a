import numpy as np
import pytest

from mho.macro_models.array import Wires, analog_error, effective_matrix, ideal_matrix

MODES = ("current", "voltage")


def cells(shape, seed=0):
    rng = np.random.default_rng(seed)
    g = rng.uniform(1e-6, 40e-6, shape)
    g[rng.random(shape) < 0.2] = 0.0
    g[:, 1] = 0.0
    return g


def rms(a):
    return np.sqrt(np.mean(np.square(a)))


@pytest.mark.slow
@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("mode", MODES)
def test_analog_error_is_that_of_random_inputs(mode, backward):
    g, wires = cells((20, 12)), Wires(r_row_ohm=20.0, r_col_ohm=20.0, r_driver_ohm=100.0)
    e = effective_matrix(g, wires, mode=mode, backward=backward)
    ideal = ideal_matrix(g.T if backward else g, mode=mode)
    x = np.random.default_rng(6).standard_normal((200_000, e.shape[0]))
    error = analog_error(g, wires, mode=mode, backward=backward)
    assert error.rms == pytest.approx(rms(x @ (e - ideal)), rel=0.01)
    assert error.relative == pytest.approx(rms(x @ (e - ideal)) / rms(x @ ideal), rel=0.01)
    y, want = x @ e, x @ ideal
    energy = (y**2).sum(axis=0)
    gain = np.divide((y * want).sum(axis=0), energy, out=np.ones_like(energy), where=energy > 0)
    assert error.after_gain == pytest.approx(rms(y * gain - want) / rms(want), rel=0.01)
    assert error.after_gain < error.relative


def test_analog_error_of_nothing_is_nothing():
    error = analog_error(np.zeros((3, 3)), Wires(r_row_ohm=1.0), mode="voltage")
    assert (error.rms, error.relative, error.after_gain) == (0.0, 0.0, 0.0)
    assert analog_error(cells((5, 5)), Wires(), mode="voltage").relative < 1e-15
