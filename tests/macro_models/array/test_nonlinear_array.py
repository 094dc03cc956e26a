"""Arrays of nonlinear cells: against a circuit simulator and the linear solver, and by what holds of any."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mho.macro_models.array import Wires, effective_matrix
from mho.macro_models.array.nonlinear import Cubic, MetalOxide, Ohmic, Sinh, Transistor, solve_array
from mho.macro_models.errors import InputError

WIRES = Wires(r_row_ohm=2.0, r_col_ohm=1.0, r_driver_ohm=200.0, r_sense_ohm=50.0)
NMOS = Transistor(beta_uA_V2=300.0, threshold_V=0.4, slope=1.3)
CURRENT = {
    "sinh": lambda g, v: f"{g * 0.25!r}*sinh(({v})/0.25)",
    "cubic": lambda g, v: f"{g!r}*({v})*(1+2*({v})*({v}))",
    "linear": lambda g, v: f"{g!r}*({v})",
}
LAW = {"sinh": Sinh(v0_V=0.25), "cubic": Cubic(per_V2=2.0), "linear": Ohmic()}


def transistor(gate, a, b):
    """The equation of the transistor as a simulator reads it."""
    ut, pinch = NMOS.thermal_V, (gate - NMOS.threshold_V) / NMOS.slope
    scale = 2e-6 * NMOS.slope * NMOS.beta_uA_V2 * ut**2
    to, start = (f"ln(1+exp(({pinch!r}-v({node}))/{2 * ut!r}))**2" for node in (b, a))
    return f"{scale!r}*({to}-{start})"


def simulated(reference, folder, g, law, rows, columns, gates=None, supply=0.0):
    """Voltages of both ends of all cells by ngspice, from a netlist of its own; NaN floats."""
    n, m = g.shape
    deck = ["array"]
    for i in range(n):
        for j in range(m):
            w, b, x = f"w{i}_{j}", f"b{i}_{j}", f"x{i}_{j}" if gates is not None else f"b{i}_{j}"
            deck.append(f"Bc{i}_{j} {w} {x} I={CURRENT[law](float(g[i, j]), f'v({w})-v({x})')}")
            if gates is not None:
                deck.append(f"Bt{i}_{j} {x} {b} I={transistor(float(gates[i]), x, b)}")
            if j:
                deck.append(f"Rw{i}_{j} w{i}_{j - 1} {w} {WIRES.r_row_ohm}")
            if i:
                deck.append(f"Rb{i}_{j} b{i - 1}_{j} {b} {WIRES.r_col_ohm}")
    for i in np.flatnonzero(np.isfinite(rows)):
        v = float(rows[i])
        source = f"rail{v!r}".replace(".", "p").replace("-", "m") if supply and v else f"vr{i}"
        if source == f"vr{i}":
            deck.append(f"Vr{i} vr{i} 0 {v!r}")
        elif not any(line.startswith(f"V{source} ") for line in deck):
            deck += [f"V{source} s{source} 0 {v!r}", f"R{source} s{source} {source} {supply}"]
        deck.append(f"Rr{i} {source} w{i}_0 {WIRES.r_driver_ohm + WIRES.r_row_ohm}")
    for j in np.flatnonzero(np.isfinite(columns)):
        deck += [f"Vc{j} vc{j} 0 {float(columns[j])!r}"]
        deck.append(f"Rc{j} b{n - 1}_{j} vc{j} {WIRES.r_sense_ohm + WIRES.r_col_ohm}")
    deck += [".options klu reltol=1e-9 abstol=1e-16 vntol=1e-12 gmin=1e-20 itl1=500 numdgt=15"]
    deck += [".control", "set numdgt=15", "op"]
    deck += [f"print v({k}{i}_{j})" for k in "wb" for i in range(n) for j in range(m)]
    voltages = reference.run_ngspice("\n".join([*deck, "quit", ".endc", ".end", ""]), folder)
    return [np.array([[voltages[f"v({k}{i}_{j})"] for j in range(m)] for i in range(n)]) for k in "wb"]


def terminals(shape, kind, rng):
    """Voltages of rows and columns."""
    n, m = shape
    rows, columns = np.zeros(n), np.zeros(m)
    if kind == "read":
        rows = rng.choice([0.0, 0.2, 0.4], n)
    elif kind == "half":
        rows[0], columns[-1] = 0.75, -0.75
    else:  # one cell, all else floats
        rows[1:], columns[:-1], rows[0] = np.nan, np.nan, 0.3
    return rows, columns


@pytest.mark.cosim("ngspice")
@pytest.mark.parametrize(("shape", "law", "kind", "access", "supply"), [
    ((8, 8), "sinh", "half", False, 0.0),
    ((6, 10), "sinh", "float", False, 0.0),
    ((10, 6), "cubic", "read", False, 20.0),
    ((8, 8), "sinh", "read", True, 0.0),
    ((6, 8), "linear", "read", True, 20.0),
    pytest.param((64, 64), "sinh", "read", False, 0.0, marks=pytest.mark.slow),
    pytest.param((64, 64), "sinh", "read", True, 0.0, marks=pytest.mark.slow),
])
def test_operating_point(reference, tmp_path, shape, law, kind, access, supply):
    rng = np.random.default_rng(3)
    g = rng.uniform(1e-6, 40e-6, shape)
    rows, columns = terminals(shape, kind, rng)
    gates = np.where(np.arange(shape[0]) % 3, 1.2, 0.0) if access else None  # every third word line is off, and leaks
    point = solve_array(
        g, WIRES, rows, columns, law=LAW[law], access=NMOS if access else None, gates_V=gates, r_supply_ohm=supply
    )
    row_V, column_V = simulated(reference, tmp_path, g, law, rows, columns, gates, supply)
    np.testing.assert_allclose(point.row_V, row_V, rtol=0, atol=1e-9)
    np.testing.assert_allclose(point.column_V, column_V, rtol=0, atol=1e-9)


@pytest.mark.parametrize("wires", [
    WIRES, Wires(), Wires(r_row_ohm=1.0), Wires(r_driver_ohm=100.0), Wires(r_col_ohm=3.0, r_sense_ohm=10.0),
])
@pytest.mark.parametrize("mode", ["current", "voltage"])
def test_linear_cells_are_the_linear_array(wires, mode):
    rng = np.random.default_rng(0)
    g, x = rng.uniform(1e-6, 40e-6, (12, 9)), rng.uniform(-0.5, 0.5, 12)
    g[:, 4] = 0.0
    point = solve_array(g, wires, x, np.full(9, 0.0 if mode == "current" else np.nan))
    got = point.column_A if mode == "current" else point.open_V
    np.testing.assert_allclose(got, x @ effective_matrix(g, wires, mode=mode), rtol=1e-9, atol=1e-18)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.05, 1.0), st.floats(-5.0, 5.0))
def test_any_array_settles_within_its_terminals(seed, v0, volts):
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(1, 9, 2))
    g = rng.uniform(0, 1e-3, shape) * (rng.random(shape) < 0.7)
    rows = np.where(rng.random(shape[0]) < 0.5, volts, np.nan)
    columns = np.where(rng.random(shape[1]) < 0.5, 0.0, np.nan)
    wires = Wires(**{name: rng.choice([0.0, 1.0, 1e4]) for name in ("r_row_ohm", "r_col_ohm", "r_driver_ohm")})
    point = solve_array(g, wires, rows, columns, law=Sinh(v0_V=v0))
    low, high = min(volts, 0.0) - 1e-9, max(volts, 0.0) + 1e-9
    for voltage in (point.row_V, point.column_V):
        assert low <= voltage.min()
        assert voltage.max() <= high
    rounding = 1e-9 * np.abs(point.cell_A).max() + 1e-15 * abs(volts)
    assert abs(point.row_A.sum() - point.column_A.sum()) <= rounding
    assert np.abs(point.row_A[np.isnan(rows)]).max(initial=0.0) <= rounding


def test_sneak_currents_of_floating_and_grounded_lines():
    """A cell of 1 uS among others of 100 uS: a floating array shows the three cells in series of every other path."""
    n, off, on = 4, 1e-6, 100e-6
    g = np.full((n, n), on)
    g[0, 0] = off
    rows, columns = np.zeros(n), np.zeros(n)
    rows[0] = 0.2
    grounded = solve_array(g, Wires(), rows, columns).column_A[0] / 0.2
    rows[1:], columns[1:] = np.nan, np.nan
    floating = solve_array(g, Wires(), rows, columns).column_A[0] / 0.2
    paths = on * (n - 1) / (2 + 1 / (n - 1))  # to the other columns, to the other rows, back
    assert grounded == pytest.approx(off, rel=1e-12)
    assert floating == pytest.approx(off + paths, rel=1e-12)


def test_a_transistor_limits_its_cell_and_leaks_when_it_is_off():
    on, off = (
        solve_array(
            [[1.0]], Wires(), [0.5], [0.0], access=NMOS, gates_V=[gate]
        ).column_A[0] for gate in (1.0, 0.0)
    )
    pinch, ut = (1.0 - 0.4) / 1.3, NMOS.thermal_V  # in strong inversion: n beta ((Vp - Vs)^2 - (Vp - Vd)^2) / 2
    assert on == pytest.approx(1.3 * 300e-6 / 2 * pinch**2, rel=0.01)
    assert off == pytest.approx(2 * 1.3 * 300e-6 * ut**2 * np.exp(-0.4 / 1.3 / ut), rel=0.01)


def test_metal_oxide_cells_carry_their_conductance_at_a_tenth_of_a_volt():
    g = np.geomspace(10e-6, 300e-6, 7)
    current, slope = MetalOxide().current(g, np.full(7, 0.1))
    np.testing.assert_allclose(current / 0.1, g, rtol=0.05)
    ahead = MetalOxide().current(g, np.full(7, 0.1 + 1e-7))[0]
    np.testing.assert_allclose((ahead - current) / 1e-7, slope, rtol=1e-5)


@pytest.mark.parametrize(("change", "sentence"), [
    ({"rows_V": [0.0]}, "rows_V must be 2 numbers of volts"),
    ({"rows_V": [np.inf, 0.0]}, "rows_V must be 2 numbers of volts"),
    ({"gates_V": [1.0, 1.0]}, "gates_V must be given where cells have an access transistor"),
    ({"access": NMOS, "gates_V": [np.nan, 1.0]}, "gates_V must be 2 finite numbers"),
    ({"r_supply_ohm": -1.0}, "r_supply_ohm must be a finite number of at least 0"),
    ({"g_S": [[-1.0]]}, "Conductance of cell"),
])
def test_what_is_refused(change, sentence):
    call = {"g_S": np.ones((2, 2)), "wires": WIRES, "rows_V": [0.0, 0.0], "columns_V": [0.0, 0.0], **change}
    with pytest.raises(InputError, match=sentence):
        solve_array(**call)
