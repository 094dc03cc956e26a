"""The uncertainty of a score: what each part is, and that the interval holds."""

import numpy as np
import pytest

from mho.results.uncertainty import DeviceRun, make_uncertainty


def share_right(outputs: np.ndarray) -> float:
    return float(outputs.mean())


def test_parts_are_those_of_their_causes() -> None:
    images = np.r_[np.ones(90), np.zeros(10)]
    chips = np.array([0.88, 0.90, 0.92])
    moved = np.array([-0.04, 0.0, 0.04])
    runs = tuple(DeviceRun(draw=k, seed=k, outputs=np.array([chips[k] + moved[k]])) for k in range(3))
    found = make_uncertainty(chips, images, runs, share_right, (0, 1, 2), share=True)
    assert found.mean == pytest.approx(0.9)
    assert found.chips_deviation == pytest.approx(0.02)
    assert found.chips == pytest.approx(0.02 / 3**0.5)
    assert found.device == pytest.approx(0.04 * (2 / 3) ** 0.5)
    assert found.device_scores == pytest.approx((0.86, 0.90, 0.94))
    assert found.images == pytest.approx(0.03, rel=0.1)
    assert found.low < 0.86 < 0.94 < found.high <= 1.0


def test_a_device_that_knows_no_errors() -> None:
    found = make_uncertainty(np.array([1.0]), np.ones(50), (), share_right, (0,), share=True)
    assert found.device is None
    assert found.to_dict()["device"] is None
    assert (found.chips, found.high) == (0.0, 1.0)
    assert 0.9 < found.low < 1.0  # fifty right ones are no proof


def test_the_interval_holds_the_truth() -> None:
    """Chips and images are samples: of 400 runs on 60 images and 4 chips 85 to 95 % of the intervals hold the truth."""
    r, held, truth = np.random.default_rng(0), 0, 0.8
    for _ in range(400):
        hard = r.beta(8.0, 2.0, 60)  # how often a chip gets an image right
        right = r.random((4, 60)) < hard
        found = make_uncertainty(right.mean(axis=1), right.mean(axis=0), (), share_right, (0, 1, 2, 3), share=True)
        held += found.low <= truth <= found.high
    assert 0.85 < held / 400 < 0.98
