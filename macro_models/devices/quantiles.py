"""Quantile functions at nodes of the standard normal variable: of parametric laws, and what all of them share.

The nodes are equally spaced from -4.5 to 4.5, and a function is linear between them: a normal law is exact. 37 nodes
hold smooth laws, 145 such as jump between two humps.
"""

import math
from functools import cache

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import erf, erfc

from mho.macro_models.integer.random import NORMAL_ONE
from mho.macro_models.types import Reals

TOP = NORMAL_ONE // 2 * 9
"""The last node, 4.5, as a normal code; the first is its opposite."""
NODES = (37, 145)
"""Nodes of a quantile function: of parametric laws the first number, of empirical ones either."""
_NEWTON = 16
_UNIFORM = 1.3489795003921634  # makes the median of |v| of a uniform v in -1.349..1.349 that of a standard normal


def mixture_quantile(z: ArrayLike, tail: ArrayLike, ratio: ArrayLike) -> Reals:
    """Quantile, in units of the core's scale, of one side of a law, at the normal variable ``z`` >= 0.

    A fraction ``tail`` of the cells is normal with ``ratio`` >= 1 times the scale of the others. With ``ratio`` 0 the
    side is lighter than normal: ``tail`` 0 is normal, 1 uniform, 2 has a density that rises towards its end, all with
    the same median; between them quantiles are mixed.
    """
    z, tail, ratio = np.broadcast_arrays(*(np.asarray(a, dtype=np.float64) for a in (z, tail, ratio)))
    light = ratio < 1.0
    inside = erf(z / math.sqrt(2.0))
    uniform, rising = _UNIFORM * inside, _UNIFORM / 1.5 * inside * (2.0 - inside)
    first, second = np.minimum(tail, 1.0), np.maximum(tail - 1.0, 0.0)
    bounded = np.asarray((1.0 - first) * z + (first - second) * uniform + second * rising)
    if not light.all():
        heavy = ~light
        bounded[heavy] = _solve(z[heavy], tail[heavy], ratio[heavy])
    return bounded


def _solve(z: Reals, part: Reals, wide: Reals) -> Reals:
    """Where ``(1 - part) erfc(y / sqrt 2) + part erfc(y / (wide sqrt 2))`` is ``erfc(z / sqrt 2)``, by Newton's method.

    The root lies between z and ``wide * z``; a step that would leave what is left of this interval halves it instead.
    """
    root2 = math.sqrt(2.0)
    aim = np.log(erfc(z / root2))
    low, high = z.copy(), z * wide
    y = low + (high - low) * part
    for _ in range(_NEWTON):
        near, far = y / root2, y / (wide * root2)
        survival = (1.0 - part) * erfc(near) + part * erfc(far)
        excess = np.log(survival) - aim
        low, high = np.where(excess > 0.0, y, low), np.where(excess > 0.0, high, y)
        density = ((1.0 - part) * np.exp(-near * near) + part / wide * np.exp(-far * far)) * math.sqrt(2.0 / math.pi)
        step = y + excess * survival / density
        y = np.where((step >= low) & (step <= high), step, 0.5 * (low + high))
    return y


def node_z(nodes: int) -> Reals:
    """The standard normal variable at the nodes, of shape (nodes,)."""
    return np.arange(nodes, dtype=np.float64) * (9.0 / (nodes - 1)) - 4.5


@cache
def _node_weights(nodes: int) -> tuple[Reals, Reals]:
    """Mean of each node's hat over the standard normal variable, and of the product of two hats."""
    z = np.linspace(-4.5, 4.5, 36 * 64 + 1)
    density = np.exp(-0.5 * z * z)
    hats = np.maximum(0.0, 1.0 - np.abs(z[:, None] - node_z(nodes)) * ((nodes - 1) / 9.0))
    density /= density.sum()
    return density @ hats, hats.T @ (density[:, None] * hats)


def node_moments(quantiles: Reals) -> tuple[Reals, Reals]:
    """Mean and standard deviation of quantile functions given at the nodes, of shape (..., nodes)."""
    weight, product = _node_weights(quantiles.shape[-1])
    mean = quantiles @ weight
    centred = quantiles - mean[..., None]
    return mean, np.sqrt(np.maximum(((centred @ product) * centred).sum(axis=-1), 0.0))


def two_sided(
    shift: Reals,
    low: Reals,
    high: Reals,
    low_tail: Reals,
    high_tail: Reals,
    low_ratio: Reals,
    high_ratio: Reals,
) -> Reals:
    """Quantiles at the nodes of parametric laws, from what :class:`Law` holds, each of shape (..., 1)."""
    z, middle = node_z(NODES[0]), NODES[0] // 2
    below = -low * mixture_quantile(-z[:middle], low_tail, low_ratio)
    above = high * mixture_quantile(z[middle:], high_tail, high_ratio)
    return shift + np.concatenate([below, above], axis=-1)


def outwards(quantiles: Reals) -> Reals:
    """Quantiles at the nodes, each no nearer to the median than those between: unchanged if they do not cross."""
    middle = quantiles.shape[-1] // 2
    below = np.minimum.accumulate(quantiles[..., middle::-1], axis=-1)[..., ::-1]
    above = np.maximum.accumulate(quantiles[..., middle:], axis=-1)
    return np.concatenate([below, above[..., 1:]], axis=-1)
