"""Types that many modules name."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
"""An array of any type."""
Flags = NDArray[np.bool_]
Indices = NDArray[np.int32]
Integers = NDArray[np.int64]
Integral = NDArray[np.integer]
"""Whole numbers of any type."""
Reals = NDArray[np.float64]
Rows = tuple[tuple[float, ...], ...]
"""A table of a file: one row of numbers behind the other."""
