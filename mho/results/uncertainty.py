"""How sure a score is: the scatter of chips, what the measurement of the device leaves open, a finite set of images."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

__all__ = ["DEVICE_DRAWS", "LEVEL", "DeviceRun", "Uncertainty", "make_uncertainty"]

DEVICE_DRAWS = 20
"""Devices that are drawn from the errors of the one that was fitted, where a run has several seeds."""
LEVEL = 0.9
"""Of the interval."""
_Z = 1.6448536269514722

Reals = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class DeviceRun:
    """One pass through a chip of another device that the same measurement could have given."""

    draw: int
    """Number of the device, see :func:`macro_models.devices.resampled.resampled`."""
    seed: int
    """Which chip: the one with the same seed of the device itself is beside it."""
    outputs: NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class Uncertainty:
    """Of the mean of a score over chips. Errors are standard errors of that mean, all of them in units of the score."""

    mean: float
    chips_deviation: float
    """Standard deviation from chip to chip; 0 of one chip."""
    chips: float
    """Its error: the deviation over the root of the number of chips."""
    device: float | None
    """Root mean square of what devices drawn from the errors of the fit change; None where it says nothing of them."""
    device_scores: tuple[float, ...]
    """Mean score of each of these devices: that of the device moved by the difference on the same chip."""
    images: float
    """Error of a finite set of images."""
    low: float
    """Lower end of the 90 % interval."""
    high: float
    """Upper end of it."""

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "mean": self.mean, "chips": {"deviation": self.chips_deviation, "error": self.chips},
            "device": None if self.device is None else {"error": self.device, "scores": list(self.device_scores)},
            "images": {"error": self.images}, "level": LEVEL, "interval": [self.low, self.high],
        }


def make_uncertainty(
    scores: Reals, images: Reals, device_runs: tuple[DeviceRun, ...], score: Callable[[NDArray[Any]], float],
    seeds: tuple[int, ...], *, share: bool,
) -> Uncertainty:
    """Uncertainty of the mean of ``scores``.

    Parameters
    ----------
    scores
        Score of each chip, (seeds,).
    images
        What each image adds, mean over chips, (images,): for a share of right classes between 0 and 1.
    device_runs
        Passes through other devices.
    score
        Score of the outputs of one pass.
    share
        Whether the score is a share of the images.
    """
    mean, count = float(scores.mean()), len(scores)
    deviation = float(scores.std(ddof=1)) if count > 1 else 0.0
    chips = deviation / math.sqrt(count)
    # Devices differ from the one that was fitted on the same chip: what chips do is not counted again.
    own = dict(zip(seeds, scores, strict=True))
    drawn = tuple(float(mean + score(run.outputs) - own[run.seed]) for run in device_runs)
    of_images = _of_images(images, share=share)
    device = float(np.sqrt(np.mean((np.array(drawn) - mean) ** 2))) if drawn else None
    # Both ways: what is left open makes a drawn device worse, and made the one that was fitted worse than the true one.
    half = math.hypot(
        _Z * of_images, _Z * (device or 0.0), chips * float(stdtrit(max(count - 1, 1), 0.5 + LEVEL / 2.0))
    )
    limits = (0.0, 1.0) if share else (0.0, math.inf)
    return Uncertainty(
        mean=mean, chips_deviation=deviation, chips=chips, device=device, device_scores=drawn, images=of_images,
        low=max(mean - half, limits[0]), high=min(mean + half, limits[1]),
    )


def _of_images(images: Reals, *, share: bool) -> float:
    """Standard error of the mean over images; of shares with an image right and one wrong added (Agresti, Coull)."""
    n = len(images)
    if n < 2:
        return 0.0
    if not share:
        return float(images.std(ddof=1)) / math.sqrt(n)
    padded = np.concatenate([images, [0.0, 1.0]])
    return float(padded.std(ddof=1)) / math.sqrt(len(padded))
