"""Elements of values by their indices, padding included."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

PAD = -1
"""Index of an element that is outside of a value: padding."""


def take_rows(x: NDArray[Any], patches: NDArray[np.int32], pad: NDArray[Any]) -> NDArray[Any]:
    """Inputs of a layer's rows at each position, (batch, positions, rows), for values of shape (batch, elements).

    ``patches`` has shape (positions, rows); ``pad`` of shape (rows,) is what a row takes outside of the image.
    """
    pads, index = padded(patches, pad, x.shape[1])
    # Indices are right: "clip" spares the check of each.
    return with_padding(x, pads).take(index.astype(np.intp), axis=1, mode="clip")


def padded(
    patches: NDArray[np.int32], pad: NDArray[Any], elements: int
) -> tuple[NDArray[Any], NDArray[np.integer]]:
    """What stands for padding, beyond that many elements of a value, and patches that point to it."""
    outside = patches == PAD
    if not outside.any():
        return pad[:0], patches
    # One more element for each value of it.
    pads, which = np.unique(pad, return_inverse=True)
    return pads, np.where(outside, elements + which.ravel(), patches)


def with_padding(x: NDArray[Any], pads: NDArray[Any]) -> NDArray[Any]:
    """Values of shape (batch, elements), and beyond their elements what stands for padding."""
    if not len(pads):
        return x
    return np.concatenate([x, np.broadcast_to(pads.astype(x.dtype), (len(x), len(pads)))], axis=1)


def take_elements(x: NDArray[Any], index: NDArray[np.integer]) -> NDArray[Any]:
    """``x[:, index]`` for values of shape (batch, elements), and indices that are right."""
    return x.take(index.astype(np.intp, copy=False), axis=1, mode="clip")


def take_vectors(values: NDArray[Any], index: NDArray[np.integer]) -> NDArray[Any]:
    """Vectors of ``values[:, index]``, (batch * vectors, inputs), for an index of shape (vectors, inputs)."""
    return take_elements(values, index.reshape(-1)).reshape(len(values) * len(index), -1)


def run_of(index: NDArray[np.integer]) -> NDArray[np.integer] | slice:
    """The same elements as a slice, whose use copies nothing, where each is the one after the last."""
    first = int(index[0]) if len(index) else 0
    if first >= 0 and np.array_equal(index, np.arange(first, first + len(index))):
        return slice(first, first + len(index))
    return index
