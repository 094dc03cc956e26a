"""Parts of a layer: matrices that share neither inputs nor outputs, the groups of a convolution.

Several groups stand side by side in one product: a matrix with a block for each of them on its diagonal, whose other
cells hold nothing. A part takes rows of its own; all parts of a layer take as many. Any other layer is one part.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from mho.compiler.mapping.weights import share_weights, spread_rows
from mho.compiler.program import DITHER
from mho.compiler.types import Float
from mho.macro_models.types import Indices

GROUP_ROWS = 64
"""Rows up to which groups stand side by side: those of other groups load a column and add their noise to it."""


def segments(size: int, limit: int) -> list[tuple[int, int]]:
    """Cuts ``size`` into as few pieces of at most ``limit`` as possible, nearly equal: (start, length)."""
    pieces = -(-size // limit)
    edges = [size * k // pieces for k in range(pieces + 1)]
    return [(a, b - a) for a, b in pairwise(edges)]


def count_parts(groups: int, inputs: int, rows: int, columns: int) -> int:
    """Parts of a layer of so many groups and inputs, where a core has so many rows and columns for one product."""
    return len(segments(groups, max(1, min(rows // (inputs // groups), GROUP_ROWS // (inputs // groups), columns))))


@dataclass(frozen=True, kw_only=True)
class Parts:
    """Parts of one layer: ``count`` of them hold its ``groups`` of ``inputs`` each that make ``outputs`` each.

    ``order`` says which row stands at each place, where that is not free: as a walk of a tile gives them.
    """

    count: int
    groups: int
    inputs: int
    outputs: int
    order: tuple[int, ...] | None = None

    def edges(self, per_group: int) -> list[tuple[int, int]]:
        """First and number of what each part has, where a group has ``per_group``."""
        cut = [self.groups * k // self.count for k in range(self.count + 1)]
        return [(a * per_group, (b - a) * per_group) for a, b in pairwise(cut)]

    def spread(self, weight: Float, rows: int, *, dither: int) -> Indices:
        """Which input each of ``rows`` rows takes, as :func:`~mho.compiler.mapping.weights.spread_rows` part by part.

        ``weight`` has shape (outputs, inputs of a group).
        """
        spreads = []
        for k, (first, _) in enumerate(self.edges(self.inputs)):
            part = spread_rows(self._matrix(weight, k), rows // self.count, dither=dither)
            spreads.append(np.where(part == DITHER, DITHER, part + first))
        spread = np.concatenate(spreads).astype(np.int32)
        return spread if self.order is None else spread[np.array(self.order)]

    def share(self, weight: Float, spread: Indices) -> Float:
        """Weights of the rows of each output's part, of shape (outputs, rows of a part)."""
        inputs, weights = spread.reshape(self.count, -1), []
        for k, (first, _) in enumerate(self.edges(self.inputs)):
            part = np.where(inputs[k] == DITHER, DITHER, inputs[k] - first)
            weights.append(share_weights(self._matrix(weight, k), part))
        return np.concatenate(weights)

    def taken(self, spread: Indices) -> Indices:
        """Which input each row of each output's part takes: (outputs, rows of a part), or (rows,) of one part."""
        if self.count == 1:
            return spread
        return np.repeat(spread.reshape(self.count, -1), [size for _, size in self.edges(self.outputs)], axis=0)

    def _matrix(self, weight: Float, part: int) -> Float:
        """The weights of a part, (its outputs, its inputs)."""
        if self.groups == 1:
            return weight
        first, size = self.edges(self.outputs)[part]
        blocks = weight[first : first + size].reshape(-1, self.outputs, self.inputs)
        matrix = np.zeros((len(blocks), self.outputs, len(blocks), self.inputs))
        matrix[np.arange(len(blocks)), :, np.arange(len(blocks))] = blocks
        return matrix.reshape(size, -1)
