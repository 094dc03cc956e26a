"""What every passive resistive array does, whatever its cells and wires."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from mho.macro_models.array import Wires, effective_matrix, ideal_matrix

conductance = st.one_of(st.just(0.0), st.floats(1e-9, 1e-3))
resistance = st.one_of(st.just(0.0), st.floats(1e-3, 1e4))
grids = arrays(np.float64, array_shapes(min_dims=2, max_dims=2, max_side=7), elements=conductance)
wirings = st.builds(Wires, r_row_ohm=resistance, r_col_ohm=resistance, r_driver_ohm=resistance, r_sense_ohm=resistance)
modes = st.sampled_from(["current", "voltage"])


@given(grids, wirings)
def test_currents_are_reciprocal(g, wires):
    # Drivers and senses change places; with equal resistances the same terminals give the transposed matrix.
    equal = Wires(
        r_row_ohm=wires.r_row_ohm,
        r_col_ohm=wires.r_col_ohm,
        r_driver_ohm=wires.r_driver_ohm,
        r_sense_ohm=wires.r_driver_ohm,
    )
    forward = effective_matrix(g, equal, mode="current")
    back = effective_matrix(g, equal, mode="current", backward=True)
    np.testing.assert_allclose(back, forward.T, rtol=1e-9, atol=1e-12 * forward.max(initial=0.0))


@given(grids, wirings)
def test_backward_is_the_array_turned_over(g, wires):
    turned = Wires(
        r_row_ohm=wires.r_col_ohm,
        r_col_ohm=wires.r_row_ohm,
        r_driver_ohm=wires.r_driver_ohm,
        r_sense_ohm=wires.r_sense_ohm,
    )
    back = effective_matrix(g, wires, mode="voltage", backward=True)
    np.testing.assert_array_equal(back, effective_matrix(g[::-1, ::-1].T, turned, mode="voltage")[::-1, ::-1])


@given(grids, wirings)
def test_open_lines_are_weighted_means(g, wires):
    e = effective_matrix(g, wires, mode="voltage")
    assert np.all(e >= 0.0)
    np.testing.assert_allclose(e.sum(axis=0), g.any(axis=0), rtol=0, atol=1e-12)


@given(grids, wirings, st.integers(0, 2**32 - 1))
def test_open_lines_stay_within_the_range_of_the_inputs(g, wires, seed):
    x = np.random.default_rng(seed).uniform(-1.0, 1.0, g.shape[0])
    y = (x @ effective_matrix(g, wires, mode="voltage"))[g.any(axis=0)]
    assert np.all((y >= x.min() - 1e-12) & (y <= x.max() + 1e-12))


@given(grids, wirings)
def test_wires_only_lose_current(g, wires):
    e = effective_matrix(g, wires, mode="current")
    assert np.all(e >= 0.0)
    assert np.all(e.sum(axis=0) <= g.sum(axis=0) * (1 + 1e-12))
    assert np.all(e.sum(axis=1) <= g.sum(axis=1) * (1 + 1e-12))


@given(grids, wirings)
def test_total_current_falls_as_any_resistance_rises(g, wires):
    more = Wires(
        r_row_ohm=2 * wires.r_row_ohm,
        r_col_ohm=wires.r_col_ohm + 3.0,
        r_driver_ohm=wires.r_driver_ohm,
        r_sense_ohm=wires.r_sense_ohm,
    )
    less, total = (effective_matrix(g, w, mode="current").sum() for w in (more, wires))
    assert less <= total * (1 + 1e-12)


@given(grids, modes)
def test_vanishing_resistance_is_the_ideal_formula(g, mode):
    wires = Wires(r_row_ohm=1e-9, r_col_ohm=1e-9, r_driver_ohm=1e-9, r_sense_ohm=1e-9)
    ideal = ideal_matrix(g, mode=mode)
    np.testing.assert_allclose(effective_matrix(g, wires, mode=mode), ideal, rtol=0, atol=1e-9 * ideal.max())
    np.testing.assert_allclose(effective_matrix(g, Wires(), mode=mode), ideal, rtol=1e-14)


@given(grids, wirings, modes)
def test_only_the_product_of_ohms_and_siemens_counts(g, wires, mode):
    # Powers of two, so that not even rounding differs much; the unit of conductance comes out in front.
    scaled = Wires(
        r_row_ohm=wires.r_row_ohm / 64,
        r_col_ohm=wires.r_col_ohm / 64,
        r_driver_ohm=wires.r_driver_ohm / 64,
        r_sense_ohm=wires.r_sense_ohm / 64,
    )
    e = effective_matrix(g, wires, mode=mode)
    unit = 64 if mode == "current" else 1
    np.testing.assert_allclose(effective_matrix(64 * g, scaled, mode=mode), unit * e, rtol=1e-12)


@given(grids, wirings, modes)
def test_rows_on_perfect_columns_have_no_order(g, wires, mode):
    flat = Wires(r_row_ohm=wires.r_row_ohm, r_driver_ohm=wires.r_driver_ohm, r_sense_ohm=wires.r_sense_ohm)
    order = np.random.default_rng(0).permutation(g.shape[0])
    e = effective_matrix(g, flat, mode=mode)
    shuffled = effective_matrix(g[order], flat, mode=mode)
    np.testing.assert_allclose(shuffled, e[order], rtol=0, atol=1e-11 * e.max())


@given(grids, wirings, modes, st.integers(1, 3))
def test_lines_without_cells_at_the_far_ends_change_nothing(g, wires, mode, more):
    # Far from the terminals an empty row or column hangs loose: no current flows in it.
    larger = np.pad(g, ((more, 0), (0, more)))
    e = effective_matrix(larger, wires, mode=mode)
    np.testing.assert_allclose(
        e[more:, : g.shape[1]], effective_matrix(g, wires, mode=mode), rtol=1e-10, atol=1e-13 * e.max()
    )
    assert not e[:more].any()
    assert not e[:, g.shape[1] :].any()
