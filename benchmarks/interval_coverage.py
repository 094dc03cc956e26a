"""How often 90 % intervals hold the truth: of figures of devices, and of accuracy.

Cells of known laws are measured again and again, as many as a laboratory has. From each sample come the intervals that
``mho device fit`` prints, of mean and deviation at each time and level, and with ``--accuracy`` the device itself,
whose network runs as ``mho run --seeds`` does. A line says of how many samples the intervals hold the truth: of the
law, and of the accuracy of many chips of the law itself on all images. Every sample has its own images, drawn from the
test set with replacement.

    python benchmarks/interval_coverage.py --samples 200
    python benchmarks/interval_coverage.py --samples 200 --accuracy
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

import mho
import mho.data
from mho.macro_models.devices.device import Device
from mho.macro_models.devices.quantiles import node_z
from mho.macro_models.devices.sections.law import Law
from mho.macro_models.devices.sections.programming import Programming, Range
from mho.macro_models.fit import Measurements, fit_device
from mho.macro_models.fit.law.errors import mean_interval, std_interval
from mho.macro_models.fit.rows import law_rows

Reals = NDArray[np.float64]

CELLS = (20, 100, 1000)
TIMES_S = (0.0, 1.0, 86400.0)
SIZES = (0.6, 1.5, 4.0)
"""Standard deviations at these times, in uS."""
DRIFTS = (0.0, -0.2, -0.8)
LEVELS_US = np.array([4.0, 14.0, 27.0, 40.0])
KEPT = 0.6
"""Correlation of a cell's place between two times."""
FIT_DRAWS = 2000
"""Cells that a fit draws; the command draws more, which changes shapes but neither means nor deviations."""
IMAGES, SEEDS, TRUE_SEEDS = 200, 4, 60


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


def true_device(law: str) -> Device:
    """The device whose cells :func:`measure` draws at the last time: its change alone."""
    u = np.random.default_rng(0)
    sample = np.sort(LAWS[law](u, (2_000_000,)))
    table = np.quantile(sample, ndtr(node_z(145))) * SIZES[-1] + DRIFTS[-1]
    rows = tuple(tuple(tuple(row * table) for _ in LEVELS_US) for row in (0.0, 1.0))
    return Device(
        name=law, range=Range(g_min_uS=1.0, g_max_uS=40.0), programming=Programming(pulse_s=1e-6),
        law=Law(
            model="empirical", levels_uS=tuple(LEVELS_US), times_s=(0.0, TIMES_S[-1]), kept=(1.0, 1.0),
            quantiles_uS=rows,
        ),
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


class Network:
    """The digits on a core."""

    def __init__(self) -> None:
        folder = Path(mho.data.__path__[0])
        content = np.load(folder / "digits.npz")
        self.x, self.y = content["x"], content["y"].astype(np.int64)
        self.net = mho.compile(folder / "digits.onnx", "neurram-core", calibrate=content["calibrate"])

    def run(self, device: Device, x: Reals, **options: object) -> "mho.Result":
        """A run with programming and relaxation alone, at the last time."""
        causes = ("programming", "relaxation")
        return self.net.run(x, device=mho.Device(device), time=TIMES_S[-1], only=causes, **options)


def accuracy(network: Network, law: str, cells: int, samples: int) -> tuple[float, float, float]:
    """Share of the intervals of accuracy that hold the truth, the truth, and the mean width."""
    law_rows.DRAWS = FIT_DRAWS
    true = network.run(true_device(law), network.x, seeds=TRUE_SEEDS).accuracy(network.y)
    r, covered, width = np.random.default_rng([cells, 7]), 0, 0.0
    for k in range(samples):
        device = fit_device(measure(r, law, cells), name=law, g_min_uS=1.0, g_max_uS=40.0)
        chosen = r.integers(0, len(network.x), IMAGES)
        result = network.run(device, network.x[chosen], seed=1000 + SEEDS * k, seeds=SEEDS)
        interval = result.uncertainty(network.y[chosen])
        covered += interval.low <= true <= interval.high
        width += interval.high - interval.low
    return covered / samples, true, width / samples


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--samples", type=int, default=200)
    parser.add_argument("--accuracy", action="store_true")
    parser.add_argument("--laws", default=",".join(LAWS))
    parser.add_argument("--cells", default=",".join(map(str, CELLS)))
    options = parser.parse_args()
    laws, sizes = options.laws.split(","), [int(n) for n in options.cells.split(",")]
    if not options.accuracy:
        print("law      cells   mean   deviation   (share of 90 % intervals that hold the truth)")
        for law in laws:
            for cells in sizes:
                mean, std = figures(law, cells, options.samples)
                print(f"{law:8s} {cells:5d}  {mean:6.1%}  {std:6.1%}", flush=True)
        return
    network = Network()
    print("law      cells   held   true accuracy   mean width")
    for law in laws:
        for cells in sizes:
            covered, true, width = accuracy(network, law, cells, options.samples)
            print(f"{law:8s} {cells:5d}  {covered:6.1%}  {true:6.2%}  {width:6.2%}", flush=True)


if __name__ == "__main__":
    main()
