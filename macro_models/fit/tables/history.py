"""Temperatures of a table: that at which a cell was kept, and that at which it was read."""

import numpy as np
from numpy.typing import NDArray

from mho.macro_models.types import Reals

__all__ = ["kept_and_read"]


def kept_and_read(body: NDArray[np.int64], time_s: Reals, temp_C: Reals, read_C: Reals | None) -> tuple[Reals, Reals]:
    """Temperature in degrees Celsius at which each reading's cell was kept since it was programmed, and was read at.

    With a column for the temperature of the reading, ``temp_C`` is that of the bake. Without one a cell that was heated
    and read again when it was colder was kept at the highest temperature so far. A cell that is programmed anew at each
    temperature has readings at time 0 at several: each is a cell of its own.

    Parameters
    ----------
    body
        Number of the physical cell of each reading, of shape (readings,).
    """
    if read_C is not None:
        return temp_C, np.where(np.isfinite(read_C), read_C, temp_C)
    storage_C = temp_C.copy()
    if len(np.unique(temp_C[np.isfinite(temp_C)])) < 2:
        return storage_C, temp_C
    order = np.lexsort((time_s, body))
    starts = np.flatnonzero(np.concatenate([[True], body[order][1:] != body[order][:-1]]))
    for rows in np.split(order, starts[1:]):
        if len(rows) < 3:
            continue
        temp = temp_C[rows]
        if len(np.unique(temp[time_s[rows] == time_s[rows[0]]])) > 1:
            continue  # programmed more than once
        highest = np.maximum.accumulate(np.where(np.isfinite(temp), temp, -np.inf))
        if np.any(temp < highest):
            storage_C[rows] = np.where(np.isfinite(temp), highest, temp)
    return storage_C, temp_C
