"""Scores against labels and against the float model."""

import numpy as np
import pytest

from mho.macro_models.errors import InputError
from mho.results import score

SCORES = np.array([[0.1, 0.9, 0.0], [0.8, 0.1, 0.1], [0.2, 0.3, 0.5], [0.4, 0.3, 0.3]], dtype=np.float32)


def test_accuracy_is_the_share_of_right_classes() -> None:
    assert score.accuracy(SCORES, [1, 0, 2, 1]) == 0.75


@pytest.mark.parametrize("shape", [(4,), (4, 1)])
def test_accuracy_takes_classes_of_a_final_argmax(shape: tuple[int, ...]) -> None:
    assert score.accuracy(SCORES.argmax(axis=1).reshape(shape), [1, 0, 2, 1]) == 0.75


def test_agreement_ignores_the_scale() -> None:
    assert score.agreement(3 * SCORES + 1, SCORES) == 1.0
    assert score.agreement(-SCORES, SCORES) == 0.0


def test_relative_error() -> None:
    reference = np.array([[3.0], [4.0]])
    assert score.relative_error(reference * 1.1, reference) == pytest.approx(0.1)
    assert score.relative_error(np.zeros((2, 1)), np.zeros((2, 1))) == 0.0


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        (np.zeros((4, 1), int), r"^labels must be a vector of integers, not shape \(4, 1\) of int64$"),
        (np.zeros(4), r"^labels must be a vector of integers, not shape \(4,\) of float64$"),
        (np.zeros(3, int), r"^labels must be as many as the inputs, 4, not 3$"),
        (np.full(4, 3), r"^labels must be between 0 and 2, not 3 to 3$"),
    ],
)
def test_refuses_labels_that_do_not_fit(labels: np.ndarray, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        score.accuracy(SCORES, labels)


def test_labels_need_classes() -> None:
    sentence = r"^labels need a model with one score for each class, not outputs of shape \(4, 1\)$"
    with pytest.raises(InputError, match=sentence):
        score.accuracy(SCORES[:, :1], [0, 0, 0, 0])


def test_deviation_of_one_value_is_zero() -> None:
    assert score.mean_and_deviation([0.5]) == (0.5, 0.0)
    assert score.mean_and_deviation([1.0, 3.0]) == (2.0, pytest.approx(2**0.5))
