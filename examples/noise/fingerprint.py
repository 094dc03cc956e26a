"""A physical unclonable function: bits from how pairs of cells that were programmed alike differ.

    python examples/noise/fingerprint.py

All weights are equal, and a challenge drives half of the rows with 1 and half with -1. So the exact product is 0, and
the sign of a column's is that of what programming and relaxation left in its cells.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

import mho

ROWS, COLUMNS, CHALLENGES, AGE = 30, 64, 2, "1d"


def bits(seed: int, reads: int, age: str = AGE, without: tuple[str, ...] = ()) -> NDArray[np.bool_]:
    """128 bits of a chip, (reads, bits)."""
    rng, half = np.random.default_rng(0), np.repeat([-1, 1], ROWS // 2)
    challenges = np.stack([rng.permutation(half) for _ in range(CHALLENGES)], axis=1)
    # A last row that is not driven has twice the weight: the others are in the middle of the range.
    weights = np.append(np.ones((COLUMNS, ROWS)), np.full((COLUMNS, 1), 2.0), axis=1)
    challenges = np.append(challenges, np.zeros((1, CHALLENGES)), axis=0)
    chip = mho.Chip.load("tnsa64-core")
    matrix = chip.matrix(weights, seed=seed, time=age, in_bits=1, out_bits=2, without=without)
    return (matrix @ np.tile(challenges, reads) > 0).T.reshape(reads, -1)


def majority(reads: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Of an odd number of reads, along the first axis."""
    return reads.mean(axis=0) > 0.5


def study(chips: int) -> dict[str, Any]:
    """Bits of chips, enrolled by 45 reads, and shares of those that later reads have wrong."""
    enrolled, errors, ages = [], [], ("1d", "7d", "30d", "1y")
    for seed in range(chips):
        reads = bits(seed, 99)
        enrolled.append(truth := majority(reads[:45]))
        errors.append([
            (reads[45:] != truth).mean(), *((majority(reads[45 : 45 + n]) != truth).mean() for n in (3, 9, 27)),
            (bits(seed, 1, without=("read-noise",)) != truth).mean(),
            *((majority(bits(seed, 45, age)) != truth).mean() for age in ages[1:])])
    distance = [float((a != b).mean()) for k, a in enumerate(enrolled) for b in enrolled[:k]]
    return {"enrolled": np.array(enrolled), "distance": np.array(distance), "errors": np.mean(errors, axis=0)}


def main(chips: int = 50) -> dict[str, Any]:
    """Distance of chips from each other, and errors of a chip beside itself."""
    outcome = study(chips)
    first, three, nine, many, quiet, week, month, year = 100 * outcome["errors"]
    print(f"uniqueness {100 * outcome['distance'].mean():.1f} %, ones {100 * outcome['enrolled'].mean():.1f} %")
    print(f"wrong by 1, 3, 9, 27 reads: {first:.2f}, {three:.2f}, {nine:.2f}, {many:.2f} %; "
          f"no read noise {quiet:.2f} %")
    print(f"45 reads after a week, a month, a year: {week:.2f}, {month:.2f}, {year:.2f} %")
    return outcome


def draw(axes: Any, outcome: dict[str, Any]) -> None:
    """Distances between chips, and errors by how many reads are asked."""
    axes.hist(100 * outcome["distance"], bins=np.arange(30, 71, 2), color="tab:blue")
    axes.set(xlabel="bits that differ between two chips, %", ylabel="pairs of chips")
    inset = axes.inset_axes((0.68, 0.55, 0.3, 0.42))
    inset.bar(range(4), 100 * outcome["errors"][:4], color="tab:orange")
    inset.set(xlabel="reads", ylabel="wrong, %", xticks=range(4), xticklabels=["1", "3", "9", "27"])


if __name__ == "__main__":
    main()
