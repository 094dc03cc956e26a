"""Trade-offs: which designs no other is better than in every respect."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["costs", "front"]


def costs(rows: Sequence[dict[str, float]], objectives: Sequence[tuple[str, bool]]) -> NDArray[np.float64]:
    """Objectives of each row as numbers of which less is better, (rows, objectives); infinite where one is missing."""
    cost = np.full((len(rows), len(objectives)), np.inf)
    for i, row in enumerate(rows):
        for j, (name, more) in enumerate(objectives):
            value = row.get(name)
            if value is not None:
                cost[i, j] = -value if more else value
    return cost


def front(cost: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Rows of ``cost``, (rows, objectives), that no other row beats: at most as large everywhere, less somewhere.

    Rows with an infinite cost are never among them.
    """
    best = np.asarray(np.isfinite(cost).all(axis=1))
    for i in np.flatnonzero(best):
        if best[i]:
            worse = (cost >= cost[i]).all(axis=1) & (cost > cost[i]).any(axis=1)
            best &= ~worse
    return best
