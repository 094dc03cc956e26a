"""Compact models: loops against a circuit simulator, the fading memory of TaOx, and drives of any size."""

import re
import subprocess

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mho.macro_models.compact import MODELS, compact_model, drive, pulses, sine
from mho.macro_models.errors import InputError

# dx/dt and current as a simulator reads them; X is the state, V the voltage.
_TAOX_I = "V*(0.025*X+(1-X)*7.2e-6*exp(4.7*sqrt(abs(V)+1e-18)))"
_GAP = "(1.7-1.5*X)"
_STANFORD_I = f"1e-3*exp(-{_GAP}/0.25)*sinh(V/0.25)"
_KT = f"(8.617333262e-5*(298+abs(V*({_STANFORD_I}))*2.1e3))"
_GAMMA = f"(16-0.8*{_GAP}**3)"
EQUATIONS = {
    "strachan-taox": (
        f"(V>0 ? 1e-4*sinh(V/0.45)*exp(-(X/0.06)**2+V*({_TAOX_I})/4e-5)"
        f" : 1e-10*sinh(V/0.013)*exp(-(0.4/(abs(X)+1e-9))**2+1/(1+500*V*({_TAOX_I}))))", _TAOX_I),
    "vteam": (
        "(V>0.02 ? 5e-4*(V/0.02-1)/3e-9 : (V<-0.2 ? -10*(V/-0.2-1)**3/3e-9 : 0))", "V/(50+950*X)"),
    "yakopcic": (
        "(V>0.16 ? 4000*(exp(V)-exp(0.16))*(X>0.3 ? exp(-(X-0.3))*(1-(X-0.3)/0.7) : 1)"
        " : (V<-0.15 ? -4000*(exp(-V)-exp(0.15))*(X<0.5 ? exp(5*(X-0.5))*X/0.5 : 1) : 0))",
        "0.17*X*sinh(0.05*V)"),
    "stanford-pku": (
        f"(abs(V)*{_GAMMA} > 1.4e9*12e-9 ? 1e10*exp(-0.6/{_KT})*sinh({_GAMMA}*0.25*V/(12*{_KT}))/1.5 : 0)",
        _STANFORD_I),
}
LOOPS = {  # amplitude, frequency, start
    "strachan-taox": (0.5, 1e8, 0.6),
    "vteam": (0.3, 1e8, 0.8),
    "yakopcic": (0.6, 100.0, 0.11),
    "stanford-pku": (1.9, 1e6, 0.3),
}


