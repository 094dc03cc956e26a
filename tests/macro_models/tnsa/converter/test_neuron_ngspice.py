"""The neuron's charges against a transient simulation of its switches, capacitors and amplifier."""

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

from mho.macro_models import load_device
from mho.macro_models.devices import device_from_dict
from mho.macro_models.tnsa.config import TnsaConfig
from mho.macro_models.tnsa.converter.neuron import Neuron
from mho.macro_models.tnsa.model import TnsaModel

pytestmark = pytest.mark.cosim("ngspice")

CYCLE, ON, SHIFT = 40e-9, 18e-9, 20e-9  # a cycle, the width of a phase, from the first phase to the second
READ_V = 0.3


def switch(name: str, a: str, b: str, phase: str) -> str:
    """A switch of 500 ohm, as a current that a clock of 0 to 1 V controls."""
    return f"B{name} {a} {b} I=(V({a})-V({b}))*(1e-13+V({phase})/500)"


def steps(values: list[float]) -> str:
    """A piecewise linear source that takes a value for each cycle, and changes between its phases."""
    points = [f"0 {values[0]!r}"]
    for k in range(1, len(values)):
        at = k * CYCLE - 1e-9
        points.append(f"{at:.5e} {values[k - 1]!r} {at + 1e-10:.5e} {values[k]!r}")
    return " ".join(points)


def clock(cycles: int, delay: float) -> str:
    points = ["0 0"]
    for k in range(cycles):
        at = k * CYCLE + delay
        points.append(f"{at:.5e} 0 {at + 5e-11:.5e} 1 {at + ON:.5e} 1 {at + ON + 5e-11:.5e} 0")
    return " ".join(points)


def transient(neuron: Neuron, offset_V: float, inputs: list[float], folder: Path) -> np.ndarray:
    """Volts at the integrator after each cycle."""
    a = neuron.amplifier_gain
    deck = [
        "neuron", f"Vin in 0 PWL({steps(inputs)})", f"Vp1 p1 0 PWL({clock(len(inputs), 5e-10)})",
        f"Vp2 p2 0 PWL({clock(len(inputs), SHIFT)})",
        switch("1", "in", "l", "p1"), switch("2", "r", "0", "p1"), switch("3", "l", "0", "p2"),
        switch("4", "r", "x", "p2"), f"Cs l r {neuron.c_sample_fF}f ic=0", f"Ci x o {neuron.c_integrate_fF}f ic=0",
        f"Cp x 0 {neuron.c_parasitic_fF}f ic={offset_V * a / (1 + a)!r}", f"Vos s 0 {offset_V!r}", f"Eo o 0 s x {a!r}",
        ".options reltol=1e-7 vntol=1e-10 abstol=1e-16 chgtol=1e-22 method=gear gmin=1e-16", ".control",
        "set numdgt=15", f"tran 0.1n {len(inputs) * CYCLE!r} 0 0.1n uic",
    ]
    for k in range(len(inputs)):
        deck += [f"meas tran v{k} find v(o) at={(k + 1) * CYCLE - 1.5e-9!r}", f"print v{k}"]
    (folder / "neuron.cir").write_text("\n".join([*deck, "quit", ".endc", ".end", ""]))
    command = ["sh", "-c", "ulimit -t 120; exec ngspice -b -n neuron.cir"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)
    voltages = dict(re.findall(r"^(v\d+) = (\S+)$", done.stdout, re.MULTILINE))
    assert len(voltages) == len(inputs), done.stdout + done.stderr
    return np.array([float(voltages[f"v{k}"]) for k in range(len(inputs))])


@pytest.mark.parametrize(
    "neuron",
    [
        Neuron(amplifier_gain=1000.0, c_parasitic_fF=10.0),
        Neuron(amplifier_gain=100.0, c_parasitic_fF=10.0),
        Neuron(amplifier_gain=1000.0, c_parasitic_fF=10.0, sigma_amplifier_offset_mV=4.0),
    ],
)
def test_charges_are_those_of_the_circuit(neuron: Neuron, tmp_path: Path) -> None:
    tree = load_device("ideal").to_dict()
    tree["converter"]["spread"] = True
    config = TnsaConfig(lines=16, v_read_V=READ_V, neuron=neuron)
    target = np.random.default_rng(0).uniform(1, 40, (16, 16))
    model = TnsaModel(config, target, device=device_from_dict(tree), seed=1, core=0)
    key = model.key(False, np.ones(16, dtype=bool))
    x = np.random.default_rng(1).integers(-7, 8, 16)
    settled = [(np.sign(x) * (np.abs(x) >> plane & 1)) @ key.k * READ_V / key.sum_g for plane in (2, 1, 0)]
    inputs = [settled[0]] * 4 + [settled[1]] * 2 + [settled[2]]
    counter = model.counter(key, 3000)
    ids = np.zeros(1, dtype=np.uint64)
    charge = counter.integrator.compute(key.lines, x[None].astype(np.float32), 7, None, None, None, ids)[0]
    line = int(np.argmax(charge))  # the longest way down
    v_dec = float(model.steps(key, 3000).pos[line] / 2 / key.sum_g[line] * READ_V)
    volts_in = [float(v[line]) for v in inputs] + [-v_dec] * 8
    volts = transient(neuron, float(model.amplifier_offset_V[line]), volts_in, tmp_path)
    scale = neuron.alpha * READ_V / 2 / key.sum_g[line]
    assert abs(volts[6]) > 0.01
    assert volts[6] == pytest.approx(charge[line] * scale, rel=0, abs=1e-6)
    for n in range(1, 9):
        charge = charge * neuron.beta + counter.pos
        assert volts[6 + n] == pytest.approx(charge[line] * scale, rel=0, abs=1e-6)
