"""Types that many modules name."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
"""An array of any type."""
Float = NDArray[np.float64]
"""Numbers in the units of a model, or of a device."""
Lanes = NDArray[np.int16]
"""What the vector unit computes with."""
Facts = dict[str, Any]
"""Plain numbers, strings, lists and dicts, for JSON and for people."""
