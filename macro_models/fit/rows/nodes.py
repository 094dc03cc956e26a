"""Quantile functions of samples, at the nodes of empirical laws."""

import math
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from mho.macro_models.devices.quantiles import NODES, node_z

__all__ = ["NODE_Z", "quantiles"]

NODE_Z = node_z(NODES[1])


@dataclass(frozen=True)
class _Nodes:
    """Least-squares fit of a function that is linear between the nodes to a quantile function."""

    z: NDArray[np.float64] = field(default_factory=lambda: np.linspace(-4.5, 4.5, 36 * 64 + 1))

    @cached_property
    def _normal(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Places among ordered cells; weighted hats, (nodes, points); scaled products of two of them; their scales."""
        density = np.exp(-0.5 * self.z * self.z)
        plain = np.maximum(0.0, 1.0 - np.abs(self.z[:, None] - NODE_Z) / (NODE_Z[1] - NODE_Z[0]))
        hats = (plain * density[:, None]).T
        product = hats @ plain
        # Both sides are scaled by the weight of the node, which at the ends is 1e-5 of that in the middle.
        size = np.sqrt(np.diag(product))
        return ndtr(self.z), hats, product / np.outer(size, size), size

    def fit(self, ordered: NDArray[np.float64]) -> NDArray[np.float64]:
        share, hats, product, size = self._normal
        at = np.minimum((share * len(ordered)).astype(np.int64), len(ordered) - 1)
        return np.linalg.solve(product, hats @ ordered[at] / size) / size


_FIT = _Nodes()


def quantiles(change: NDArray[np.float64]) -> NDArray[np.float64]:
    """Quantiles of a sample at the nodes: nearest to it in the mean square, so that mean and deviation are its own."""
    if not change.size:
        return np.full(NODES[1], math.nan)
    ordered = np.sort(change)
    return np.maximum.accumulate(np.clip(_FIT.fit(ordered), ordered[0], ordered[-1]))
