import numpy as np
import pytest

from mho.macro_models.array import MatrixCache, Wires, effective_matrix
from mho.macro_models.errors import InputError

WIRES = Wires(r_row_ohm=1.0, r_col_ohm=1.0)


def cells(seed):
    return np.random.default_rng(seed).uniform(1e-6, 40e-6, (4, 4))


def test_same_content_is_built_once():
    cache = MatrixCache()
    first = cache.matrix(cells(0), WIRES, mode="current")
    again = cache.matrix(cells(0).copy(order="F"), Wires(r_row_ohm=1, r_col_ohm=1), mode="current")
    assert again is first
    assert (cache.hits, cache.misses, len(cache)) == (1, 1, 1)
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
    for _ in range(2):
        for g_S, wires, keys in arrays:
            np.testing.assert_array_equal(cache.matrix(g_S, wires, **keys), effective_matrix(g_S, wires, **keys))
    assert (cache.hits, cache.misses) == (len(arrays), len(arrays))


def test_mask_and_missing_cells_are_the_same_array():
    cache, on = MatrixCache(), np.array([True, True, False, True])
    masked = cache.matrix(cells(0), WIRES, mode="voltage", wl=on)
    assert cache.matrix(np.where(on[:, None], cells(0), 0.0), WIRES, mode="voltage") is masked


def test_least_recently_used_goes_first():
    cache = MatrixCache(limit_bytes=2 * 4 * 4 * 8)
    for seed in (0, 1, 0, 2):  # 1 is the oldest when 2 comes
        cache.matrix(cells(seed), WIRES, mode="current")
    assert len(cache) == 2
    assert cache.bytes == 256
    cache.matrix(cells(0), WIRES, mode="current")
    assert (cache.hits, cache.misses) == (2, 3)
    cache.matrix(cells(1), WIRES, mode="current")
    assert (cache.hits, cache.misses) == (2, 4)


def test_matrix_beyond_the_limit_is_not_kept():
    cache = MatrixCache(limit_bytes=100)
    got = cache.matrix(cells(0), WIRES, mode="current")
    assert got.shape == (4, 4)
    assert (len(cache), cache.bytes) == (0, 0)


def test_kept_matrices_cannot_be_changed():
    cache = MatrixCache()
    with pytest.raises(ValueError, match="read-only"):
        cache.matrix(cells(0), WIRES, mode="current")[0, 0] = 1.0
    cache.clear()
    assert (len(cache), cache.bytes) == (0, 0)


def test_refuses_limit():
    with pytest.raises(InputError, match=r"^limit_bytes must not be negative, not -1$"):
        MatrixCache(limit_bytes=-1)
