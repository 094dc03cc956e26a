"""Bayesian logistic regression by a Markov chain whose random steps are the read noise of cells.

    python examples/noise/mcmc.py

On the data of T. Dalgaty et al., "In situ learning using intrinsic memristor variability via Markov chain Monte Carlo
sampling", Nature Electronics 4 (2021) 151, but with noise of reading in place of that of writing: the difference of two
products by the same vector has nothing of the weights in it. The host accepts or rejects.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer

import mho

Reals = NDArray[np.float64]
TRAINED, STEP, PRIOR, ROWS = 400, 0.12, 1.0, 128


def read_noise(count: int, size: int, seed: int) -> Reals:
    """Noise of variance 1, (count, size), of columns of one core a day after programming."""
    # Half of the rows are driven the other way: products are near 0. The converter reaches to four rows' worth.
    drive = np.tile([1.0, -1.0], ROWS // 2)
    cells = mho.Chip.load("neurram-core").matrix(np.ones((size, ROWS)), seed=seed, time="1d", in_bits=1,
                                                 calibrate=np.where(np.arange(ROWS) < 4, 1.0, drive))
    noise = (cells @ (many := np.tile(drive[:, None], count)) - cells @ many).T
    return noise / noise.std(axis=0)


def chain(x: Reals, y: NDArray[np.intp], noise: Reals, rng: np.random.Generator) -> tuple[Reals, float]:
    """Weights after each step, (steps, weights), and the share of steps that were accepted."""
    def density(w: Reals) -> float:
        return float(-np.logaddexp(0, np.where(y > 0, -1, 1) * (x @ w)).sum() - (w @ w) / (2 * PRIOR**2))

    weights, trace, accepted, now = np.zeros(x.shape[1]), [], 0, -np.inf
    for odds, step in zip(np.log(rng.random(len(noise))), noise, strict=True):
        tried = weights + STEP * step
        then = density(tried)
        if odds < then - now:
            weights, now, accepted = tried, then, accepted + 1
        trace.append(weights)
    return np.array(trace), accepted / len(noise)


def main(steps: int = 20_000, seed: int = 0) -> dict[str, Any]:
    """Accuracy and calibration of the mean over the chain, with noise of the cells and with numpy's."""
    rng, chains, (x, y) = np.random.default_rng(seed), {}, load_breast_cancer(return_X_y=True)
    order = rng.permutation(len(x))
    x, y = x[order], y[order]
    x = np.append((x - x[:TRAINED].mean(axis=0)) / x[:TRAINED].std(axis=0), np.ones((len(x), 1)), axis=1)
    shape = steps, x.shape[1]
    for name, noise in (("read noise", read_noise(*shape, seed)), ("numpy", rng.normal(size=shape))):
        weights, accepted = chain(x[:TRAINED], y[:TRAINED], noise, rng)
        odds = (1 / (1 + np.exp(-x[TRAINED:] @ weights[steps // 4 :: 10].T))).mean(axis=1)
        right = 100 * ((odds > 0.5) == y[TRAINED:]).mean()
        brier = ((odds - y[TRAINED:]) ** 2).mean()
        print(f"{name}: {right:.1f} % right, Brier score {brier:.3f}, {100 * accepted:.0f} % of steps accepted")
        chains[name] = {"weights": weights[steps // 4 :], "noise": noise, "right": right}
    return chains


def draw(axes: Any, chains: dict[str, Any]) -> None:
    """Mean and deviation of each weight over both chains."""
    for shift, (name, chain_of) in zip((-0.15, 0.15), chains.items(), strict=True):
        mean, deviation = chain_of["weights"].mean(axis=0), chain_of["weights"].std(axis=0)
        axes.errorbar(np.arange(len(mean)) + shift, mean, deviation, fmt="o", markersize=3, label=name)
    axes.set(xlabel="weight", ylabel="posterior")
    axes.legend()


if __name__ == "__main__":
    main()
