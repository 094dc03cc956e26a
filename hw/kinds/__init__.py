"""Kinds of core, as hardware: a module here for each. Nothing else names them."""

from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hw.config import Chip
from macro_models.exact.operation import MvmOperation
from macro_models.registry import module_of

__all__ = ["Timing", "timing"]


class Timing(Protocol):
    """How long operations of a core take, in cycles."""

    def cycles(self, op: MvmOperation, steps: ArrayLike) -> NDArray[np.int64]:
        """From the start of an operation to the earliest start of the next.

        ``steps`` are the decrements that were made, of shape (..., segments), most significant segment first. Returns
        shape (...).
        """
        ...

    def analog_cycles(self, op: MvmOperation, steps: ArrayLike) -> NDArray[np.int64]:
        """Of them those in which an operation is issued at the macro's pins."""
        ...

    def worst_cycles(self, op: MvmOperation) -> int:
        """The most that :meth:`cycles` can be."""
        ...


def timing(chip: Chip) -> Timing:
    """How long operations of a core of ``chip`` take."""
    return module_of(__name__, chip.core.kind).timing(chip)
