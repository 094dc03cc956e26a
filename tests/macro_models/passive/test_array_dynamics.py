"""States of a whole array during write pulses, against a circuit simulator."""

import numpy as np
import pytest

from mho.macro_models.array import Wires
from mho.macro_models.array.nonlinear import Sinh, solve_array
from mho.macro_models.cells.bias import line_voltages
from mho.macro_models.errors import InputError
from mho.macro_models.passive.dynamics import integrate_states
from tests.macro_models.array.conftest import run_ngspice

LOW, HIGH, V0, VS, RATE = 2e-6, 40e-6, 0.25, 0.1, 45.0
WIRES = Wires(r_row_ohm=2.0, r_col_ohm=2.0, r_driver_ohm=200.0, r_sense_ohm=200.0)


def conductance(x):
    return LOW + (HIGH - LOW) * x


def rate(x, v):
    return RATE * np.sinh(v / VS) * np.where(v > 0, 1 - x, x)


def simulated(folder, x, rows, columns, width):
    n, m = x.shape
    deck = ["disturb"]
    for i in range(n):
        for j in range(m):
            w, b, s = f"w{i}_{j}", f"b{i}_{j}", f"x{i}_{j}"
            v = f"(v({w})-v({b}))"
            deck += [
                f"Bg{i}_{j} {w} {b} I=({LOW}+{HIGH - LOW}*v({s}))*{V0}*sinh({v}/{V0})",
                f"Bx{i}_{j} 0 {s} I={width}*{RATE}*sinh({v}/{VS})*({v}>0 ? 1-v({s}) : v({s}))",
                f"Cx{i}_{j} {s} 0 1 IC={float(x[i, j])!r}",
            ]
            deck += [f"Rw{i}_{j} w{i}_{j - 1} {w} 2"] if j else []
            deck += [f"Rb{i}_{j} b{i - 1}_{j} {b} 2"] if i else []
    deck += [f"Vr{i} vr{i} 0 {float(rows[i])!r}\nRr{i} vr{i} w{i}_0 202" for i in range(n)]
    deck += [f"Vc{j} vc{j} 0 {float(columns[j])!r}\nRc{j} b{n - 1}_{j} vc{j} 202" for j in range(m)]
    deck += [".options klu reltol=1e-5 abstol=1e-12 vntol=1e-7 method=gear", ".control", "tran 0.0005 1 0 0.002 uic"]
    names = [f"x{i}_{j}" for i in range(n) for j in range(m)]
    deck += [f"meas tran m{name} find v({name}) at=0.9999" for name in names]
    deck += [f"print m{name}" for name in names]
    printed = run_ngspice("\n".join([*deck, "quit", ".endc", ".end", ""]), folder)
    return np.array([printed[f"m{name}"] for name in names]).reshape(n, m)


@pytest.mark.cosim("ngspice")
@pytest.mark.parametrize("scheme", ["half", "third"])
def test_disturb_of_eight_by_eight(tmp_path, scheme):
    x = np.random.default_rng(5).uniform(0.05, 0.9, (8, 8))
    x[2, 6] = 0.1
    rows, columns = line_voltages((8, 8), 2, 6, 1.5, scheme)
    pulses, pulse_s = 20, 100e-9  # the array has no memory but its cells: pulses are one long pulse

    def solve(g):
        return solve_array(g, WIRES, rows, columns, law=Sinh(v0_V=V0))

    got = integrate_states(x, conductance, rate, solve, pulses * pulse_s)
    want = simulated(tmp_path, x, rows, columns, pulses * pulse_s)
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-3)
    assert got[2, 6] > 0.95
    moved = got - x
    half = np.delete(moved[2], 6)
    assert (half > (5e-3 if scheme == "half" else 1e-5)).all()
    rest = np.delete(np.delete(moved, 2, 0), 6, 1)
    assert np.abs(rest).max() < (1e-4 if scheme == "half" else 5e-3)


def test_what_is_refused():
    with pytest.raises(InputError, match="states must be a matrix"):
        integrate_states([[2.0]], conductance, rate, lambda g: solve_array(g, WIRES, [0.0], [0.0]), 1.0)
