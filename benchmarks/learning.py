"""Digits that are learned in the cells of a chip: mixed precision, and rules that pulse all cells at once.

    python benchmarks/learning.py [--seeds 5] [--epochs 20] [--rules agad,tiki-taka-2] [--time 40] [-o learning.png]

The 8 x 8 digits of scikit-learn, 1,347 to learn from and 450 to judge by, 64 - 48 - 10. Mixed precision runs on the
functional model of a chip of two cores at 8 and at 6 bits, with cells of 83 and of 21 steps whose steps down are 1.2
times those up; the rules run on cells of 21 steps that scatter as aihwkit's ReRamArrayOM does and are 1.1 times as
large down, with exact products and references that are 5 % off. ``--time``: nothing but how long the updates of so many
images take on cores of 72 x 48 cells with pulses of 100 ns at 100 MHz, by the rules and by mixed precision.
"""

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.datasets import load_digits
from tools import Figures, options, tell

import mho
from mho.figures.run import COLOURS, in_style, new_figure, save_figure
from mho.macro_models.devices import load_device
from mho.macro_models.devices.sections.update import Update
from mho.train.at_once import PulsedPerceptron, with_bias
from mho.train.chip_arrays import ChipArrays
from mho.train.mixed import ACTIVE, Perceptron, initial_weights

SIZES, TRAIN, BATCH, RATE = (64, 48, 10), 1347, 4, 0.1
CHIP = {"mesh.columns": 2, "core.lines": 136, "core.corelet": 4, "programming.pulses": True, "cells.g_max_uS": 21.0}
ARRAYS = {"core.rows": 72, "core.columns": 48, "core.weights": "offset", "mesh.columns": 4, "programming.update": True}
RULE_RATES = {"sgd": 0.1, "tiki-taka": 0.1, "hybrid": 0.1}
"""Of rules; 1 of the others."""
Reals = NDArray[np.float64]
Split = tuple[Reals, NDArray[np.int64], Reals, NDArray[np.int64]]


def split() -> Split:
    """Inputs and classes to learn from, and to judge by."""
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(1000).permutation(len(x))
    x, y = x[order] / 16.0, y[order]
    return x[:TRAIN], y[:TRAIN], x[TRAIN:], y[TRAIN:]


def cells(states: int, ratio: float = 1.2, cycle_spread: float = 0.3, cell_spread: float = 0.3) -> mho.Device:
    """So many steps over the window, twice as large at its ends and down ``ratio`` times as large as up."""
    up = 2 * 20.0 / states
    law = Update(model="soft", g_min_uS=1.0, g_max_uS=21.0, up_uS=up, down_uS=ratio * up, cycle_spread=cycle_spread,
                 cell_spread=cell_spread)
    return mho.Device(replace(load_device("ecram"), update=law))


