"""What calibration saw of a network's inputs, and whether other inputs are like that."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

BEYOND = 1.0
"""A number is beyond what calibration saw if it is further outside than this times the range of its like there."""
MOST_BEYOND = 0.01
"""Share of numbers beyond, and of clipped inputs of a layer more than during calibration, from which on it is said."""
LEAST_SIZE = 0.35
"""Inputs are small if they are less than this times as large as those of calibration."""
FEW_IMAGES = 8
"""Of fewer images one may be small by itself."""
OUTLIER = 2.0
"""A number counts in the size of inputs with at most this times the largest of its like during calibration."""
MOST_CLIPPED = 0.05
"""Share of a layer's inputs that calibration clips on purpose at most."""

MORE_CLIPPED = 3.0
"""A layer may clip this many times as large a share of its inputs as during calibration."""

_CHUNK = 1 << 15
"""Numbers of the input at once, which stay in the cache of a processor."""


@dataclass(frozen=True, kw_only=True, eq=False)
class InputRange:
    """Least and largest of each number of the input during calibration, (features,), and the size of the inputs."""

    least: NDArray[np.float32]
    largest: NDArray[np.float32]
    size: float = 0.0

    @classmethod
    def of(cls, x: NDArray[np.floating]) -> "InputRange":
        """That of inputs of shape (samples, features)."""
        range_ = cls(least=x.min(axis=0).astype(np.float32), largest=x.max(axis=0).astype(np.float32))
        return replace(range_, size=float(f"{np.sqrt(range_._square(x) / x.size):.6g}"))

    def _square(self, x: NDArray[np.floating]) -> float:
        """Sum of the squares of all numbers, each relative to the largest of its like during calibration."""
        scale = np.maximum(np.abs(self.least), np.abs(self.largest)).astype(np.float64)
        relative = np.abs(x[:, scale > 0]) / scale[scale > 0]
        return float(np.square(np.minimum(relative, OUTLIER)).sum())

    def compare(self, x: NDArray[np.floating]) -> dict[str, float]:
        """Inputs of shape (images, features) beside those of calibration.

        Keys: ``beyond``, the share of numbers that are further outside of the range that calibration saw than that
        range is wide; ``size``, how large the inputs are relative to those of calibration, each number relative to the
        largest of its like there, root mean square (missing if all were 0 there).
        """
        lowest, largest = self.least.astype(np.float64), self.largest.astype(np.float64)
        width = largest - lowest
        # Of what never moved: as of the others.
        width = np.where(width > 0, width, np.median(width[width > 0]) if (width > 0).any() else 0.0) * BEYOND
        beyond, square, rows = 0, 0.0, max(1, _CHUNK // x.shape[1])
        for k in range(0, len(x), rows):
            part = x[k : k + rows]
            beyond += int(((part < lowest - width) | (part > largest + width)).sum())
            square += self._square(part)
        size = np.sqrt(square / max(x.size, 1)) / self.size if self.size > 0 else None
        return {"beyond": beyond / max(x.size, 1)} | ({} if size is None else {"size": float(size)})

    def warnings(self, ratios: dict[str, float], images: int) -> list[str]:
        """Sentences on what :meth:`compare` gave for some images."""
        instead = "outputs may be wrong: calibrate with inputs like these"
        result = []
        if ratios["beyond"] > MOST_BEYOND:
            result.append(
                f"{ratios['beyond']:.1%} of the numbers in the inputs are far outside of the range that calibration "
                f"saw, further than it is wide; {instead}"
            )
        size = ratios.get("size", 1.0)
        if size < (LEAST_SIZE if images >= FEW_IMAGES else LEAST_SIZE / 4):
            result.append(
                f"the inputs are {size:.2g} times as large as those of calibration, so that they use few levels; "
                f"{instead}"
            )
        return result


def calibration_warnings(
    x: NDArray[np.floating], layers: Sequence[str], clipped: Sequence[float], limited: Sequence[float]
) -> list[str]:
    """Sentences on inputs for calibration, of shape (samples, features), and on each layer.

    ``clipped`` is the share of inputs that a layer clips, ``limited`` that of outputs that a converter does.
    """
    result = []
    if not x.any():
        result.append("all calibration inputs are 0: ranges are guesses, and outputs for other inputs may be wrong")
    elif (x == x[0]).all():
        which = "is one calibration input" if len(x) == 1 else f"are {len(x)} calibration inputs, all alike"
        result.append(f"there {which}: ranges are guesses, and outputs for other inputs may be wrong")
    for name, share in zip(layers, clipped, strict=True):
        if share > MOST_CLIPPED:
            result.append(f"layer {name}: {share:.1%} of its inputs are clipped during calibration")
    for name, share in zip(layers, limited, strict=True):
        if share > MOST_BEYOND:
            result.append(
                f"layer {name}: {share:.1%} of its outputs are beyond what a converter takes before it has a code, "
                "during calibration; outputs may be wrong"
            )
    return result


def limit_warning(name: str, count: int, total: int) -> str | None:
    """A sentence where converters of a layer clip more than chance: its codes are wrong, whatever their range."""
    if count <= MOST_BEYOND * total:
        return None
    return (
        f"layer {name}: {count} of {total} outputs ({count / total:.1%}) are beyond what a converter takes before it "
        "has a code; outputs may be wrong"
    )


def clipping_warning(name: str, count: int, total: int, calibration: float) -> str | None:
    """A sentence where a layer clips more of its inputs than during calibration."""
    expected = (MORE_CLIPPED * calibration + MOST_BEYOND) * total
    # Of few inputs more may be clipped by chance.
    if count <= expected + 4.0 * np.sqrt(expected):
        return None
    return (
        f"layer {name}: {count} of {total} inputs ({count / total:.1%}) are beyond what its codes reach, during "
        f"calibration {calibration:.1%}; outputs may be wrong"
    )
