"""How sure a score is: the scatter of chips, what the measurement of the device leaves open, a finite set of images."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mho.macro_models.devices.sections.fit import LEVEL_OF_CONFIDENCE, NORMAL, student
from mho.macro_models.types import Reals

DEVICE_DRAWS = 20
"""Devices that are drawn from the errors of the one that was fitted, where a run has several seeds."""


@dataclass(frozen=True, kw_only=True)
class DeviceRun:
    """One pass through a chip of another device that the same measurement could have given."""

    draw: int
    """Number of the device, see :func:`mho.macro_models.devices.resampled.resampled`."""
    seed: int
    """Which chip: the one with the same seed of the device itself is beside it."""
    outputs: NDArray[np.generic]


@dataclass(frozen=True, kw_only=True)
class Uncertainty:
    """Of the mean of a score over chips. Errors are standard errors of that mean, all of them in units of the score."""

    mean: float
    chips_deviation: float
    """Standard deviation from chip to chip; 0 of one chip."""
    chips: float
    """Its error: the deviation, less what a finite set of images adds to it, over the root of the number of chips."""
    device: float | None
    """Root mean square of what devices drawn from the errors of the fit change, less what a finite set of images adds
    to it; None where the fit says nothing of errors."""
    device_scores: tuple[float, ...]
    """Mean score of each of these devices: that of the device moved by the difference on the same chip."""
    images: float
    """Error of a finite set of images."""
    low: float
    """Lower end of the 90 % interval."""
    high: float
    """Upper end of it."""

    def to_dict(self) -> dict[str, object]:
        """For JSON."""
        return {
            "mean": self.mean, "chips": {"deviation": self.chips_deviation, "error": self.chips},
            "device": None if self.device is None else {"error": self.device, "scores": list(self.device_scores)},
            "images": {"error": self.images}, "level": LEVEL_OF_CONFIDENCE, "interval": [self.low, self.high],
        }


def make_uncertainty(
    scores: Reals, images: Reals, device_runs: tuple[DeviceRun, ...],
    score: Callable[[NDArray[np.generic]], tuple[float, Reals]], seeds: tuple[int, ...], *, share: bool,
) -> Uncertainty:
    """Uncertainty of the mean of ``scores``.

    What a finite set of images does to the scatter of chips, and to the difference of two devices, is taken off
    these: it is in the error of the images already, and a run has it once.

    Parameters
    ----------
    scores
        Score of each chip, (seeds,).
    images
        What each image adds on each chip, (seeds, images): for a share of right classes 0 or 1.
    device_runs
        Passes through other devices.
    score
        Score of the outputs of one pass, and what each image adds to it, (images,).
    share
        Whether the score is a share of the images.
    """
    mean, count = float(scores.mean()), len(scores)
    deviation = float(scores.std(ddof=1)) if count > 1 else 0.0
    chips = math.sqrt(max(deviation**2 - _of_both(images), 0.0) / count)
    # Devices differ from the one that was fitted on the same chip: what chips do is not counted again.
    chip_of, drawn, by_chance = {seed: k for k, seed in enumerate(seeds)}, [], []
    for run in device_runs:
        chip, (value, added) = chip_of[run.seed], score(run.outputs)
        drawn.append(float(mean + value - scores[chip]))
        by_chance.append(_variance(added - images[chip]))
    of_images = _of_images(images.mean(axis=0), share=share)
    device = None
    if drawn:
        moved = float(np.mean((np.array(drawn) - mean) ** 2))
        device = math.sqrt(max(moved - float(np.mean(by_chance)), 0.0))
    # Both ways: what is left open makes a drawn device worse, and made the one that was fitted worse than the true one.
    half = math.hypot(NORMAL * of_images, student(len(drawn)) * (device or 0.0), student(count - 1) * chips)
    limits = (0.0, 1.0) if share else (0.0, math.inf)
    return Uncertainty(
        mean=mean, chips_deviation=deviation, chips=chips, device=device, device_scores=tuple(drawn), images=of_images,
        low=max(mean - half, limits[0]), high=min(mean + half, limits[1]),
    )


def share_error(share: float, images: int) -> float:
    """Standard error of a share of images, with one right and one wrong added (Agresti, Coull)."""
    padded = (share * images + 1.0) / (images + 2.0)
    return math.sqrt(padded * (1.0 - padded) / images)


def _variance(values: Reals) -> float:
    """Variance of the mean of values."""
    return float(values.var(ddof=1)) / len(values) if len(values) > 1 else 0.0


def _of_both(images: Reals) -> float:
    """Variance of the score of a chip by which images are right on one chip and wrong on another (two-way layout)."""
    chips, count = images.shape
    if chips < 2 or count < 2:
        return 0.0
    left = images - images.mean(axis=1, keepdims=True) - images.mean(axis=0) + images.mean()
    return float((left**2).sum()) / ((chips - 1) * (count - 1)) / count


def _of_images(images: Reals, *, share: bool) -> float:
    """Standard error of the mean over images; of shares with an image right and one wrong added (Agresti, Coull)."""
    n = len(images)
    if n < 2:
        return 0.0
    if not share:
        return float(images.std(ddof=1)) / math.sqrt(n)
    padded = np.concatenate([images, [0.0, 1.0]])
    return float(padded.std(ddof=1)) / math.sqrt(len(padded))
