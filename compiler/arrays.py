"""Arrays by what they hold."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Array", "Float", "Lanes"]

Array = NDArray[Any]
"""Of any type."""
Float = NDArray[np.float64]
"""Numbers in the units of a model, or of a device."""
Lanes = NDArray[np.int16]
"""What the vector unit computes with."""
