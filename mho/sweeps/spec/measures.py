"""What a row of a sweep says of its point: names, units, and which way is better; and which designs no other beats."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


def costs(rows: Sequence[dict[str, float]], objectives: Sequence[tuple[str, bool]]) -> NDArray[np.float64]:
    """Objectives of each row as numbers of which less is better, (rows, objectives); infinite where one is missing."""
    cost = np.full((len(rows), len(objectives)), np.inf)
    for i, row in enumerate(rows):
        for j, (name, more) in enumerate(objectives):
            value = row.get(name)
            if value is not None:
                cost[i, j] = -value if more else value
    return cost


def front(cost: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Rows of ``cost``, (rows, objectives), that no other row beats: at most as large everywhere, less somewhere.

    Rows with an infinite cost are never among them.
    """
    best = np.asarray(np.isfinite(cost).all(axis=1))
    for i in np.flatnonzero(best):
        if best[i]:
            worse = (cost >= cost[i]).all(axis=1) & (cost > cost[i]).any(axis=1)
            best &= ~worse
    return best


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A number of a row."""

    title: str
    """With its unit, as an axis of a figure is called."""
    more: bool
    """Whether more is better."""
    share: bool = False
    """Whether it is a share of the images, 0..1."""


MEASURES = {
    "accuracy": Measure(title="accuracy", more=True, share=True),
    "agreement": Measure(title="same class as the float model", more=True, share=True),
    "relative_error": Measure(title="relative error of the outputs", more=False),
    "latency_us": Measure(title="latency of an input (µs)", more=False),
    "interval_us": Measure(title="interval from input to input (µs)", more=False),
    "latency_cycles": Measure(title="latency of an input (cycles)", more=False),
    "interval_cycles": Measure(title="interval from input to input (cycles)", more=False),
    "energy_nJ": Measure(title="energy of the macros for an input (nJ)", more=False),
    "area_mm2": Measure(title="area of the macros (mm²)", more=False),
    "cores": Measure(title="cores", more=False),
    "cells": Measure(title="cells of the cores", more=False),
    "mvms": Measure(title="conversions of an input", more=False),
}
"""Columns of results. A row leaves out what its chip does not say (energy without energies of its operations)."""
