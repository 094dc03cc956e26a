import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from macro_models.array import Wires, analog_error, approximate, contraction, effective_matrix, ideal_matrix
from macro_models.errors import InputError

MODES = ("current", "voltage")


def cells(shape, seed=0):
    rng = np.random.default_rng(seed)
    g = rng.uniform(1e-6, 40e-6, shape)
    g[rng.random(shape) < 0.2] = 0.0
    g[:, 1] = 0.0
    return g


def rms(a):
    return np.sqrt(np.mean(np.square(a)))


def picard_rate(g, wires, mode):
    """Rate at which plain Picard approaches the exact solution, seen over many sweeps of an independent version."""
    n, m = g.shape
    row = wires.r_row_ohm * (np.minimum.outer(np.arange(m), np.arange(m)) + 1) + wires.r_driver_ohm
    down = n - np.maximum.outer(np.arange(n), np.arange(n))
    col = wires.r_col_ohm * (down if mode == "current" else down - 1) + (
        wires.r_sense_ohm if mode == "current" else 0.0
    )
    x = g * np.random.default_rng(1).standard_normal(g.shape)
    sizes = []
    for _ in range(200):
        v = -(x @ row) - col @ x
        if mode == "voltage":
            v = v - (g * v).sum(axis=0) / np.maximum(g.sum(axis=0), 1e-30)
        x = g * v
        sizes.append(np.linalg.norm(x))
        x = x / sizes[-1]
    return sizes[-1]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("shape", "wires"),
    [
        ((24, 24), Wires(r_row_ohm=3.0, r_col_ohm=3.0)),
        ((40, 10), Wires(r_row_ohm=5.0, r_col_ohm=5.0)),
        ((10, 40), Wires(r_row_ohm=1.0, r_col_ohm=10.0)),
        ((16, 16), Wires(r_row_ohm=1.0, r_col_ohm=1.0, r_driver_ohm=500.0, r_sense_ohm=100.0)),
    ],
)
def test_contraction_is_the_rate_of_the_iteration(shape, wires, mode):
    g = cells(shape)
    assert contraction(g, wires, mode=mode) == pytest.approx(picard_rate(g, wires, mode), rel=0.05)


@pytest.mark.parametrize(("mode", "factor"), [("current", 4 / np.pi**2), ("voltage", 1 / np.pi**2)])
def test_contraction_of_even_columns_has_a_closed_form(mode, factor):
    # sum of a grounded (a quarter wave) or open (half a wave) resistive line, for many cells
    got = contraction(np.full((200, 3), 1e-6), Wires(r_col_ohm=1.0), mode=mode)
    assert got == pytest.approx(factor * 200**2 * 1e-6, rel=0.02)


@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("sweeps", [1, 2, 4])
def test_error_shrinks_as_promised(mode, sweeps, backward):
    g, wires = cells((30, 20)), Wires(r_row_ohm=5.0, r_col_ohm=3.0, r_driver_ohm=50.0, r_sense_ohm=20.0)
    e = effective_matrix(g, wires, mode=mode, backward=backward)
    x = np.random.default_rng(2).standard_normal((50, e.shape[0]))
    result = approximate(g, wires, mode=mode, backward=backward, sweeps=sweeps)
    ideal = ideal_matrix(g.T if backward else g, mode=mode)
    rate = result.contraction / (2 + result.contraction)
    assert not result.exact
    assert rms(result.apply(x) - x @ e) <= rate**sweeps * rms(x @ ideal - x @ e)


@pytest.mark.parametrize("mode", MODES)
def test_two_sweeps_are_within_a_thousandth_for_mild_wires(mode):
    g = np.random.default_rng(3).uniform(1e-6, 40e-6, (32, 32))
    r = 0.1 / (g.mean() * 32 * 32)
    wires = Wires(r_row_ohm=r, r_col_ohm=r)
    x = np.random.default_rng(4).standard_normal((50, 32))
    want = x @ effective_matrix(g, wires, mode=mode)
    assert rms(approximate(g, wires, mode=mode).apply(x) - want) <= 1e-3 * rms(want)


@pytest.mark.parametrize("mode", MODES)
def test_unsafe_array_is_solved_exactly(mode):
    g, wires = cells((20, 20)), Wires(r_row_ohm=300.0, r_col_ohm=300.0)
    result = approximate(g, wires, mode=mode, sweeps=1)
    x = np.random.default_rng(5).standard_normal((3, 20))
    assert result.exact
    assert result.contraction > 0.5
    np.testing.assert_array_equal(result.apply(x), x @ effective_matrix(g, wires, mode=mode))


@given(st.integers(1, 6), st.integers(1, 6), st.sampled_from(MODES), st.integers(0, 99))
def test_many_sweeps_reach_the_exact_result(n, m, mode, seed):
    g = np.random.default_rng(seed).uniform(0.0, 1e-4, (n, m))
    wires = Wires(r_row_ohm=50.0, r_col_ohm=80.0, r_driver_ohm=200.0, r_sense_ohm=100.0)
    x = np.random.default_rng(seed).standard_normal(n)
    got = approximate(g, wires, mode=mode, sweeps=40).apply(x)
    want = x @ effective_matrix(g, wires, mode=mode)
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-9 * max(np.abs(want).max(), 1e-6))


def test_ideal_wires_have_no_error():
    g = cells((6, 5))
    result = approximate(g, Wires(), mode="voltage", sweeps=1)
    assert result.contraction == 0.0
    np.testing.assert_allclose(result.apply(np.eye(6)), ideal_matrix(g, mode="voltage"), rtol=0, atol=1e-15)


def test_rows_that_are_off_and_arguments():
    g, on = cells((6, 5)), np.array([True, False, True, True, False, True])
    wires = Wires(r_row_ohm=5.0)
    result = approximate(g, wires, mode="current", wl=on, sweeps=30)
    np.testing.assert_allclose(
        result.apply(np.eye(6)), effective_matrix(g, wires, mode="current", wl=on), rtol=0, atol=1e-15
    )
    with pytest.raises(InputError, match=r"^sweeps must be at least 1, not 0$"):
        approximate(g, wires, mode="current", sweeps=0)
    with pytest.raises(InputError, match=r"^Vectors must have 6 driven lines, not shape \(5,\)$"):
        result.apply(np.ones(5))


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


def test_analog_error_of_a_long_array_is_estimated():
    g, wires = np.random.default_rng(7).uniform(1e-6, 40e-6, (8, 300)), Wires(r_row_ohm=0.1, r_col_ohm=0.1)
    e, ideal = effective_matrix(g, wires, mode="current"), ideal_matrix(g, mode="current")
    want = np.sqrt(((e - ideal) ** 2).sum() / (ideal**2).sum())
    assert analog_error(g, wires, mode="current").relative == pytest.approx(want, rel=0.3)


def test_analog_error_of_nothing_is_nothing():
    error = analog_error(np.zeros((3, 3)), Wires(r_row_ohm=1.0), mode="voltage")
    assert (error.rms, error.relative, error.after_gain) == (0.0, 0.0, 0.0)
    assert analog_error(cells((5, 5)), Wires(), mode="voltage").relative < 1e-15
