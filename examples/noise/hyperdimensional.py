"""Hyperdimensional computing: an encoder and an associative memory in cells, on handwritten digits.

    python examples/noise/hyperdimensional.py

As G. Karunaratne et al., "In-memory hyperdimensional computing", Nature Electronics 3 (2020) 327, with a random
projection for the encoder: an image becomes the signs of its products by random vectors; a class has the signs that
most of its images have, and the class with the largest product wins. Thousands of signs forgive some that are wrong.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits

import mho

Reals = NDArray[np.float64]
TRAINED = 1000


def classes(encoded: Reals, labels: NDArray[np.intp]) -> Reals:
    """Signs (10, dimensions) of what images of a class have more often than others."""
    means = np.stack([encoded[:, labels == k].mean(axis=1) for k in range(10)])
    return np.where(means > means.mean(axis=0), 1.0, -1.0)


def accuracy(scores: Reals, labels: NDArray[np.intp]) -> float:
    """In percent, of scores (10, images)."""
    return float(100 * (scores.argmax(axis=0) == labels).mean())


def classify(dimensions: int, seed: int, age: str = "1d") -> tuple[float, float]:
    """Accuracy with exact products and on chip number ``seed``, whose memory is made of what its encoder gives."""
    x, y = load_digits(return_X_y=True)
    x = (x - x[:TRAINED].mean(axis=0)).T
    rng, test = np.random.default_rng(seed), slice(TRAINED, None)
    encoder = rng.choice([-1.0, 1.0], (dimensions, len(x)))
    exact = np.sign(encoder @ x)
    chip = mho.Chip.load("neurram")
    encoded = np.where(chip.matrix(encoder, seed=seed, time=age, in_bits=4) @ x > 0, 1.0, -1.0)
    memory = classes(encoded[:, :TRAINED], y[:TRAINED])
    scores = chip.matrix(memory, seed=seed + 1000, time=age, in_bits=1) @ encoded[:, test]
    ideal = accuracy(classes(exact[:, :TRAINED], y[:TRAINED]) @ exact[:, test], y[test])
    return ideal, accuracy(scores, y[test])


def main(sizes: tuple[int, ...] = (64, 256, 1024, 2048), chips: int = 5) -> dict[str, Any]:
    """Accuracies by the number of dimensions."""
    accuracies = {size: np.array([classify(size, seed) for seed in range(chips)]).mean(axis=0) for size in sizes}
    for size, (ideal, cells) in accuracies.items():
        print(f"{size} dimensions: {cells:.1f} % a day after programming, {ideal:.1f} % exactly")
    return {"sizes": list(accuracies), "accuracies": np.array(list(accuracies.values()))}


def draw(axes: Any, study: dict[str, Any]) -> None:
    """Accuracy by dimensions."""
    for column, name in enumerate(("exact products", "cells, a day")):
        axes.semilogx(study["sizes"], study["accuracies"][:, column], "o-", label=name)
    axes.set(xlabel="dimensions", ylabel="digits right, %")
    axes.legend()


if __name__ == "__main__":
    main()
