"""A linear system to double precision with a chip's products: conjugate gradients within iterative refinement.

    python examples/noise/solver.py

As M. Le Gallo et al., "Mixed-precision in-memory computing", Nature Electronics 1 (2018) 246: the host computes what is
left of the right side exactly, the chip's cheap products find a correction to it, and that need only be roughly right.
The matrix is a covariance of 500 points with neighbours at up to 12 places; its diagonal is the host's.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

import mho

Reals = NDArray[np.float64]
INNER, ENOUGH = 10, 0.1


def covariance(points: int, reach: int = 12) -> Reals:
    """Symmetric and positive, condition 6."""
    distance = np.abs(np.arange(points)[:, None] - np.arange(points))
    return np.exp(-distance / 2) * (distance <= reach) + 0.5 * np.eye(points)


def correction(product: Any, left: Reals) -> Reals:
    """Conjugate gradients from 0 until a tenth is left of ``left``, or for ten products."""
    z, rest, step, size = np.zeros_like(left), left, left, left @ left
    for _ in range(INNER):
        image = product(step)
        rate = size / (step @ image)
        z, rest, before = z + rate * step, rest - rate * image, size
        if (size := rest @ rest) < ENOUGH**2 * (left @ left):
            break
        step = rest + size / before * step
    return z


def solve(points: int, copies: int, seed: int = 0, most: int = 60) -> tuple[list[float], mho.Matrix]:
    """What is left of the right side after each refinement; the mean of ``copies`` of the matrix is its product."""
    a, diagonal = covariance(points), np.full(points, 1.5)
    b, x = np.random.default_rng(0).normal(size=points), np.zeros(points)
    cells = mho.Chip.load("neurram").matrix(np.tile(a - np.diag(diagonal), (copies, 1)), time="1d", seed=seed)
    left = [1.0]
    while left[-1] > 1e-12 and len(left) <= most:
        x += correction(lambda v: diagonal * v + (cells @ v).reshape(copies, -1).mean(axis=0), b - a @ x)
        left.append(float(np.linalg.norm(b - a @ x) / np.linalg.norm(b)))
    return left, cells


def main(points: int = 500) -> dict[str, Any]:
    """Refinements with the matrix once and four times in the cells."""
    residuals = {}
    for copies in (1, 4):
        left, cells = solve(points, copies)
        residuals[f"{copies} x, {cells.cores} cores"] = left
        print(f"{copies} copies on {cells.cores} cores: {len(left) - 1} refinements, {cells.vectors} products, "
              f"{cells.cycles} cycles, {left[-1]:.1e} left")
    return residuals


def draw(axes: Any, residuals: dict[str, Any]) -> None:
    """What is left by refinements."""
    for name, left in residuals.items():
        axes.semilogy(left, "o-", markersize=3, label=name)
    axes.set(xlabel="refinements", ylabel="residual")
    axes.legend()


if __name__ == "__main__":
    main()
