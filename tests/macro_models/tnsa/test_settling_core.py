"""A core whose lines do not settle: what a sample reaches, by the law of one line that ngspice has confirmed."""

from dataclasses import replace

import numpy as np
import pytest

from mho.hw.config import load_chip
from mho.macro_models import load_device
from mho.macro_models.array import Wires
from mho.macro_models.integer.operation import Direction
from mho.macro_models.kinds import pin_level_macro
from mho.macro_models.tnsa.config import TnsaConfig
from mho.macro_models.tnsa.model import TnsaModel
from tests.macro_models.array.settling import one_pole

IDEAL = load_device("ideal")
LINES, C_F, T_S = 32, 115e-15, 10e-9


def core(wires: Wires, g_bits: int = 16) -> TnsaModel:
    cells = np.random.default_rng(0).uniform(0.1, 2.0, (LINES, LINES))
    return TnsaModel(TnsaConfig(lines=LINES, g_bits=g_bits, wires=wires, g_full_scale_uS=2.0, g_max_uS=2.0,
                                g_min_uS=0.1), cells, device=IDEAL, seed=0, core=0)


@pytest.mark.parametrize("direction", Direction)
def test_lines_reach_what_one_pole_says(direction: Direction) -> None:
    backward = direction is Direction.BACKWARD
    model, still = core(Wires(settle_uS=C_F / T_S * 1e6)), core(Wires())
    wl = np.arange(LINES) % 3 > 0
    g_S = model.cells * model.config.lsb_uS * 1e-6
    gated = np.where(wl[:, None], g_S, 0.0)
    law = one_pole(gated.T if backward else gated, Wires(), c_col_F=C_F)
    settling, final = model.key(backward, wl), still.key(backward, wl)
    live = final.sum_g > 0
    v_final = final.k[:, live] / final.sum_g[live]
    reached = np.asarray(law.at(T_S, np.ones(LINES)))[live]
    assert np.abs(settling.k[:, live] / final.sum_g[live] - v_final * reached).max() <= 0.5 / final.sum_g[live].min()
    assert 0.6 < reached.min() < reached.max() < 0.98
    assert np.array_equal(settling.sum_g, final.sum_g)


def test_what_settles_has_the_bits_of_perfect_wires() -> None:
    wl = np.ones(LINES, dtype=bool)
    perfect = core(Wires(), 12).key(False, wl).k
    assert np.array_equal(core(Wires(settle_uS=C_F / (100 * T_S) * 1e6), 12).key(False, wl).k, perfect)
    less = [core(Wires(settle_uS=C_F / (T_S / part) * 1e6), 12).key(False, wl).k.sum() for part in (1, 2, 8)]
    assert perfect.sum() > less[0] > less[1] > less[2] > 0


def test_drivers_and_wires_are_in_series() -> None:
    """Of two networks with the same matrix, the one whose lines are slower reaches less."""
    wl = np.ones(LINES, dtype=bool)
    wires = Wires(r_driver_ohm=2e4, settle_uS=C_F / T_S * 1e6)
    slow, final = core(wires).key(False, wl), core(wires.settled).key(False, wl)
    fast = core(replace(wires, r_driver_ohm=0.0)).key(False, wl)
    bare = core(Wires()).key(False, wl)
    assert (slow.k.sum(axis=0) / final.k.sum(axis=0) < fast.k.sum(axis=0) / bare.k.sum(axis=0)).all()


def test_both_bodies_behind_the_pins_have_it() -> None:
    model = core(Wires(settle_uS=C_F / T_S * 1e6), 12)
    body, x = pin_level_macro(model), np.random.default_rng(1).integers(-1, 2, LINES)
    on = np.ones(LINES, dtype=bool)
    body.precharge()
    body.sample(False, x > 0, x < 0, on)
    charge = model.charge(model.key(False, on), x[None], 0)[0]
    assert np.array_equal(np.asarray(body.charge), charge)


def test_a_chip_says_when_its_lines_settle() -> None:
    assert load_chip("neurram-core").macro_config().wires.ideal
    chip = load_chip("neurram-core", {"wires.settling": True, "timing.t_sample_ns": 10})
    assert chip.macro_config().wires.settle_uS == pytest.approx((48 + 2.1 * 256) / 10)
    assert "wire" in chip.macro_config().active_causes(IDEAL)
    g_uS = np.random.default_rng(0).uniform(1.0, 3.0, (256, 256))
    keys = []
    for t_ns in (1000, 10):
        config = load_chip("neurram-core", {"wires.settling": True, "timing.t_sample_ns": t_ns}).macro_config()
        model = TnsaModel(config, g_uS, device=IDEAL, seed=0, core=0)  # type: ignore[arg-type]
        keys.append(model.key(False, np.arange(256) < 40).k)
    assert keys[0].sum() > 1.05 * keys[1].sum()
