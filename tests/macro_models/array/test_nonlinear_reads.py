"""Reads of cells that are not linear: their matrix, the error of the ideal formula, and the core that takes it."""

from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import ArrayLike

from mho.macro_models import CAUSES, Masks, load_device
from mho.macro_models.array import Wires, effective_matrix
from mho.macro_models.array.nonlinear.reading import read_matrix, read_point
from mho.macro_models.array.wires import Mode, ideal_matrix
from mho.macro_models.devices.sections.conduction import Conduction
from mho.macro_models.integer.operation import Direction
from mho.macro_models.integer.tnsa.operation import TnsaOperation
from mho.macro_models.tnsa.config import TnsaConfig
from mho.macro_models.tnsa.model import TnsaModel

WIRES = Wires(r_row_ohm=2.0, r_col_ohm=1.0, r_driver_ohm=100.0, r_sense_ohm=50.0)
G = np.random.default_rng(0).uniform(1e-6, 40e-6, (24, 16))
ON, NONE = np.ones(16, dtype=bool), np.zeros(16, dtype=bool)
MASKS = Masks(wl=ON, lines=ON, bl_skip=NONE, sl_skip=NONE)
STRONG, ACCESS = Conduction(v0_V=0.25), Conduction(access_uA_V2=400.0)


class ReadError(NamedTuple):
    """Root mean squares over inputs and columns, relative to that of the outputs of the formula."""

    relative: float
    after_gain: float
    """With the gain of each column that fits best."""


def read_error(
    g_S: ArrayLike, wires: Wires, conduction: Conduction, v_V: float, *, mode: Mode = "current",
    patterns: int = 16, temp_C: float = 25.0, by_matrix: bool = False,
) -> ReadError:
    """Error of the ideal formula for random inputs, exact: 0 or ``v_V``, in voltage mode -1, 0 or 1 times ``v_V``.

    In voltage mode two rows have opposite inputs, as those of a pair do that is a signed weight.
    ``by_matrix`` gives that of :func:`read_matrix` in its place.
    """
    g = np.asarray(g_S, dtype=np.float64)
    rng, pairs = np.random.default_rng(0), len(g) // 2
    inputs = v_V * rng.integers(0, 2, (patterns, len(g)))
    if mode == "voltage":
        signed = v_V * rng.integers(-1, 2, (patterns, pairs))
        inputs = np.zeros((patterns, len(g)))
        inputs[:, : 2 * pairs] = np.stack([signed, -signed], axis=2).reshape(patterns, -1)
    tied, on = (0.0 if mode == "current" else np.nan), np.ones(len(g), dtype=np.bool_)
    points = [read_point(g, wires, conduction, row, tied, on, False, temp_C) for row in inputs]
    got = np.array([point.column_A if mode == "current" else point.open_V for point in points])
    exact = ideal_matrix(g, mode=mode)
    want = inputs @ (read_matrix(g, wires, conduction, v_V, mode=mode, temp_C=temp_C) if by_matrix else exact)
    energy = np.sum(got**2, axis=0)
    gain = np.divide(np.sum(got * want, axis=0), energy, out=np.ones_like(energy), where=energy > 0)
    scale, error, left = (float(np.sqrt(np.mean(a**2))) for a in (want, got - want, got * gain - want))
    return ReadError(error / scale, left / scale) if scale else ReadError(0.0, 0.0)


@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("mode", ["current", "voltage"])
def test_ohmic_cells_give_the_linear_matrix(mode, backward):
    wl = np.arange(24) % 3 > 0
    got = read_matrix(G, WIRES, Conduction(), 0.5, mode=mode, backward=backward, wl=wl)
    want = effective_matrix(G, WIRES, mode=mode, backward=backward, wl=wl)
    np.testing.assert_allclose(got, want, rtol=1e-8, atol=1e-12 * want.max())


