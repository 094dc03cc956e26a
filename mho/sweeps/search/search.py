"""Which designs are run: all, some by chance, or those that lead towards the best trade-offs.

A search is a function of its seed and of the rows: begun again it chooses the same designs, whose rows are there
already, and goes on where it was, on however many processors.

Towards the trade-offs most of each batch are designs that would be among the best by :class:`Surrogate`.
Others are drawn by chance: these do not rely on results being smooth. No design is chosen twice.

What results are likely where nothing was run say Gaussian processes over the axes, one for each objective. A design is
a point of a cube: an axis of numbers is one coordinate, by the place in its list, any other one for each value. Costs
that span more than a factor of ten are modelled as logarithms.
"""

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.macro_models.errors import ToolError
from mho.macro_models.types import Reals
from mho.sweeps.evaluate import Row
from mho.sweeps.spec.measures import costs, front
from mho.sweeps.spec.spec import Search

FITTED = (40, 60, 100, 140, 250, 500)
"""Numbers of results at which the lengths of the processes are fitted anew."""
_OPTIMISMS = (0.0, 0.5, 1.0, 2.0, 3.0)
"""Deviations by which a design may be better than is expected."""
_SPAN = 10.0


class Surrogate:
    """Processes of all objectives.

    Parameters
    ----------
    shape, ordered
        Values along each axis, and whether they are numbers in order.
    """

    def __init__(self, shape: Sequence[int], ordered: Sequence[bool]) -> None:
        self._shape, self._ordered = tuple(shape), tuple(ordered)
        self._kernels: dict[int, Any] = {}
        self._next = 0

    def likely_best(self, results: dict[int, Reals], candidates: NDArray[np.int64], count: int) -> list[int]:
        """Designs that are not known and would be among the best if they were as expected, or somewhat better.

        Parameters
        ----------
        known
            Costs, (objectives,), by the number of a design.
        candidates
            Numbers of designs, those that are known among them or not.
        count
            Most designs.
        """
        numbers = np.array([number for number, cost in results.items() if np.isfinite(cost).all()], dtype=np.int64)
        if len(numbers) < 2:
            return []
        cost = np.array([results[int(number)] for number in numbers])
        unknown = candidates[~np.isin(candidates, list(results))]
        expected = [self._expected(j, numbers, cost[:, j], unknown) for j in range(cost.shape[1])]
        self._next = sum(len(results) >= fitted for fitted in FITTED)
        chosen: dict[int, None] = {}
        for optimism in _OPTIMISMS:
            guessed = np.stack([mean - optimism * deviation for _, mean, deviation in expected], axis=1)
            measured = np.stack([values for values, _, _ in expected], axis=1)
            best = front(np.concatenate([measured, guessed]))[len(measured) :]
            unsure = np.sum([deviation for _, _, deviation in expected], axis=0)
            for k in sorted(np.flatnonzero(best), key=lambda k: -unsure[k]):
                chosen.setdefault(int(unknown[k]))
            if len(chosen) >= count:
                break
        return list(chosen)[:count]

    def _expected(self, j: int, numbers: NDArray[np.int64], cost: Reals, unknown: NDArray[np.int64]) -> Any:
        """Of objective ``j``: values of what is known, mean and deviation of the others, in one unit."""
        wide = bool((cost > 0.0).all()) and cost.max() > _SPAN * cost.min()
        values = np.log(cost) if wide else cost
        values = (values - values.mean()) / max(float(values.std()), 1e-12)
        process = self._process(j, len(numbers))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a length at its bound: that axis does not matter
            process.fit(self._coordinates(numbers), values)
            self._kernels[j] = process.kernel_
            mean, deviation = process.predict(self._coordinates(unknown), return_std=True)
        return values, mean, deviation

    def _process(self, j: int, count: int) -> Any:
        try:
            from sklearn.gaussian_process import GaussianProcessRegressor
            from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel
        except ImportError:
            raise ToolError("scikit-learn was not found; install it with: pip install 'mho[sweep]'") from None
        due = sum(count >= fitted for fitted in FITTED) > self._next
        kernel = self._kernels.get(j)
        if kernel is None:
            lengths: Any = np.ones(self._coordinates(np.zeros(1, dtype=np.int64)).shape[1])
            kernel = ConstantKernel(1.0, (1e-2, 1e3)) * Matern(lengths, (0.05, 50.0), nu=2.5)
            kernel = kernel + WhiteKernel(1e-4, (1e-8, 0.1))
            due = True
        optimizer: Any = "fmin_l_bfgs_b" if due else None
        return GaussianProcessRegressor(kernel, optimizer=optimizer)

    def _coordinates(self, numbers: NDArray[np.int64]) -> Reals:
        columns = []
        places = np.unravel_index(numbers, self._shape)
        for place, length, ordered in zip(places, self._shape, self._ordered, strict=True):
            columns.append((place / max(length - 1, 1))[:, None] if ordered else np.eye(length)[place])
        return np.hstack(columns)


Evaluate = Callable[[Sequence[int]], Sequence[Row]]
"""Gives the summary of each of some designs, by their numbers."""

_START = 40
"""Designs by chance at the beginning, but a fifth of all at most."""
_MODELLED = 0.6
"""Share of a batch that is by the model, at most; the rest is by chance."""
_CANDIDATES = 20_000
"""Designs among which the model looks at most."""


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
        _search_trade_offs(shape, ordered, limit, search, evaluate)


def _some(size: int, count: int, seed: int) -> list[int]:
    """Different numbers below ``size``, in order of chance."""
    rng = np.random.default_rng(seed)
    return [int(number) for number in rng.permutation(size)[:count]]


def _search_trade_offs(
    shape: Sequence[int], ordered: Sequence[bool], limit: int, search: Search, evaluate: Evaluate
) -> None:
    """Have at most ``limit`` designs evaluated."""
    study = _Study(shape, ordered, search.seed)
    numbers = study.by_chance(min(_START, max(limit // 5, 2)))
    while numbers:
        study.known |= dict(zip(numbers, costs(evaluate(numbers), search.objectives), strict=True))
        numbers = study.next(min(search.batch, limit - len(study.known)))


class _Study:
    """What is known of a space, and what is asked next."""

    def __init__(self, shape: Sequence[int], ordered: Sequence[bool], seed: int) -> None:
        self._shape, self._ordered, self._rng = tuple(shape), ordered, np.random.default_rng(seed)
        self._size = int(np.prod(self._shape, dtype=np.int64))
        self._model = Surrogate(shape, ordered)
        self.known: dict[int, NDArray[np.float64]] = {}
        """Costs by the number of a design."""

    def by_chance(self, count: int) -> list[int]:
        """Designs that are not known, by chance."""
        drawn: dict[int, None] = {}
        while len(drawn) < min(count, self._size - len(self.known)):
            number = int(self._rng.integers(self._size))
            if number not in self.known:
                drawn.setdefault(number)
        return list(drawn)

    def next(self, count: int) -> list[int]:
        """What is to be evaluated next: ``count`` designs, fewer where all are known."""
        count = min(count, self._size - len(self.known))
        if count <= 0:
            return []
        chosen = dict.fromkeys(self._model.likely_best(self.known, self._candidates(), round(_MODELLED * count)))
        for number in self.by_chance(2 * count):
            if len(chosen) < count:
                chosen.setdefault(number)
        return list(chosen)

    def _candidates(self) -> NDArray[np.int64]:
        """All designs, or some by chance."""
        return np.arange(self._size) if self._size <= _CANDIDATES else np.array(self.by_chance(_CANDIDATES))
