"""How often there is each code."""

import numpy as np
import pytest

from mho.macro_models.integer.tally import tally


@pytest.mark.parametrize(("top", "columns"), [(1, 1), (31, 40), (2047, 3)])
def test_each_code_is_counted(top: int, columns: int) -> None:
    """Those beyond the ends as the ends; of arrays that are not contiguous, too."""
    rng = np.random.default_rng(top)
    codes = rng.integers(-2 * top, 2 * top + 1, (50, 2 * columns)).astype(np.int16)[:, ::2]
    counts = [(np.clip(codes, -top, top) == code).sum() for code in range(-top, top + 1)]
    assert tally(codes, top).tolist() == counts
