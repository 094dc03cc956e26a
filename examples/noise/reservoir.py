"""An echo state network: a random recurrent layer in cells, and a readout that is trained, on vibration signals.

    python examples/noise/reservoir.py

After H. Jaeger, "The echo state approach to analysing and training recurrent neural networks" (GMD 148, 2001): only the
readout is trained, here on what the cells themselves make of the training signals, so that fixed errors of cells are
part of the reservoir. Noise of each read stays.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import mho

Reals = NDArray[np.float64]
DATA = Path(__file__).parents[1] / "data" / "vibration.npz"
LEAK, RADIUS, GAIN = 0.3, 0.9, 2.0


def states(product: Any, signals: Reals, units: int) -> Reals:
    """Mean and deviation of the units over a signal, (signals, features), for signals (signals, steps)."""
    state, trace = np.zeros((units, len(signals))), []
    for x in signals.T:
        state = (1 - LEAK) * state + LEAK * np.tanh(product(np.append(state, x[None], axis=0)))
        trace.append(state)
    return np.concatenate([np.mean(trace, axis=0), np.std(trace, axis=0), np.ones((1, len(signals)))]).T


def accuracy(product: Any, units: int, data: Any, penalty: float = 3e-2) -> float:
    """In percent, of a readout by ridge regression."""
    x, y = ({part: data[f"{name}_{part}"] for part in ("train", "test")} for name in "xy")
    features = {part: states(product, x[part][:, 0] / 32.0, units) for part in x}
    a, targets = features["train"], np.eye(y["train"].max() + 1)[y["train"]]
    readout = np.linalg.solve(a.T @ a + penalty * np.eye(a.shape[1]), a.T @ targets)
    return float(100 * ((features["test"] @ readout).argmax(axis=1) == y["test"]).mean())


def classify(units: int, seed: int, data: Any) -> tuple[float, float]:
    """Accuracy with exact products, and on chip number ``seed`` a day after programming."""
    rng = np.random.default_rng(seed)
    recurrent = rng.normal(size=(units, units)) * (rng.random((units, units)) < 10 / units)
    recurrent *= RADIUS / np.abs(np.linalg.eigvals(recurrent)).max()
    weights = np.append(recurrent, GAIN * rng.uniform(-1, 1, (units, 1)), axis=1)
    cells = mho.Chip.load("neurram").matrix(weights, seed=seed, time="1d")
    return accuracy(lambda v: weights @ v, units, data), accuracy(cells.product, units, data)


def main(sizes: tuple[int, ...] = (25, 50, 100, 200), chips: int = 5) -> dict[str, Any]:
    """Accuracies by the number of units."""
    with np.load(DATA) as data:
        accuracies = {
            size: np.array([classify(size, seed, data) for seed in range(chips)]).mean(axis=0) for size in sizes
        }
    for size, (ideal, cells) in accuracies.items():
        print(f"{size} units: {cells:.1f} % a day after programming, {ideal:.1f} % exactly")
    return {"sizes": list(accuracies), "accuracies": np.array(list(accuracies.values()))}


def draw(axes: Any, study: dict[str, Any]) -> None:
    """Accuracy by units."""
    for column, name in enumerate(("exact products", "cells, a day")):
        axes.semilogx(study["sizes"], study["accuracies"][:, column], "o-", label=name)
    axes.set(xlabel="units", ylabel="signals right, %")
    axes.legend()


if __name__ == "__main__":
    main()
