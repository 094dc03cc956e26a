"""Sparse coding on a 32 x 32 crossbar without transistors: forward and transposed reads of the same cells.

    python examples/sparse_coding.py

The locally competitive algorithm of P. M. Sheridan et al., "Sparse coding with memristor networks", Nature
Nanotechnology 12 (2017) 784: a neuron a column, its feature the cells of the column. Each step reads the array twice.
Forward, rows carry what is not explained yet, and columns say how well each feature fits it; backward, columns carry
the activities, and rows say what these explain together. So neurons that share a feature inhibit each other without a
matrix of their overlaps. Patches are 4 x 4 pixels, a pixel two rows, one for each sign.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import mho
from mho.macro_models.array import Wires
from mho.macro_models.array.nonlinear.reading import read_matrix
from mho.macro_models.devices.sections.conduction import Conduction

Reals = NDArray[np.float64]

DATA = Path(__file__).parent / "data" / "fashion_mnist28.npz"
SIDE, NEURONS = 4, 32
LOW_uS, HIGH_uS, READ_V = 10.0, 60.0, 0.2
RATE, STEPS, THRESHOLD = 0.1, 60, 0.08
WIRES = Wires(r_row_ohm=1.0, r_col_ohm=1.0, r_driver_ohm=50.0, r_sense_ohm=50.0)
CELLS = Conduction(v0_V=0.5)


def patches(images: Reals, count: int, rng: np.random.Generator) -> Reals:
    """Patches with structure, mean 0 and norm 1, of shape (count, pixels)."""
    found: list[Reals] = []
    while len(found) < count:
        image = images[rng.integers(len(images))]
        row, column = rng.integers(0, image.shape[0] - SIDE + 1, 2)
        patch = image[row : row + SIDE, column : column + SIDE].ravel()
        patch = patch - patch.mean()
        if (norm := np.linalg.norm(patch)) > 0.3:
            found.append(patch / norm)
    return np.array(found)


def code(x: Reals, forward: Reals, backward: Reals, threshold: float = THRESHOLD) -> Reals:
    """Activities for patches ``x``, from the two reads as matrices (pixels, neurons) and (neurons, pixels)."""
    u = np.zeros((len(x), forward.shape[1]))
    a = u.copy()
    for _ in range(STEPS):
        left = x - a @ backward
        u += RATE * (left @ forward + a - u)
        a = np.where(u > threshold, u, 0.0)  # neurons fire or they do not
    return a


def learn(x: Reals, rng: np.random.Generator) -> Reals:
    """Features of norm 1, (pixels, neurons): each step turns those that fired towards what was left."""
    features = x[rng.choice(len(x), NEURONS, replace=False)].T.copy()
    for epoch in range(12):
        for part in np.array_split(rng.permutation(len(x)), max(len(x) // 100, 1)):
            a = code(x[part], features, features.T)
            features += 0.5 / (1 + 0.5 * epoch) * (x[part] - a @ features.T).T @ a / (1e-3 + (a**2).sum(axis=0))
            features /= np.linalg.norm(features, axis=0)
    return features


def reads(features: Reals, seed: int = 0) -> tuple[Reals, Reals, "mho.sim.programming.tuning.Tuning"]:
    """Write features into a crossbar; both reads of it in units of the features, and what tuning took."""
    pairs = np.stack([np.maximum(features, 0.0), np.maximum(-features, 0.0)], axis=1).reshape(2 * SIDE**2, NEURONS)
    unit_uS = (HIGH_uS - LOW_uS) / pairs.max()
    target = LOW_uS + unit_uS * pairs
    tuned = mho.tune_crossbar(target, seed=seed)
    g_S = target * (1.0 + tuned.error) * 1e-6
    forward, backward = (
        read_matrix(g_S, WIRES, CELLS, READ_V, mode="current", backward=side) / (unit_uS * 1e-6)
        for side in (False, True)
    )
    # A pixel is on two rows: driven with both signs forward, their currents subtracted backward.
    forward, backward = forward[0::2] - forward[1::2], backward[:, 0::2] - backward[:, 1::2]
    gain = np.sum(forward * features) / np.sum(forward**2), np.sum(backward * features.T) / np.sum(backward**2)
    return forward * gain[0], backward * gain[1], tuned


def error(x: Reals, a: Reals, features: Reals) -> float:
    """Root mean square of what the features do not explain, relative to the patches."""
    return float(np.linalg.norm(x - a @ features.T) / np.linalg.norm(x))


def main(count: int = 2000) -> dict[str, float]:
    """Learn, write, and code patches that were not learned from."""
    rng, data = np.random.default_rng(0), np.load(DATA)
    train, test = (data[name].reshape(-1, 28, 28) / 255.0 for name in ("x_train", "x_test"))
    features = learn(patches(train, count, rng), rng)
    x = patches(test, count, rng)
    forward, backward, tuned = reads(features)
    exact, crossbar = code(x, features, features.T), code(x, forward, backward)
    shown = {
        "cells within 5 %": tuned.within,
        "error, exact features": error(x, exact, features),
        "error, crossbar": error(x, crossbar, features),
        "active neurons, exact": float((exact > 0).mean() * NEURONS),
        "active neurons, crossbar": float((crossbar > 0).mean() * NEURONS),
    }
    for name, value in shown.items():
        print(f"{name:26s} {value:.3f}")
    return shown


if __name__ == "__main__":
    main()
