"""Probabilities of classes from decisions between pairs of them, as support vector machines give them."""

from itertools import combinations

import numpy as np

from mho.compiler.types import Float

__all__ = ["probabilities"]


LEAST = 1e-7
"""Probability of a class beside another, at least, as libsvm has it."""


def probabilities(decisions: Float, slope: Float, offset: Float, classes: int) -> Float:
    """Probabilities of shape (samples, classes) from decisions (samples, pairs).

    That of the first class of a pair is ``1 / (1 + exp(slope d + offset))`` (Platt 1999). They are coupled by
    Algorithm 2 of Wu, Lin and Weng, "Probability Estimates for Multi-class Classification by Pairwise Coupling", JMLR
    5, 2004, up to the tolerance of libsvm, which runtimes have too.
    """
    first = np.clip(0.5 * (1.0 - np.tanh(0.5 * (decisions * slope + offset))), LEAST, 1.0 - LEAST)
    beside = np.zeros((len(decisions), classes, classes))
    for pair, (i, j) in enumerate(combinations(range(classes), 2)):
        beside[:, i, j], beside[:, j, i] = first[:, pair], 1.0 - first[:, pair]
    return np.stack([_coupled(pairwise) for pairwise in beside]) if len(beside) else np.zeros((0, classes))


def _coupled(beside: Float) -> Float:
    """Probabilities for those of each class beside each other, of shape (classes, classes)."""
    count = len(beside)
    # Q of equation 21: the sum of the squares of the others on its diagonal, products off it.
    q = -beside.T * beside
    q[np.arange(count), np.arange(count)] = (beside**2).sum(axis=0)
    p = np.full(count, 1.0 / count)
    for _ in range(max(100, count)):
        slope = q @ p
        value = p @ slope
        if np.abs(slope - value).max() < 0.005 / count:
            break
        for t in range(count):
            step = (value - slope[t]) / q[t, t]
            p[t] += step
            value = (value + step * (step * q[t, t] + 2.0 * slope[t])) / (1.0 + step) ** 2
            slope = (slope + step * q[t]) / (1.0 + step)
            p /= 1.0 + step
    return p
