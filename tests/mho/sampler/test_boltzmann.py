"""A restricted Boltzmann machine repairs images: a fifth of the pixels of Fashion-MNIST flipped, it is known which.

As in W. Wan et al., "A compute-in-memory chip based on resistive random-access memory", Nature 608 (2022) 504: ten
steps of a chain with the other pixels clamped. Odds of the last step are read out. Trained by persistent contrastive
divergence with noise on the weights.
"""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mho.hw.config import load_chip
from mho.macro_models.devices import load_device
from mho.sampler import Problem, Schedule, sample

Reals = NDArray[np.floating]

DATA = Path(__file__).parents[3] / "examples" / "data" / "fashion_mnist28.npz"
SIDE, HIDDEN, FLIPPED, STEPS, RATE, DAY = 28, 120, 0.2, 10, 0.05, 86_400.0


def odds(field: Reals) -> Reals:
    """That a unit is on."""
    return 1 / (1 + np.exp(-np.clip(field, -30, 30)))


def train(images: Reals, epochs: int = 60, noise: float = 0.05, batch: int = 100) -> tuple[Reals, Reals, Reals]:
    """Weights (pixels, hidden) and biases; ``noise`` is relative to the largest weight."""
    rng = np.random.default_rng(0)
    mean = np.clip(images.mean(axis=0), 0.01, 0.99)
    a, b = np.log(mean / (1 - mean)), np.zeros(HIDDEN, images.dtype)
    w = 0.01 * rng.standard_normal((images.shape[1], HIDDEN), dtype=images.dtype)
    chains = (rng.random((batch, images.shape[1])) < mean).astype(images.dtype)
    for epoch in range(epochs):
        rate = RATE * (1 - epoch / epochs)
        for part in np.array_split(rng.permutation(len(images)), len(images) // batch):
            noisy = w + noise * np.abs(w).max() * rng.standard_normal(w.shape, dtype=w.dtype)
            v = images[part]
            h = odds(v @ noisy + b)
            chain_h = odds(chains @ noisy + b)
            state = (rng.random(chain_h.shape) < chain_h).astype(w.dtype)
            chains = (rng.random(chains.shape) < odds(state @ noisy.T + a)).astype(w.dtype)
            chain_h = odds(chains @ noisy + b)
            w += rate * (v.T @ h / len(v) - chains.T @ chain_h / batch - 1e-4 * w)
            a += rate * (v.mean(axis=0) - chains.mean(axis=0))
            b += rate * (h.mean(axis=0) - chain_h.mean(axis=0))
    return w, a, b


def float_chain(w: Reals, a: Reals, b: Reals, v: Reals, sound: NDArray[np.bool_]) -> Reals:
    """Odds of the pixels after the same chain in floating point."""
    rng, image, visible = np.random.default_rng(1), v.copy(), v
    for _ in range(STEPS):
        h = rng.random((len(v), HIDDEN)) < odds(image @ w + b)
        visible = odds(h @ w.T + a)
        image = np.where(sound, v, rng.random(v.shape) < visible)
    return visible


def neighbours(v: Reals, sound: NDArray[np.bool_]) -> Reals:
    """Mean of the known pixels beside each, above and below; a half where none is."""
    pad = ((0, 0), (1, 1), (1, 1))
    values, present = (np.pad((array * sound).reshape(-1, SIDE, SIDE), pad) for array in (v, np.ones_like(v)))
    total, count = (x[:, :-2, 1:-1] + x[:, 2:, 1:-1] + x[:, 1:-1, :-2] + x[:, 1:-1, 2:] for x in (values, present))
    return np.where(count > 0, total / np.maximum(count, 1), 0.5).reshape(v.shape)


@pytest.mark.slow
@pytest.mark.long
def test_a_chip_repairs_as_well_as_floating_point() -> None:
    """By how many percent the L2 distance falls: 70.1 on the chip, 70.8 in floating point when it was written."""
    with np.load(DATA) as data:
        x, test = ((data[name].reshape(-1, SIDE**2) > 127).astype(np.float32) for name in ("x_train", "x_test"))
    w, a, b = train(x)
    images = 200
    whole = test[:images]
    sound = np.random.default_rng(2).random(whole.shape) >= FLIPPED
    damaged = np.where(sound, whole, 1 - whole)

    problem = Problem(couplings=w.astype(np.float64), bias=np.concatenate([a, b], dtype=np.float64), symmetric=False)
    hidden = np.zeros((images, HIDDEN), bool)
    result = sample(
        problem, load_chip("neurram"), Schedule(steps=2 * STEPS), device=load_device("rram-neurram"),
        time_s=DAY, out_bits=8, chains=images, initial=np.concatenate([damaged.astype(int), hidden], axis=1),
        clamped=np.concatenate([sound, hidden], axis=1))

    def removed(repaired: Reals) -> float:
        """Percent of the distance that is gone."""
        after = np.linalg.norm(np.where(sound, whole, repaired) - whole, axis=1).mean()
        return float(100 * (1 - after / np.linalg.norm(damaged - whole, axis=1).mean()))

    chip = removed(odds(result.fields[:, : SIDE**2]))
    assert chip > 68.0
    assert chip > removed(float_chain(w, a, b, damaged, sound)) - 2.0
    assert removed(neighbours(damaged, sound)) > chip > removed(np.broadcast_to(x.mean(axis=0), whole.shape)) + 5.0
