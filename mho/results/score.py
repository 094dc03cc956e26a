"""How good outputs are: against labels, or against the float model where there are none."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mho.macro_models.errors import InputError, argument


def is_classifier(outputs: NDArray[np.generic]) -> bool:
    """Whether outputs of one run, (images, ...), can be read as classes: a row of scores each, or integers."""
    if outputs.ndim == 2 and outputs.shape[1] > 1:
        return True
    return np.issubdtype(outputs.dtype, np.integer) and outputs.size == outputs.shape[0]


def choose(outputs: Mapping[str, NDArray[np.generic]], name: str | None) -> str:
    """The output that is scored: the one of ``name``, else the first of classes, else the first.

    Raises InputError if there is none of that name.
    """
    if name is not None and name not in outputs:
        raise InputError(f"{argument('score')} must be one of the outputs {', '.join(outputs)}, not {name!r}")
    if name is not None and outputs[name].dtype.kind in "US":
        raise InputError(f"{argument('score')} must be an output of numbers; {name!r} is text")
    numbers = {k: v for k, v in outputs.items() if v.dtype.kind not in "US"} or outputs
    return name or next((k for k, v in numbers.items() if is_classifier(v)), next(iter(numbers)))


def classes(outputs: NDArray[np.generic]) -> NDArray[np.int64]:
    """Class of each image, (images,): the largest score, or the integer that a final ArgMax gave."""
    if np.issubdtype(outputs.dtype, np.integer) and outputs.size == outputs.shape[0]:
        return outputs.reshape(-1).astype(np.int64)
    return outputs.reshape(outputs.shape[0], -1).argmax(axis=1).astype(np.int64)


def accuracy(outputs: NDArray[np.generic], labels: ArrayLike) -> float:
    """Share of images, 0..1, whose class is the label.

    ``labels`` has shape (images,) and holds integers.

    Raises InputError if the labels do not fit the outputs.
    """
    truth = np.asarray(labels)
    if truth.ndim != 1 or not np.issubdtype(truth.dtype, np.integer):
        raise InputError(f"labels must be a vector of integers, not shape {truth.shape} of {truth.dtype}")
    if truth.shape[0] != outputs.shape[0]:
        raise InputError(f"labels must be as many as the inputs, {outputs.shape[0]}, not {truth.shape[0]}")
    if not is_classifier(outputs):
        raise InputError(f"labels need a model with one score for each class, not outputs of shape {outputs.shape}")
    if outputs.ndim == 2 and outputs.shape[1] > 1 and not 0 <= int(truth.min()) <= int(truth.max()) < outputs.shape[1]:
        raise InputError(f"labels must be between 0 and {outputs.shape[1] - 1}, not {truth.min()} to {truth.max()}")
    return float(np.mean(classes(outputs) == truth))


def agreement(outputs: NDArray[np.generic], reference: NDArray[np.generic]) -> float:
    """Share of images, 0..1, whose class is the reference's."""
    return float(np.mean(classes(outputs) == classes(reference)))


def alike(outputs: NDArray[np.generic], reference: NDArray[np.generic]) -> float:
    """Share of elements, 0..1, that are the reference's."""
    return float(np.mean(outputs == reference))


def relative_error(outputs: NDArray[np.generic], reference: NDArray[np.generic]) -> float:
    """Root mean square of the difference over that of the reference."""
    scale = float(np.sqrt(np.mean(np.square(reference, dtype=np.float64))))
    error = float(np.sqrt(np.mean(np.square(outputs.astype(np.float64) - reference.astype(np.float64)))))
    return error / scale if scale else error


def mean_and_deviation(values: ArrayLike) -> tuple[float, float]:
    """Mean and sample standard deviation; the deviation of one value is 0."""
    array = np.asarray(values, dtype=np.float64)
    return float(array.mean()), float(array.std(ddof=1)) if array.size > 1 else 0.0
