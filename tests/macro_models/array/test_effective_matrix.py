import numpy as np
import pytest

from mho.macro_models.array import Wires, effective_codes, effective_matrix, ideal_matrix
from mho.macro_models.errors import InputError, ToolError

MODES = ("current", "voltage")

WIRES = [
    Wires(r_row_ohm=1.0, r_col_ohm=1.0),
    Wires(r_row_ohm=2.0, r_col_ohm=0.5, r_driver_ohm=500.0, r_sense_ohm=100.0),
    Wires(r_row_ohm=0.25, r_col_ohm=8.0, r_sense_ohm=1000.0),
    Wires(r_row_ohm=100.0, r_col_ohm=1000.0, r_driver_ohm=10.0),
]

EXTREME = [
    Wires(),
    Wires(r_row_ohm=1.0),
    Wires(r_col_ohm=1.0),
    Wires(r_driver_ohm=1000.0),
    Wires(r_sense_ohm=1000.0),
    Wires(r_row_ohm=1e-6, r_col_ohm=1e-7, r_driver_ohm=1e4, r_sense_ohm=1e3),
    Wires(r_row_ohm=1e6, r_col_ohm=1e5),
    Wires(r_row_ohm=1e-9, r_col_ohm=1e6, r_driver_ohm=1.0),
]


def cells(shape, seed=0, zeros=0.3, low=1e-6, high=40e-6):
    """Conductances with missing cells, one missing column and one missing row where there is room."""
    rng = np.random.default_rng(seed)
    g = rng.uniform(low, high, shape)
    g[rng.random(shape) < zeros] = 0.0
    if min(shape) > 2:
        g[:, shape[1] // 2] = 0.0
        g[shape[0] // 2] = 0.0
    return g


def assert_same(got, want, tolerance):
    assert got.shape == want.shape
    np.testing.assert_allclose(got, want, rtol=0, atol=tolerance * np.abs(want).max())


@pytest.mark.slow
@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("shape", [(1, 1), (1, 3), (3, 1), (3, 4), (4, 3)])
@pytest.mark.parametrize("wires", WIRES + EXTREME, ids=repr)
def test_equals_rational_arithmetic(reference, wires, shape, mode, backward):
    g = cells(shape, zeros=0.2)
    got = effective_matrix(g, wires, mode=mode, backward=backward)
    assert_same(got, reference.exact(g, wires, mode, backward), 1e-13)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("shape", [(16, 16), (9, 24), (24, 9)])
@pytest.mark.parametrize("wires", WIRES, ids=repr)
def test_equals_sparse_nodal_solution(reference, wires, shape, mode):
    g = cells(shape, seed=1)
    assert_same(effective_matrix(g, wires, mode=mode), reference.sparse(g, wires, mode), 1e-10)


def test_every_row_conducts_and_every_column_too(reference):
    g = cells((12, 12), seed=2, zeros=0.0)
    assert_same(effective_matrix(g, WIRES[1], mode="voltage"), reference.sparse(g, WIRES[1], "voltage"), 1e-10)


@pytest.mark.parametrize("mode", MODES)
def test_wires_far_beyond_the_ideal_formula(reference, mode):
    # As lossy as 256 x 256 cells of 20 uS at 1 ohm per segment, and more so: iterations diverge here.
    g = np.random.default_rng(3).uniform(1e-6, 40e-6, (20, 20))
    wires = Wires(r_row_ohm=500.0, r_col_ohm=500.0)
    assert_same(effective_matrix(g, wires, mode=mode), reference.sparse(g, wires, mode), 1e-10)


@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("mode", MODES)
def test_rows_that_are_off_have_no_cells(reference, mode, backward):
    g = cells((10, 7), seed=4)
    on = np.random.default_rng(5).random(10) < 0.6
    got = effective_matrix(g, WIRES[1], mode=mode, wl=on, backward=backward)
    assert_same(got, reference.sparse(np.where(on[:, None], g, 0.0), WIRES[1], mode, backward), 1e-10)
    dead = got[:, ~on] if backward else got[~on]
    assert np.all(dead == 0.0)


@pytest.mark.parametrize("mode", MODES)
def test_array_without_cells_reads_zero(mode):
    got = effective_matrix(np.zeros((3, 5)), WIRES[1], mode=mode)
    assert got.shape == (3, 5)
    assert np.all(got == 0.0)


@pytest.mark.parametrize("mode", MODES)
def test_integer_conductances_and_views_are_taken(mode):
    g = np.arange(12).reshape(3, 4)
    before = g.copy()
    got = effective_matrix(g[::-1, ::-1], WIRES[0], mode=mode)
    np.testing.assert_array_equal(g, before)
    np.testing.assert_array_equal(got, effective_matrix(g[::-1, ::-1].astype(float).copy(), WIRES[0], mode=mode))


@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("mode", MODES)
def test_codes_of_ideal_wires_are_those_of_the_cells(mode, backward):
    rng = np.random.default_rng(6)
    codes = rng.integers(0, 4096, (9, 6))
    codes[:, 2] = 0
    on = rng.random(9) < 0.7
    got = effective_codes(codes, 50e-6 / 4095, Wires(), mode=mode, wl=on, backward=backward)
    want = np.where(on[:, None], codes, 0)
    np.testing.assert_array_equal(got, want.T if backward else want)


@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("mode", MODES)
def test_codes_are_the_rounded_effective_matrix(reference, mode, backward):
    lsb = 50e-6 / 4095
    codes = np.random.default_rng(7).integers(0, 4096, (8, 5))
    e = reference.sparse(codes * lsb, WIRES[1], mode, backward)
    scale = 1 / lsb if mode == "current" else codes.sum(axis=1 if backward else 0)
    got = effective_codes(codes, lsb, WIRES[1], mode=mode, backward=backward)
    assert np.abs(got - e * scale).max() <= 0.5 + 1e-6
    assert np.abs(got - (codes.T if backward else codes)).max() > 10


def test_ideal_matrix_is_the_formula():
    g = np.array([[1.0, 0.0], [3.0, 0.0]])
    np.testing.assert_array_equal(ideal_matrix(g, mode="current"), g)
    np.testing.assert_array_equal(ideal_matrix(g, mode="voltage"), [[0.25, 0.0], [0.75, 0.0]])


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (-1.0, r"^r_col_ohm must be a finite, non-negative number of ohms, not -1\.0$"),
        (np.inf, r"^r_col_ohm must be a finite, non-negative number of ohms, not inf$"),
        (np.nan, r"^r_col_ohm must be a finite, non-negative number of ohms, not nan$"),
        ("1", r"^r_col_ohm must be a number of ohms, not '1'$"),
        (True, r"^r_col_ohm must be a number of ohms, not True$"),
    ],
)
def test_refuses_resistance(value, sentence):
    with pytest.raises(InputError, match=sentence):
        Wires(r_col_ohm=value)


