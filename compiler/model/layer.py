"""A linear layer in floating point."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from mho.compiler.types import Float


@dataclass(frozen=True, kw_only=True)
class LinearLayer:
    """``y = relu(W x + b)``, or without the ReLU.

    ``weight`` has shape (outputs, inputs of a group), ``bias`` (outputs,); both double precision, in the units of the
    model. With ``groups`` above 1, as of a convolution, W has a block for each of them on its diagonal and zeros
    elsewhere: inputs and outputs are in the order of the groups.
    """

    name: str
    weight: Float
    bias: Float
    relu: bool
    groups: int = 1

    @property
    def inputs(self) -> int:
        return self.weight.shape[1] * self.groups

    @property
    def outputs(self) -> int:
        return self.weight.shape[0]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Inputs, outputs and groups."""
        return self.inputs, self.outputs, self.groups

    @cached_property
    def single(self) -> "LinearLayer":
        """The same in single precision."""
        return replace(self, weight=self.weight.astype(np.float32), bias=self.bias.astype(np.float32))

    def linear(self, x: Float) -> Float:
        """``W x + b`` for x of shape (..., inputs)."""
        # One product of matrices, whatever the dimensions before the last.
        flat = x.reshape(-1, self.inputs)
        y = flat @ self.weight.T if self.groups == 1 else self._by_group(flat, self._blocks.swapaxes(1, 2))
        y += self.bias
        return y.reshape(*x.shape[:-1], self.outputs)

    def compute(self, x: Float) -> Float:
        """The layer's output of shape (..., outputs)."""
        y = self.linear(x)
        return np.maximum(y, 0.0) if self.relu else y

    def compute_channels(self, x: Float) -> Float:
        """The same of shape (batch, outputs, positions), for x of shape (batch, inputs, positions) and no groups."""
        y = self.weight @ x
        y += self.bias[:, None]
        return np.maximum(y, 0.0, out=y) if self.relu else y

    def backward(self, slope: Float) -> Float:
        """``W' slope`` of shape (..., inputs), for slopes of shape (..., outputs)."""
        if self.groups == 1:
            return slope @ self.weight
        slopes = self._by_group(slope.reshape(-1, self.outputs), self._blocks)
        return slopes.reshape(*slope.shape[:-1], self.inputs)

    def product(self, x: Float) -> Float:
        """``W x`` of shape (outputs,), for one x of shape (inputs,)."""
        if self.groups == 1:
            return self.weight @ x
        return (self._blocks @ x.reshape(self.groups, -1, 1)).reshape(-1)

    def scaled(self, scale: Float) -> Float:
        """The weights times a factor for each input, of shape (inputs,): of the shape of ``weight``."""
        if self.groups == 1:
            return self.weight * scale
        return (self._blocks * scale.reshape(self.groups, 1, -1)).reshape(self.weight.shape)

    @cached_property
    def norms(self) -> Float:
        """Root of the sum of the squares of each input's weights, of shape (inputs,)."""
        return np.linalg.norm(self._blocks, axis=1).reshape(-1)

    @property
    def _blocks(self) -> Float:
        """Shape (groups, outputs of a group, inputs of a group)."""
        return self.weight.reshape(self.groups, -1, self.weight.shape[1])

    def _by_group(self, x: Float, matrices: Float) -> Float:
        """``x[:, g] @ matrices[g]`` side by side, for x of shape (batch, groups * inputs of a matrix)."""
        parts = x.reshape(len(x), self.groups, -1)
        if matrices.shape[2] == 1:
            # A product of a vector for each group takes longer to begin than to make.
            return np.einsum("bgi,gi->bg", parts, matrices[:, :, 0])
        if matrices.shape[1] == 1:
            return (parts * matrices[:, 0]).reshape(len(x), -1)
        parts = parts.swapaxes(0, 1)
        return np.ascontiguousarray((parts @ matrices).swapaxes(0, 1)).reshape(len(x), -1)
