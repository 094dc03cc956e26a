import numpy as np
import pytest

from mho.macro_models.array import MatrixCache, Wires, effective_matrix

WIRES = Wires(r_row_ohm=1.0, r_col_ohm=1.0)


def cells(seed):
    return np.random.default_rng(seed).uniform(1e-6, 40e-6, (4, 4))


def test_same_content_is_built_once():
    cache = MatrixCache()
    first = cache.matrix(cells(0), WIRES, mode="current")
    again = cache.matrix(cells(0).copy(order="F"), Wires(r_row_ohm=1, r_col_ohm=1), mode="current")
    assert again is first
    np.testing.assert_array_equal(first, effective_matrix(cells(0), WIRES, mode="current"))


def test_every_argument_counts():
    cache, g, on = MatrixCache(), cells(0), np.array([True, True, False, True])
    arrays = [
        (g, WIRES, {"mode": "current"}),
        (g.reshape(2, 8), WIRES, {"mode": "current"}),
        (g, Wires(r_row_ohm=1.0), {"mode": "current"}),
        (g, WIRES, {"mode": "voltage"}),
        (g, WIRES, {"mode": "voltage", "backward": True}),
        (g, WIRES, {"mode": "voltage", "wl": on}),
        (np.nextafter(g, 1.0), WIRES, {"mode": "voltage"}),
    ]
    built = [cache.matrix(g_S, wires, **keys) for g_S, wires, keys in arrays]
    for (g_S, wires, keys), matrix in zip(arrays, built, strict=True):
        np.testing.assert_array_equal(matrix, effective_matrix(g_S, wires, **keys))
        assert cache.matrix(g_S, wires, **keys) is matrix


def test_mask_and_missing_cells_are_the_same_array():
    cache, on = MatrixCache(), np.array([True, True, False, True])
    masked = cache.matrix(cells(0), WIRES, mode="voltage", wl=on)
    assert cache.matrix(np.where(on[:, None], cells(0), 0.0), WIRES, mode="voltage") is masked


def test_least_recently_used_goes_first():
    cache = MatrixCache(limit_bytes=2 * 4 * 4 * 8)
    built = [cache.matrix(cells(seed), WIRES, mode="current") for seed in (0, 1, 0, 2)]  # 1 is the oldest when 2 comes
    assert cache.matrix(cells(0), WIRES, mode="current") is built[0] is built[2]
    assert cache.matrix(cells(2), WIRES, mode="current") is built[3]
    assert cache.matrix(cells(1), WIRES, mode="current") is not built[1]


def test_matrix_beyond_the_limit_is_not_kept():
    cache = MatrixCache(limit_bytes=100)
    got = cache.matrix(cells(0), WIRES, mode="current")
    assert got.shape == (4, 4)
    assert cache.matrix(cells(0), WIRES, mode="current") is not got


def test_kept_matrices_cannot_be_changed():
    cache = MatrixCache()
    with pytest.raises(ValueError, match="read-only"):
        cache.matrix(cells(0), WIRES, mode="current")[0, 0] = 1.0
