"""How often 90 % intervals of figures of devices hold the truth: ``python benchmarks/interval_coverage.py``.

Cells of known laws are measured again and again, as many as a laboratory has. From each sample come the intervals that
``mho device fit`` prints, of mean and deviation at each time and level. A line says of how many samples they hold that
of the law.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mho.macro_models.fit import Measurements
from mho.macro_models.fit.law.errors import mean_interval, std_interval

Reals = NDArray[np.float64]

CELLS = (20, 100, 1000)
TIMES_S = (0.0, 1.0, 86400.0)
SIZES = (0.6, 1.5, 4.0)
"""Standard deviations at these times, in uS."""
DRIFTS = (0.0, -0.2, -0.8)
LEVELS_US = np.array([4.0, 14.0, 27.0, 40.0])
KEPT = 0.6
"""Correlation of a cell's place between two times."""


def _mixed(r: np.random.Generator, shape: tuple[int, ...]) -> Reals:
    return np.where(r.random(shape) < 0.1, 3.0, 1.0) * r.standard_normal(shape) / 1.8**0.5


LAWS: dict[str, Callable[[np.random.Generator, tuple[int, ...]], Reals]] = {
    "normal": lambda r, shape: r.standard_normal(shape),
    "student": lambda r, shape: r.standard_t(5, shape) * (3.0 / 5.0) ** 0.5,
    "mixed": _mixed,
    "skewed": lambda r, shape: 2.0 - r.gamma(4.0, 0.5, shape),
}
"""Laws of mean 0 and deviation 1."""


def measure(r: np.random.Generator, law: str, cells: int) -> Measurements:
    """A laboratory's table of so many cells, without the file."""
    target = np.tile(LEVELS_US, cells // len(LEVELS_US))
    fixed_z, many = LAWS[law](r, (cells,)), LAWS[law](r, (len(TIMES_S), cells))
    same = r.random((len(TIMES_S), cells)) < KEPT  # a cell keeps its place, or has another: the law stays what it is
    z = np.where(same, fixed_z, many)
    g = target + np.array(SIZES)[:, None] * z + np.array(DRIFTS)[:, None]
    n, row = len(TIMES_S), np.arange(cells)
    return Measurements(
        path=Path("known.csv"), sha256="", cell=np.repeat(row, n), time_index=np.tile(np.arange(n), cells),
        g_uS=np.maximum(g.T.ravel(), 0.0), target_uS=np.repeat(target, n), first_uS=np.repeat(g[0], n),
        temp_C=np.full(n * cells, 25.0), read_C=np.full(n * cells, 25.0),
        times_s=np.array(TIMES_S), has_target=True, dropped={},
    )


def figures(law: str, cells: int, samples: int) -> tuple[float, float]:
    """Shares of the intervals of means and of deviations that hold the truth, over times, all cells and each level."""
    r = np.random.default_rng([cells, len(law)])
    many = measure(np.random.default_rng(99), law, 400_000)
    covered, count = np.zeros(2), 0
    groups = [None, *LEVELS_US] if cells >= 80 else [None]
    truth = {
        (k, level): (change.mean(), change.std())
        for k in range(len(TIMES_S)) for level in groups for change in [_change(many, k, level)]
    }
    for _ in range(samples):
        data = measure(r, law, cells)
        for (k, level), values in truth.items():
            change = _change(data, k, level)
            for which, interval in enumerate((mean_interval, std_interval)):
                low, high = interval(change)
                covered[which] += low <= values[which] <= high
            count += 1
    return float(covered[0] / count), float(covered[1] / count)


def _change(data: Measurements, k: int, level: float | None) -> Reals:
    at = data.time_index == k
    if level is not None:
        at &= data.target_uS == level
    return (data.g_uS - data.target_uS)[at]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--samples", type=int, default=200)
    parser.add_argument("--laws", default=",".join(LAWS))
    parser.add_argument("--cells", default=",".join(map(str, CELLS)))
    options = parser.parse_args()
    laws, sizes = options.laws.split(","), [int(n) for n in options.cells.split(",")]
    print("law      cells   mean   deviation   (share of 90 % intervals that hold the truth)")
    for law in laws:
        for cells in sizes:
            mean, std = figures(law, cells, options.samples)
            print(f"{law:8s} {cells:5d}  {mean:6.1%}  {std:6.1%}", flush=True)


if __name__ == "__main__":
    main()
