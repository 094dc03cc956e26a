"""Cells of an array that take part in an update all at once: pulse trains on rows and columns, a step where they meet.

The trains are those of :mod:`mho.macro_models.integer.update`, with other draws.
"""

import math

import numpy as np

from mho.macro_models.devices.sections.update import Update
from mho.macro_models.errors import InputError
from mho.macro_models.integer.update import slots_of
from mho.macro_models.types import Integers, Reals

_HALVINGS = 60


class CrosspointArray:
    """Weights -1..1, ``[input, output]``, each the distance of a cell from a reference, in halves of the cells' window.

    Raises InputError if the device has no law.

    Parameters
    ----------
    law
        How cells answer to a pulse.
    shape
        Inputs and outputs.
    rng
        All that is drawn.
    reference_error
        Standard deviation of the references about the conductance at which a step up and one down are as large, in
        weights.
    """

    def __init__(
        self, law: Update, shape: tuple[int, int], rng: np.random.Generator, *, reference_error: float = 0.0
    ) -> None:
        if not law.model:
            raise InputError("a device must have a section [update] for its cells to learn all at once")
        self._law, self._rng, self.shape = law, rng, shape
        self._half = (law.g_max_uS - law.g_min_uS) / 2.0
        symmetric = symmetry_point(law)
        self._size = rng.standard_normal(shape).ravel()
        self._reference = symmetric + reference_error * self._half * rng.standard_normal(shape)
        self._g = np.full(math.prod(shape), symmetric)
        self.step = float(law.step(symmetric, 1) - law.step(symmetric, -1)) / 2.0 / self._half
        """Mean size of a step where both are as large, in weights."""

    @property
    def weights(self) -> Reals:
        """Of shape (inputs, outputs)."""
        return (self._g.reshape(self.shape) - self._reference) / self._half

    def set(self, weights: Reals) -> None:
        """Program cells so that they have ``weights``, as far as their window allows."""
        g = self._reference + self._half * weights
        self._g = np.clip(g, self._law.g_min_uS, self._law.g_max_uS).ravel()

    def read(self, row: int) -> Reals:
        """Weights of an input as a product with 1 there and 0 elsewhere gives them, of shape (outputs,)."""
        noise = self._law.read_sigma_uS * self._rng.standard_normal(self.shape[1])
        columns = slice(row * self.shape[1], (row + 1) * self.shape[1])
        return (self._g[columns] - self._reference[row] + noise) / self._half

    def pulse(self, pulses: Integers) -> int:
        """Give each cell so many pulses, up above 0, of shape (inputs, outputs); returns how many there were."""
        flat = pulses.ravel()
        cells = np.flatnonzero(flat)
        size, up = np.abs(flat[cells]), flat[cells] > 0
        for k in range(int(size.max(initial=0))):
            for sign in (1, -1):
                at = cells[(size > k) & (up == (sign > 0))]
                if at.size:
                    drawn = self._rng.standard_normal(at.size)
                    self._g[at] = self._law.draw(self._g[at], sign, drawn, self._size[at])
        return int(size.sum())

    def update(self, x: Reals, d: Reals, rate: float) -> int:
        """Add about ``rate x d`` by random trains on inputs and outputs; returns how many pulses met.

        ``x`` has the shape (inputs,), ``d`` (outputs,).
        """
        x_top, d_top = float(np.abs(x).max()), float(np.abs(d).max())
        most = rate * x_top * d_top / self.step
        if most <= 0.0:
            return 0
        slots, height = slots_of(most)
        odds = height / x_top * np.abs(x), height / d_top * np.abs(d)
        rows, columns = (self._rng.random((slots, len(p))) < p for p in odds)
        met = rows.T.astype(np.float32) @ columns.astype(np.float32)
        return self.pulse((met * np.outer(np.sign(x), np.sign(d))).astype(np.int64))


def symmetry_point(law: Update) -> float:
    """Conductance at which a step up and one down are as large, in uS; the middle where all are."""
    low, high = law.g_min_uS, law.g_max_uS
    for _ in range(_HALVINGS):
        middle = (low + high) / 2.0
        difference = float(law.step(middle, 1) + law.step(middle, -1))
        if difference == 0.0:
            return middle
        low, high = (middle, high) if difference > 0.0 else (low, middle)
    return (low + high) / 2.0
