"""Which designs are run: all, some by chance, or those that lead towards the best trade-offs.

A search is a function of its seed and of the rows: begun again it chooses the same designs, whose rows are there
already, and goes on where it was, on however many processors.
"""

from collections.abc import Callable, Sequence

import numpy as np

from mho.sweeps.evaluate import Row
from mho.sweeps.spec.spec import Search

__all__ = ["chosen"]

Evaluate = Callable[[Sequence[int]], Sequence[Row]]
"""Gives the summary of each of some designs, by their numbers."""


def chosen(shape: Sequence[int], ordered: Sequence[bool], search: Search, evaluate: Evaluate) -> None:
    """Have designs of a space of ``shape`` evaluated, as ``search`` says.

    ``ordered`` says of each axis whether its values are numbers, so that near ones are alike.
    """
    size = int(np.prod(shape, dtype=np.int64))
    limit = min(size, search.evaluations or size)
    if search.method == "grid":
        evaluate(range(limit))
    elif search.method == "random":
        evaluate(_some(size, limit, search.seed))
    else:
        from mho.sweeps.search.trade_offs import search_trade_offs

        search_trade_offs(shape, ordered, limit, search, evaluate)


def _some(size: int, count: int, seed: int) -> list[int]:
    """Different numbers below ``size``, in order of chance."""
    rng = np.random.default_rng(seed)
    return [int(number) for number in rng.permutation(size)[:count]]
