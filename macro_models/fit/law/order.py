"""How the order of the cells changes with time, and on what scale of time the change sets in."""

import math

import numpy as np
from scipy.special import ndtri

from mho.macro_models.devices.memory import MOST_WEIGHTS
from mho.macro_models.devices.quantiles import node_moments, node_z
from mho.macro_models.types import Reals, Rows

_FEWEST = 20  # cells that were read at two times from which their order is known
_KEPT = 0.985  # correlation of normal scores from which on cells keep their rank
_AGREES = 0.015  # to how much correlations are to be met by fewer numbers than times
_PER_DECADE = 16
_EARLY = 4  # rows from which the onset is fitted
_GRID = float(1 << 16)


def change_scores(quantiles: Reals, change: Reals) -> Reals:
    """Standard normal scores of changes in their quantile functions, given at the nodes for each cell.

    ``quantiles`` have shape (cells, nodes). Where the function is flat, the middle of the flat part.
    """
    z = node_z(quantiles.shape[1])
    nodes = quantiles.shape[1]
    above = (quantiles <= change[:, None]).sum(axis=1)
    below = (quantiles < change[:, None]).sum(axis=1)
    lower, upper = np.clip(below - 1, 0, nodes - 2), np.clip(above, 1, nodes - 1)
    row = np.arange(len(change))
    q0, q1 = quantiles[row, lower], quantiles[row, upper]
    part = np.clip((change - q0) / np.maximum(q1 - q0, 1e-300), 0.0, 1.0)
    return z[lower] + (z[upper] - z[lower]) * np.where(q1 > q0, part, 0.5)


def scores_of(values: Reals) -> Reals:
    """Normal scores by rank (Blom 1958), NaN where there is no value."""
    finite = np.flatnonzero(np.isfinite(values))
    scores = np.full(len(values), math.nan)
    rank = np.empty(len(finite))
    # Ties share the middle of their ranks, as cells at 0 uS do.
    inverse, count = np.unique(values[finite], return_inverse=True, return_counts=True)[1:]
    last = np.cumsum(count)
    rank[:] = (last - (count - 1) / 2.0)[inverse]
    scores[finite] = ndtri((rank - 0.375) / (len(finite) + 0.25))
    return scores


def fit_memory(scores: Reals, die: Reals | None = None) -> tuple[Rows, Reals]:
    """Weights of independent normal numbers for each time (see :mod:`mho.macro_models.devices.memory`).

    Parameters
    ----------
    scores
        Where each cell is in the distribution of its change at each time, as normal scores, NaN where it was not
        read; of shape (cells, times).
    die
        Share of the variance at each time that cells of a die have in common, at all times: it is not the cell's.

    Returns
    -------
    The weights, empty if cells keep their ranks or nothing is known, and the correlations as measured, of shape
    (times, times), NaN where too few cells were read at both.
    """
    times = scores.shape[1]
    correlation = np.full((times, times), math.nan)
    if not times:
        return (), correlation
    ranked = np.stack([scores_of(column) for column in scores.T], axis=1)
    for a in range(times):
        for b in range(a, times):
            both = np.isfinite(ranked[:, a] * ranked[:, b])
            x, y = ranked[both, a], ranked[both, b]
            if both.sum() >= _FEWEST and x.std() > 0.0 and y.std() > 0.0:
                correlation[a, b] = correlation[b, a] = float(np.corrcoef(x, y)[0, 1])
    if die is not None and np.any(die > 0.0):
        of_cell = np.sqrt(1.0 - die)
        correlation = np.clip((correlation - np.sqrt(np.outer(die, die))) / np.outer(of_cell, of_cell), -1.0, 1.0)
    apart = correlation[~np.eye(times, dtype=bool)]
    if not np.isfinite(apart).any() or np.nanmin(apart) > _KEPT:
        return (), correlation
    return _weights(_completed(correlation)), correlation


def _completed(correlation: Reals) -> Reals:
    """Without gaps: between two times that no cells share, the product of the correlations on the way."""
    whole = correlation.copy()
    np.fill_diagonal(whole, 1.0)
    times = len(whole)
    for gap in range(1, times):
        for a in range(times - gap):
            if not math.isfinite(whole[a, a + gap]):
                step = whole[a, a + gap - 1] * whole[a + gap - 1, a + gap] if gap > 1 else 0.9
                whole[a, a + gap] = whole[a + gap, a] = step
    return whole


def _weights(correlation: Reals) -> Rows:
    """As few numbers as meet the correlations."""
    size, vectors = np.linalg.eigh(correlation)
    size, vectors = np.maximum(size[::-1], 0.0), vectors[:, ::-1]
    longest = min(len(correlation), MOST_WEIGHTS)
    rows = np.ones((len(correlation), 1))
    for count in range(1, longest + 1):
        rows = vectors[:, :count] * np.sqrt(size[:count])
        rows = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
        if np.abs(rows @ rows.T - correlation).max() < _AGREES:
            break
    # Turned so that the first time has the first number alone, the second the first two, and so on.
    rotation, _ = np.linalg.qr(rows.T)
    rows = rows @ rotation
    rows = rows * np.where(np.diag(rows[: rows.shape[1]]) < 0.0, -1.0, 1.0)
    rows = np.rint(rows / np.linalg.norm(rows, axis=1, keepdims=True) * _GRID) / _GRID
    return tuple(tuple(float(f"{v:.6g}") + 0.0 for v in row) for row in rows)


def fit_onset(tables: list[Reals], times_s: Reals, pulse_s: float) -> float:
    """Scale of time, in seconds, with which changes grow as ``ln(1 + t / scale)``; 0 if there is one time only.

    ``tables`` are quantiles at the nodes for each time, ``times_s`` the times, both from the first reading on, which
    itself is counted as no change. The root mean squares of the first few are compared, on the logarithmic scale.
    """
    if len(tables) < 3:
        return 0.0
    size = []
    for table in tables[1 : _EARLY + 1]:
        mean, spread = node_moments(table)
        size.append(math.sqrt(float((mean**2 + spread**2).mean())))
    since = times_s[1 : len(size) + 1] - times_s[0]
    if min(size) <= 0.0:
        return 0.0
    low = min(pulse_s, float(since[0]))
    high = float(since[-1]) * 1e2
    steps = max(2, int(_PER_DECADE * math.log10(high / low)))
    trial = np.geomspace(low, high, steps)
    grown = np.log(np.log1p(since / trial[:, None]))
    apart = grown - np.log(size)
    cost = ((apart - apart.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)
    return float(f"{trial[int(np.argmin(cost))]:.3g}")