@pytest.mark.parametrize("v0", [1.0, 0.5, 0.25])
def test_perfect_wires_leave_a_gain(v0):
    """Inputs of one amplitude into a virtual ground: a sinh is a factor, which a gain takes away."""
    verify, v = 0.1, 0.5
    factor = np.sinh(v / v0) / v / (np.sinh(verify / v0) / verify)
    error = read_error(G, Wires(), Conduction(v0_V=v0), v, patterns=4)
    assert error.relative == pytest.approx(factor - 1.0, rel=1e-9)
    assert error.after_gain < 1e-9
    got = read_matrix(G, Wires(), Conduction(v0_V=v0), v, mode="current")
    np.testing.assert_allclose(got, G * factor, rtol=1e-9)


@pytest.mark.parametrize("conduction", [STRONG, ACCESS], ids=["sinh", "transistor"])
def test_the_matrix_takes_most_of_the_error_of_currents(conduction):
    ideal = read_error(G, WIRES, conduction, 0.5, patterns=6)
    matrix = read_error(G, WIRES, conduction, 0.5, patterns=6, by_matrix=True)
    assert matrix.relative < 0.3 * ideal.relative


@pytest.mark.parametrize("mode", ["current", "voltage"])
def test_a_shared_supply_is_a_gain_in_the_mean(mode):
    shared = Conduction(supply_ohm=20.0)
    ideal, matrix = (read_error(G, Wires(), shared, 0.5, mode=mode, by_matrix=exact) for exact in (False, True))
    assert matrix.relative < 0.6 * ideal.relative
    assert shared.acts
    assert ideal.relative > 0.01
    got = read_matrix(G, Wires(), shared, 0.5, mode=mode)
    ratio = got / read_matrix(G, Wires(), Conduction(), 0.5, mode=mode)
    np.testing.assert_allclose(ratio, ratio[0, 0], rtol=1e-9)
    assert 0.9 < ratio[0, 0] < 1.0


def test_a_verify_read_is_what_conductances_mean():
    """At the voltage of verify reads the matrix of perfect wires is the cells, transistors or not."""
    for conduction in (STRONG, ACCESS):
        got = read_matrix(G, Wires(), conduction, conduction.verify_V, mode="current")
        np.testing.assert_allclose(got[::2], G[::2], rtol=2e-2 if conduction is ACCESS else 1e-9)


def test_rows_that_are_off_leak():
    wl = np.arange(24) < 20
    tight, loose = (
        read_matrix(G, Wires(), Conduction(access_uA_V2=400.0, off_gate_V=off), 0.3, mode="current", wl=wl)
        for off in (-0.6, -0.1)
    )
    assert 0.0 < tight[20:].max() < 1e-10
    assert loose[20:].max() > 100 * tight[20:].max()


def model(device, **more):
    config = TnsaConfig(lines=16, g_min_uS=1.0, g_max_uS=40.0, g_full_scale_uS=50.0, v_read_V=0.5)
    target = np.random.default_rng(1).uniform(1.0, 40.0, (16, 16))
    return TnsaModel(config, target, device=device, seed=0, core=0, **more)


def test_a_core_with_nonlinear_cells():
    plain, bent = load_device("ideal"), load_device("ideal", {"conduction.v0_V": 0.25})
    assert "conduction" not in plain.to_dict()
    assert model(bent).config.active_causes(bent) == {"wire"} | model(plain).config.active_causes(plain)
    off = model(bent, causes=frozenset(CAUSES) - {"wire"})
    wl = np.ones(16, dtype=bool)
    np.testing.assert_array_equal(off.effective(wl, False), model(plain).effective(wl, False))
    k = model(bent).effective(wl, False)
    assert (k != off.effective(wl, False)).any()
    again = TnsaModel.from_state(model(bent).state())
    np.testing.assert_array_equal(again.effective(wl, False), k)
    op = TnsaOperation(direction=Direction.FORWARD)
    x = np.random.default_rng(2).integers(op.input_range[0], op.input_range[1] + 1, (5, 8))
    codes = model(bent).mvm(op, MASKS, x, 0).codes
    np.testing.assert_array_equal(again.mvm(op, MASKS, x, 0).codes, codes)