@pytest.mark.parametrize("value", [-1e-9, np.nan, np.inf])
def test_refuses_conductance(value):
    g = np.ones((2, 3))
    g[1, 2] = value
    sentence = rf"^Conductance of cell \(1, 2\) must be a finite, non-negative number of siemens, not {value!r}$"
    with pytest.raises(InputError, match=sentence):
        effective_matrix(g, WIRES[0], mode="current")


@pytest.mark.parametrize(
    ("g", "sentence"),
    [
        (np.ones(3), r"^Conductances must be a matrix with at least one cell, not of shape \(3,\)$"),
        (np.ones((0, 3)), r"^Conductances must be a matrix with at least one cell, not of shape \(0, 3\)$"),
        ([["a"]], r"^Conductances must be a matrix of real numbers in siemens$"),
    ],
)
def test_refuses_shape(g, sentence):
    with pytest.raises(InputError, match=sentence):
        effective_matrix(g, WIRES[0], mode="current")


def test_refuses_mode_and_mask():
    with pytest.raises(InputError, match=r"^mode must be one of current, voltage, not 'charge'$"):
        effective_matrix(np.ones((2, 2)), WIRES[0], mode="charge")
    with pytest.raises(InputError, match=r"^Word-line mask must be 2 booleans, not bool of shape \(3,\)$"):
        effective_matrix(np.ones((2, 2)), WIRES[0], mode="current", wl=np.ones(3, dtype=bool))
    with pytest.raises(InputError, match=r"^Word-line mask must be 2 booleans, not int64 of shape \(2,\)$"):
        effective_matrix(np.ones((2, 2)), WIRES[0], mode="current", wl=np.ones(2, dtype=np.int64))


def test_refuses_codes():
    with pytest.raises(InputError, match=r"^Cells must be a matrix of integer codes, not float64 of shape \(2, 2\)$"):
        effective_codes(np.ones((2, 2)), 1e-9, WIRES[0], mode="current")
    with pytest.raises(InputError, match=r"^lsb_S must be a positive number of siemens, not 0\.0$"):
        effective_codes(np.ones((2, 2), dtype=int), 0.0, WIRES[0], mode="current")


@pytest.mark.parametrize("shape", [(4, 3), (3, 4)])
@pytest.mark.parametrize("r_driver", [1e15, 1e30, 1e300])
def test_lost_digits_are_a_sentence(shape, r_driver):
    # Columns that are tied to each other by 13 decades more than to the drivers leave nothing of a double.
    with pytest.raises(ToolError, match=r"^Cells and wires differ by so much that their network cannot be solved"):
        effective_matrix(cells(shape, zeros=0.0, low=1e-2, high=1.0), Wires(r_driver_ohm=r_driver), mode="voltage")
