"""A linear layer in floating point."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["LinearLayer"]


@dataclass(frozen=True, kw_only=True)
class LinearLayer:
    """``y = relu(W x + b)``, or without the ReLU.

    ``weight`` has shape (outputs, inputs), ``bias`` (outputs,); both double precision, in the units of the model.
    """

    name: str
    weight: NDArray[np.float64]
    bias: NDArray[np.float64]
    relu: bool

    @property
    def inputs(self) -> int:
        return self.weight.shape[1]

    @property
    def outputs(self) -> int:
        return self.weight.shape[0]

    def linear(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """``W x + b`` for x of shape (..., inputs)."""
        # One product of matrices, whatever the dimensions before the last.
        y = x.reshape(-1, self.inputs) @ self.weight.T
        y += self.bias
        return y.reshape(*x.shape[:-1], self.outputs)

    def compute(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """The layer's output of shape (..., outputs)."""
        y = self.linear(x)
        return np.maximum(y, 0.0) if self.relu else y
