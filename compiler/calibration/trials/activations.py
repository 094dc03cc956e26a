"""Values of a network in floating point while it is calibrated: made when they are asked for, let go when done with.

Together they are most of what a large network would hold: 1.2 GB of MobileNetV2 for 64 images of 96 x 96 pixels.
"""

from collections.abc import Sequence
from typing import overload

import numpy as np

from mho.compiler.model import FloatNetwork
from mho.compiler.types import Float

__all__ = ["Activations"]


class Activations(Sequence[Float]):
    """The input and the results of all steps for ``x`` of shape (images, features), in their order.

    What is asked for is made from the values before it, which are held until they are done with.
    """

    def __init__(self, network: FloatNetwork, x: Float) -> None:
        self._steps, self._last_use, self._made = network.steps, network.last_use, 1
        self._held: dict[int, Float] = {0: np.asarray(x, dtype=np.float64).reshape(len(x), -1)}

    def __len__(self) -> int:
        return len(self._steps) + 1

    @overload
    def __getitem__(self, number: int) -> Float: ...
    @overload
    def __getitem__(self, number: slice) -> list[Float]: ...
    def __getitem__(self, number: int | slice) -> Float | list[Float]:
        if isinstance(number, slice):
            return [self[k] for k in range(*number.indices(len(self)))]
        if not -len(self) <= number < len(self):
            raise IndexError(number)
        number %= len(self)
        while self._made <= number:
            step = self._steps[self._made - 1]
            self._held[self._made] = step.operation.compute(step.gather(self._held))
            self._made += 1
        return self._held[number]

    def done(self, k: int) -> None:
        """Lets go of what no step after step ``k`` takes; it cannot be asked for any more."""
        self[k + 1]  # a later step may take it, though nobody has asked for it yet
        for v in self._steps[k].inputs:
            if self._last_use[v] == k:
                self._held.pop(v, None)
