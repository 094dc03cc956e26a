import warnings

import numpy as np

from mho.macro_models.arrays import product


def test_flags_of_a_kernel_are_no_warnings() -> None:
    """Kernels compute beside small matrices too; numbers beyond all stand for what may lie there."""
    x, matrix = np.array([[0.0, 1.0]], "f4"), np.array([[np.inf], [1.0]], "f4")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isnan(product(x, matrix)).all()
        assert product(np.array([[3.0, 4.0]], "f4"), np.array([[2.0], [5.0]], "f4")).tolist() == [[26.0]]
