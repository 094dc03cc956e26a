"""The uncertainty of a score: what each part is, and that the interval holds."""

import math

import numpy as np
import pytest
from scipy.special import ndtr

from mho.results.uncertainty import DeviceRun, make_uncertainty


def share_right(outputs: np.ndarray) -> tuple[float, np.ndarray]:
    return float(outputs.mean()), outputs.astype(float)


def test_parts_are_those_of_their_causes() -> None:
    # Chips that differ in all images alike: nothing of their scatter is due to a finite set of images.
    chips, moved = np.array([0.88, 0.90, 0.92]), np.array([-0.04, 0.0, 0.04])
    images = chips[:, None] + np.tile([0.05, -0.05], 50)
    runs = tuple(DeviceRun(draw=k, seed=k, outputs=images[k] + moved[k]) for k in range(3))
    uncertainty = make_uncertainty(images.mean(axis=1), images, runs, share_right, (0, 1, 2), share=True)
    assert uncertainty.mean == pytest.approx(0.9)
    assert uncertainty.chips_deviation == pytest.approx(0.02)
    assert uncertainty.chips == pytest.approx(0.02 / 3**0.5)
    assert uncertainty.device == pytest.approx(0.04 * (2 / 3) ** 0.5)
    assert uncertainty.device_scores == pytest.approx((0.86, 0.90, 0.94))
    assert 0.05 / 10 < uncertainty.images < 0.012  # with an image right and one wrong added
    assert uncertainty.low < 0.86 < 0.94 < uncertainty.high <= 1.0


def test_what_images_do_is_counted_once() -> None:
    """Chips and devices that are alike, but for images that each gets right by chance, are no scatter of their own."""
    r = np.random.default_rng(2)
    parts = []
    for _ in range(60):
        right = (r.random((4, 200)) < 0.8).astype(float)
        runs = tuple(DeviceRun(draw=k, seed=k % 4, outputs=r.random(200) < 0.8) for k in range(20))
        uncertainty = make_uncertainty(right.mean(axis=1), right, runs, share_right, (0, 1, 2, 3), share=True)
        parts.append((uncertainty.chips, uncertainty.device, uncertainty.chips_deviation))
    chips, device, deviation = np.array(parts, dtype=float).T
    assert deviation.mean() == pytest.approx(0.0283, rel=0.15)  # sqrt(0.8 0.2 / 200): the figure itself stays
    assert chips.mean() < 0.5 * deviation.mean() / 2.0
    assert device.mean() < 0.5 * 0.04


def test_a_device_that_knows_no_errors() -> None:
    uncertainty = make_uncertainty(np.array([1.0]), np.ones((1, 50)), (), share_right, (0,), share=True)
    assert uncertainty.device is None
    assert uncertainty.to_dict()["device"] is None
    assert (uncertainty.chips, uncertainty.high) == (0.0, 1.0)
    assert 0.9 < uncertainty.low < 1.0  # fifty right ones are no proof


@pytest.mark.parametrize(("images", "edge", "device"), [(60, 0.8, 0.1), (200, 0.8, 0.3), (200, 2.0, 0.0)])
def test_the_interval_holds_the_truth(images: int, edge: float, device: float) -> None:
    """Chips, images and the device are samples: of 300 runs 85 to 95 % of the intervals hold the truth.

    An image is right where its margin is, with what chip and device add to it, above 0.
    """
    r, covered, runs, read_noise = np.random.default_rng(0), 0, 300, 0.3
    truth = float(ndtr(edge / math.sqrt(1.0 + 0.05**2 + read_noise**2)))
    for _ in range(runs):
        chip = r.standard_normal(images) + edge + 0.05 * r.standard_normal((4, 1)) + device * r.standard_normal()
        noise = read_noise * r.standard_normal((4, images))
        right = (chip + noise > 0.0).astype(float)
        drawn = tuple(
            DeviceRun(draw=k, seed=k % 4, outputs=chip[k % 4] + noise[k % 4] + device * r.standard_normal() > 0.0)
            for k in range(20)
        )
        interval = make_uncertainty(right.mean(axis=1), right, drawn, share_right, (0, 1, 2, 3), share=True)
        covered += interval.low <= truth <= interval.high
    slack = 3.0 * math.sqrt(0.9 * 0.1 / runs)
    assert 0.85 - slack < covered / runs < 0.95 + slack
