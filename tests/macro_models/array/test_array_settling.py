import numpy as np
import pytest
from scipy.linalg import expm

from mho.macro_models.array import Wires, effective_matrix
from mho.macro_models.errors import InputError
from tests.macro_models.array.settling import ExactSettling, one_pole


def cells(shape, seed=0, high=40e-6):
    return np.random.default_rng(seed).uniform(1e-6, high, shape)


def by_exponential(reference, g, wires, c_node, c_sense, t, x, v0):
    """Feet at time t from all nodes of the circuit: rows eliminated by a Schur complement, columns by expm."""
    n, m = g.shape
    circuit = reference.circuit(g, wires, "voltage")
    name, index, _, a, b = reference.sparse_nodal(circuit)
    a = a.toarray()
    keep = [index[name[f"b{i}_{j}"]] for i in range(n) for j in range(m)]
    drop = [k for k in range(len(index)) if k not in keep]
    lift = np.linalg.solve(a[np.ix_(drop, drop)], np.column_stack([a[np.ix_(drop, keep)], b[drop]]))
    k = a[np.ix_(keep, keep)] - a[np.ix_(keep, drop)] @ lift[:, : n * m]
    source = (b[keep] - a[np.ix_(keep, drop)] @ lift[:, n * m :]) @ x
    c = np.full(n * m, c_node)
    c[-m:] += c_sense
    final = np.linalg.solve(k, source)
    return (final + expm(-k / c[:, None] * t) @ (np.tile(v0, n) - final))[-m:]


@pytest.mark.parametrize("c_sense", [0.0, 7e-15])
@pytest.mark.parametrize(
    "wires",
    [
        Wires(r_row_ohm=1.0, r_col_ohm=1.0),
        Wires(r_row_ohm=30.0, r_col_ohm=200.0, r_driver_ohm=1000.0, r_sense_ohm=1e9),
    ],
    ids=repr,
)
def test_exact_settling_equals_the_matrix_exponential(reference, wires, c_sense):
    g = cells((6, 4))
    model = ExactSettling(g, wires, c_col_F=6 * 2e-15, c_sense_F=c_sense)
    x, v0 = np.array([0.3, -0.3, 0.3, 0.3, -0.1, 0.0]), np.array([0.1, 0.0, -0.2, 0.3])
    for t in (0.0, 3e-11, 2e-10):
        want = by_exponential(reference, g, wires, 2e-15, c_sense, t, x, v0)
        np.testing.assert_allclose(model.at(t, x, v0), want, rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    "wires", [Wires(), Wires(r_driver_ohm=300.0), Wires(r_row_ohm=5.0), Wires(r_col_ohm=5.0)], ids=repr
)
def test_it_ends_at_the_effective_matrix(wires):
    g = cells((5, 7))
    g[:, 2] = 0.0
    g[0] = 0.0
    model = ExactSettling(g, wires, c_col_F=1e-14)
    x, v0 = np.random.default_rng(1).standard_normal((3, 5)), 0.25
    want = x @ effective_matrix(g, wires, mode="voltage")
    want[:, 2] = v0  # a column without cells keeps its charge
    np.testing.assert_allclose(model.at(1.0, x, v0), want, rtol=0, atol=1e-9)
    np.testing.assert_allclose(model.at(0.0, x, v0), np.full((3, 7), v0), rtol=0, atol=1e-12)


def test_one_pole_is_exact_without_drivers_and_wires():
    g = cells((6, 5))
    pole, model = (
        one_pole(g, Wires(), c_col_F=3e-14, c_sense_F=1e-14),
        ExactSettling(g, Wires(), c_col_F=3e-14, c_sense_F=1e-14),
    )
    np.testing.assert_allclose(pole.tau_s, 4e-14 / g.sum(axis=0), rtol=1e-14)
    assert pole.load == 0.0
    x = np.random.default_rng(2).standard_normal((4, 6))
    final = x @ effective_matrix(g, Wires(), mode="voltage")
    for t in (0.0, 1e-10, 5e-10):
        np.testing.assert_allclose(pole.at(t, final, 0.2), model.at(t, x, 0.2), rtol=0, atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(32, 32), (8, 40), (40, 8)])
