"""The array against a circuit simulator that shares no code with it."""

import numpy as np
import pytest

from mho.macro_models.array import Wires, effective_matrix
from tests.macro_models.array.settling import ExactSettling

pytestmark = pytest.mark.cosim("ngspice")


@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("mode", ["current", "voltage"])
@pytest.mark.parametrize(
    ("shape", "wires"),
    [
        ((16, 16), Wires(r_row_ohm=1.0, r_col_ohm=1.0)),
        ((24, 8), Wires(r_row_ohm=2.0, r_col_ohm=0.5, r_driver_ohm=500.0, r_sense_ohm=200.0)),
        ((8, 24), Wires(r_row_ohm=0.35, r_col_ohm=5.0, r_driver_ohm=100.0)),
        ((12, 12), Wires(r_col_ohm=3.0, r_driver_ohm=1000.0, r_sense_ohm=50.0)),
    ],
)
def test_operating_point(reference, tmp_path, shape, wires, mode, backward):
    rng = np.random.default_rng(0)
    g = rng.uniform(1e-6, 40e-6, shape)
    g[rng.random(shape) < 0.25] = 0.0
    g[:, 3] = 0.0
    g[5] = 0.0
    x = rng.uniform(-0.5, 0.5, shape[1] if backward else shape[0])
    want = reference.ngspice(g, wires, mode, x, tmp_path, backward)
    got = x @ effective_matrix(g, wires, mode=mode, backward=backward)
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-9 * np.abs(want).max())


def test_settling(reference, tmp_path):
    rng = np.random.default_rng(1)
    g, x, c = rng.uniform(1e-6, 40e-6, (6, 5)), rng.uniform(-0.5, 0.5, 6), 6 * 2e-15
    wires = Wires(r_row_ohm=20.0, r_col_ohm=20.0, r_driver_ohm=1000.0)
    model = ExactSettling(g, wires, c_col_F=c, c_sense_F=5e-15)
    end = 1.5 / model.rates_per_s[0]
    circuit = reference.circuit(g, wires, "voltage")
    name = circuit.nodes()
    lines = ["settling", *(f"Vs{k} s{k} 0 {float(v)!r}" for k, v in enumerate(x))]
    for k, (a, b, ohm) in enumerate(circuit.resistors):
        if name[a] != name[b]:
            lines.append(f"R{k} {name[a]} {name[b]} {float(ohm)!r}")
    for j in range(5):
        for i in range(6):
            lines.append(f"C{i}_{j} {name[f'b{i}_{j}']} 0 {c / 6 + (5e-15 if i == 5 else 0.0)!r} ic=0.1")
    step = float(end / 2000)
    lines += [".options reltol=1e-6 abstol=1e-15 vntol=1e-9 method=gear", ".control"]
    lines += [f"tran {step!r} {float(end)!r} 0 {step!r} uic"]
    for j in range(5):
        lines += [f"meas tran v{j} find v({name[f'o{j}']}) at={float(end) * 0.5!r}"]
    text = "\n".join([*lines, *(f"print v{j}" for j in range(5)), "quit", ".endc", ".end", ""])
    voltages = reference.run_ngspice(text, tmp_path)
    want = np.array([voltages[f"v{j}"] for j in range(5)])
    got = model.at(end * 0.5, x, 0.1)
    assert np.abs(got - x @ effective_matrix(g, wires, mode="voltage")).max() > 1e-2  # it is still under way
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-4 * 0.5)