class FloatPerceptron:
    """The same in double precision."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._weights = [initial_weights(*shape, self._rng) for shape in itertools.pairwise(SIZES)]

    def outputs(self, x: Reals) -> Reals:
        """Logits, of shape (images, classes)."""
        return with_bias(self._hidden(x)) @ self._weights[1]

    def _hidden(self, x: Reals) -> Reals:
        return np.clip(with_bias(x) @ self._weights[0], 0.0, ACTIVE)

    def fit(self, x: Reals, y: NDArray[np.int64]) -> float:
        """Learn from all images once."""
        for chosen in np.array_split(self._rng.permutation(len(x)), -(-len(x) // BATCH)):
            hidden, rate = self._hidden(x[chosen]), RATE / len(chosen)
            error = softmax(with_bias(hidden) @ self._weights[1], axis=1)
            error[np.arange(len(chosen)), y[chosen]] -= 1.0
            back = (error @ self._weights[1].T)[:, :-1] * ((hidden > 0.0) & (hidden < ACTIVE))
            self._weights[1] -= rate * with_bias(hidden).T @ error
            self._weights[0] -= rate * with_bias(x[chosen]).T @ back
        return 0.0


class Mixed(Perceptron):
    """Mixed precision on the functional model of a chip."""

    def __init__(self, seed: int, *, bits: int, states: int) -> None:
        chip = mho.Chip.load("neurram-core", **CHIP)
        super().__init__(chip, SIZES, cells(states), bits=bits, rate=RATE, seed=seed)


def study(name: str, make: Callable[[int], Any], seeds: int, epochs: int, data: Split) -> Figures:
    """Accuracy of each seed behind each epoch, (seeds, epochs), and pulses of an image."""
    x, y, test_x, test_y = data
    accuracy, pulses = np.zeros((seeds, epochs)), np.zeros((seeds, epochs))
    for seed in range(seeds):
        net = make(seed)
        for epoch in range(epochs):
            if isinstance(net, PulsedPerceptron):
                net.rate = RULE_RATES.get(name.split(",")[0], 1.0) * max((1 + np.cos(np.pi * epoch / epochs)) / 2, 0.05)
            done = net.fit(x, y) if not isinstance(net, Mixed) else net.fit(x, y, batch=BATCH).pulses_per_image
            pulses[seed, epoch] = done
            accuracy[seed, epoch] = (net.outputs(test_x).argmax(axis=1) == test_y).mean()
    return {"name": name, "accuracy": accuracy.tolist(), "pulses": pulses.tolist()}


def time_of_updates(images: int) -> list[Figures]:
    """Pulses and cycles of an image, the first ones of a training."""
    x, y, *_ = split()
    rows: list[Figures] = []
    for rule in ("sgd", "tiki-taka-2", "agad"):
        arrays = ChipArrays(mho.Chip.load("array-128", **ARRAYS))
        net = PulsedPerceptron(
            SIZES, cells(21, 1.1, 0.4158, 0.7829), rule, rate=RULE_RATES.get(rule, 1.0), reach=1.0, arrays=arrays)
        pulses = net.fit(x[:images], y[:images])
        rows.append({"name": rule, "pulses": pulses, "cycles": arrays.cycles / images})
    widths = {f"programming.t_{kind}_pulse_ns": 100.0 for kind in ("set", "reset")}
    for bits, states in ((8, 83), (8, 21)):
        chip = mho.Chip.load("neurram-core", **CHIP, **widths)
        mixed = Perceptron(chip, SIZES, cells(states), bits=bits, rate=RATE)
        done = mixed.fit(x[:images], y[:images], batch=BATCH)
        name = f"mixed precision, {states} steps"
        rows.append({"name": name, "pulses": done.pulses_per_image, "cycles": done.cycles_per_image})
    return rows


def summary(row: Figures) -> str:
    """A line of the table: in per cent the mean over seeds at the end, its deviation, the pulses of an image."""
    last = 100 * np.array(row["accuracy"])[:, -1]
    deviation = last.std(ddof=1) if len(last) > 1 else 0.0
    return f"| {row['name']} | {last.mean():.2f} ± {deviation:.2f} | {np.mean(row['pulses']):.2f} |"


@in_style
def figure(rows: list[Figures]) -> Figure:
    """Accuracy behind each epoch, mean of the seeds, and the pulses of an image."""
    result = new_figure(7.2, 2.6)
    left, right = result.subplots(1, 2)
    for row, colour in zip(rows, itertools.cycle(COLOURS)):
        accuracy, pulses = 100 * np.array(row["accuracy"]), np.array(row["pulses"])
        epochs = np.arange(1, accuracy.shape[1] + 1)
        left.plot(epochs, accuracy.mean(axis=0), color=colour, label=row["name"])
        left.fill_between(epochs, accuracy.min(axis=0), accuracy.max(axis=0), color=colour, alpha=0.15, lw=0)
        if pulses.any():
            right.semilogy(epochs, np.maximum(pulses.mean(axis=0), 1e-2), color=colour)
    left.set(xlabel="epoch", ylabel="accuracy (%)", ylim=(85, 100))
    right.set(xlabel="epoch", ylabel="pulses an image")
    left.legend(loc="lower right", fontsize="small")
    return result


def main() -> None:
    """Learn, print, and draw."""
    parser = options(__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--rules", default="", help="rules that pulse all cells at once, by commas")
    parser.add_argument("--time", type=int, metavar="IMAGES", help="how long updates take")
    parser.add_argument("-o", "--output", help="the figure")
    args = parser.parse_args()
    if args.time:
        rows = time_of_updates(args.time)
        lines = [f"| {row['name']} | {row['pulses']:.1f} | {row['cycles']:,.0f} |" for row in rows]
        tell(args, rows, ["| learner | pulses an image | cycles an image |", "| --- | --- | --- |", *lines])
        return
    learners: dict[str, Callable[[int], Any]] = {"float": FloatPerceptron}
    for bits, states in ((8, 83), (6, 83), (8, 21), (6, 21)):
        learners[f"{bits} bits, {states} steps"] = lambda seed, b=bits, s=states: Mixed(seed, bits=b, states=s)
    for rule in filter(None, args.rules.split(",")):
        learners[f"{rule}, 21 steps"] = lambda seed, rule=rule: PulsedPerceptron(
            SIZES, cells(21, 1.1, 0.4158, 0.7829), rule, reach=1.0, reference_error=0.05, seed=seed)
    rows = [study(name, make, args.seeds, args.epochs, split()) for name, make in learners.items()]
    if args.output:
        save_figure(figure(rows), args.output)
    head = ["| learner | accuracy at the end, % | pulses an image |", "| --- | --- | --- |"]
    tell(args, rows, [*head, *map(summary, rows)])


if __name__ == "__main__":
    main()