@pytest.mark.parametrize("share", [(1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (0.5, 0.5, 1.0)])
def test_one_pole_is_within_a_hundredth_where_it_is_valid(shape, share):
    g, load = cells(shape, seed=3), 0.019  # just below the limit, made of drivers, rows or columns
    row, col = g.sum(axis=1).max(), g.sum(axis=0).max()
    wires = Wires(
        r_driver_ohm=share[0] * load / row,
        r_row_ohm=share[1] * load / row * 3 / shape[1],
        r_col_ohm=share[2] * load / col * 3 / shape[0],
    )
    c = shape[0] * 2e-15
    pole, model = one_pole(g, wires, c_col_F=c), ExactSettling(g, wires, c_col_F=c)
    assert pole.valid
    assert pole.load == pytest.approx(load)
    x = np.random.default_rng(4).choice((-1.0, 1.0), size=(4, shape[0]))
    final = x @ effective_matrix(g, wires, mode="voltage")
    times = np.linspace(0.2, 5.0, 8) * pole.tau_s.mean()
    worst = max(np.abs(model.at(t, x, v0) - pole.at(t, final, v0)).max() for t in times for v0 in (0.0, 1.0))
    assert worst < 0.0125


def test_one_pole_fails_and_says_so_with_weak_drivers():
    g, wires = cells((16, 16)), Wires(r_row_ohm=1.0, r_col_ohm=1.0, r_driver_ohm=1000.0)
    pole, model = one_pole(g, wires, c_col_F=32e-15), ExactSettling(g, wires, c_col_F=32e-15)
    assert not pole.valid
    x = np.random.default_rng(5).choice((-1.0, 1.0), size=(4, 16))
    final, t = x @ effective_matrix(g, wires, mode="voltage"), pole.tau_s.mean()
    assert np.abs(model.at(t, x, 1.0) - pole.at(t, final, 1.0)).max() > 0.1


def test_time_for_half_a_step():
    g = cells((10, 6))
    g[:, 1] = 0.0
    pole = one_pole(g, Wires(), c_col_F=5e-13)
    t = pole.time_for(7)
    left = np.delete(pole.at(t, np.ones(6)), 1)
    assert left.min() == pytest.approx(1 - 2.0**-8, rel=1e-9)
    assert np.isinf(pole.tau_s[1])
    assert pole.at(t, np.ones(6), 0.3)[1] == pytest.approx(0.3)


def test_word_lines_that_are_off_do_not_load():
    g, on = cells((4, 3)), np.array([True, False, True, True])
    pole = one_pole(g, Wires(), c_col_F=1e-14, wl=on)
    np.testing.assert_allclose(pole.tau_s, 1e-14 / g[on].sum(axis=0))
    x = np.array([1.0, 5.0, -1.0, 0.5])
    model = ExactSettling(g, Wires(r_col_ohm=1.0), c_col_F=1e-14, wl=on)
    want = x @ effective_matrix(g, Wires(r_col_ohm=1.0), mode="voltage", wl=on)
    np.testing.assert_allclose(model.at(1e-6, x), want, rtol=0, atol=1e-9)


def test_refusals():
    g = cells((4, 3))
    with pytest.raises(InputError, match=r"^c_col_F must be a positive number of farads, not 0\.0$"):
        one_pole(g, Wires(), c_col_F=0.0)
    with pytest.raises(InputError, match=r"^c_sense_F must be a non-negative number of farads, not -1e-15$"):
        one_pole(g, Wires(), c_col_F=1e-14, c_sense_F=-1e-15)
    with pytest.raises(InputError, match=r"^Exact settling takes at most 1600 cells, not 41 x 40$"):
        ExactSettling(np.ones((41, 40)), Wires(), c_col_F=1e-14)
    with pytest.raises(InputError, match=r"^Vectors must have 4 rows, not shape \(3,\)$"):
        ExactSettling(g, Wires(), c_col_F=1e-14).at(1e-9, np.ones(3))
