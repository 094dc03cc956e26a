"""What results are likely where nothing was run: Gaussian processes over the axes of a sweep, one for each objective.

A design is a point of a cube: an axis of numbers is one coordinate, by the place in its list, any other one for each
value. Costs that span more than a factor of ten are modelled as logarithms.
"""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.macro_models.errors import ToolError
from mho.sweeps.search.front import front

__all__ = ["Surrogate"]

Reals = NDArray[np.float64]

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