def simulated(folder, name, volts, hertz, start, points):
    """States and currents over one cycle, with the state as the charge of a farad."""
    rate, current = (re.sub(r"\bX\b", "v(x)", re.sub(r"\bV\b", "v(a)", text)) for text in EQUATIONS[name])
    period = 1.0 / hertz
    # In units of the period, so that the simulator's tolerances are those of the state.
    held_current = f"(({rate})>0 ? (v(x)<1 ? {period!r}*({rate}) : 0) : (v(x)>0 ? {period!r}*({rate}) : 0))"
    deck = [
        "loop", f"Va a 0 SIN(0 {volts} 1)", f"Bx 0 x I={held_current}", f"Cx x 0 1 IC={start}",
        f"Bi 0 i I={current}", "Ri i 0 1",
        ".options reltol=1e-7 abstol=1e-14 vntol=1e-10 method=trap", ".control", "set wr_singlescale", "set numdgt=12",
        f"tran {1 / (10 * points)!r} 1 0 {1 / (10 * points)!r} uic", "linearize v(x) v(i)", "wrdata out.txt v(x) v(i)",
        "quit", ".endc", ".end", "",
    ]
    (folder / "loop.cir").write_text("\n".join(deck))
    command = ["sh", "-c", "ulimit -t 300; exec ngspice -b -n loop.cir"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert (folder / "out.txt").exists(), done.stdout + done.stderr
    t, x, i = np.loadtxt(folder / "out.txt").T
    at = np.linspace(0.0, 1.0, points + 1)
    return at * period, np.interp(at, t, x), np.interp(at, t, i)


@pytest.mark.cosim("ngspice")
@pytest.mark.parametrize("name", list(LOOPS))
def test_loops(tmp_path, name):
    volts, hertz, start = LOOPS[name]
    times, x_want, i_want = simulated(tmp_path, name, volts, hertz, start, 1000)
    model = compact_model(name)
    x = drive(model, [start], sine(volts, hertz), times)[:, 0]
    i = model.current(x, volts * np.sin(2 * np.pi * hertz * times))
    assert np.ptp(x) > 1e-4  # it is a loop
    assert np.abs(x - x_want).max() <= 2e-3
    assert np.sqrt(np.mean((x - x_want) ** 2)) <= 2e-4
    assert np.abs(i - i_want).max() <= 2e-3 * np.abs(i_want).max()


def cycle_means(starts, cycles):
    times = (cycles + np.arange(101) / 100) * 1e-8
    x = drive(compact_model("strachan-taox"), starts, sine(0.5, 1e8), times, tolerance=3e-7)
    return np.trapezoid(x, axis=0) / 100


def test_taox_forgets_from_the_first_microsecond():
    x = drive(compact_model("strachan-taox"), [1.0], sine(0.5, 1e8), [1e-6])[0, 0]
    assert x == pytest.approx(0.824878, abs=2e-5)  # fourth-order Runge-Kutta, 400 steps a cycle


@pytest.mark.slow
def test_fading_memory_of_taox():
    means = cycle_means([0.2, 1.0], 1600)
    np.testing.assert_allclose(means, 0.295354, atol=1e-4)


def test_a_fixed_point_of_square_waves():
    """Alternating levels hold the state where the published balance of set and reset puts it."""
    model = compact_model("strachan-taox")
    at = 0.3
    up, down = 0.45 + 0.0201595, -0.45 + 0.0201595
    assert model.rate(np.array([at]), np.array([up]))[0] == pytest.approx(
        -model.rate(np.array([at]), np.array([down]))[0], rel=1e-4
    )


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(sorted(MODELS)), st.lists(st.floats(-100.0, 100.0), min_size=1, max_size=5),
    st.floats(1e-12, 1e3), st.floats(0.0, 1.0),
)
def test_any_drive_leaves_a_state(name, volts, width, start):
    x = drive(compact_model(name), [start, 0.0, 1.0], pulses(volts, width), [width * len(volts)])
    assert np.isfinite(x).all()
    assert x.min() >= 0.0
    assert x.max() <= 1.0


@pytest.mark.parametrize("name", sorted(MODELS))
def test_a_pulse_is_the_flow_of_its_rate(name):
    """At a constant voltage dt = dx / rate: the time of the way to the state that is reached."""
    volts, width = {"strachan-taox": (-0.6, 1e-9), "vteam": (-0.5, 1e-11), "yakopcic": (0.6, 1e-3),
                    "stanford-pku": (-1.6, 2e-8)}[name]
    model = compact_model(name)
    start = 0.8 if volts < 0.0 else 0.2
    end = drive(model, [start], pulses([volts], width), [width])[0, 0]
    assert 0.01 < abs(end - start)
    x = np.linspace(start, end, 200_001)
    time = np.trapezoid(1.0 / model.rate(x, np.full(len(x), volts)), x)
    assert time == pytest.approx(width, rel=1e-4)


def test_what_is_refused():
    with pytest.raises(InputError, match="did you mean vteam"):
        compact_model("vtem")
    with pytest.raises(InputError, match="a constant of vteam must be one of"):
        compact_model("vteam", r_up=1.0)
    with pytest.raises(InputError, match="must be a finite number"):
        compact_model("vteam", d_m=float("nan"))
    with pytest.raises(InputError, match="between 0 and 1"):
        drive(compact_model("vteam"), [1.5], pulses([1.0], 1e-6), [1e-6])
    with pytest.raises(InputError, match="must not decrease"):
        drive(compact_model("vteam"), [0.5], pulses([1.0], 1e-6), [1e-6, 0.0])
