"""Noise of reads: of the cells, telegraph noise among it, and what the device implies for the converters.

A trap in or beside a filament holds an electron or does not, and the cell's conductance is one of two. Some cells have
such a trap, whose size and whose share of the time in the upper state are the cell's own (Ielmini et al., "Resistance-
dependent amplitude of random telegraph-signal noise in resistive switching memories", APL 96, 053503 (2010): the size
depends on the conductance; Veksler et al., "Random telegraph noise (RTN) in scaled RRAM devices", IRPS 2013: sizes of
cells are log-normal). What each read finds is drawn for the read: traps are as fast as reads are apart, slower ones are
part of the law over time.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from mho.macro_models.devices.grid import Polynomial, evaluate, exp_of, ln
from mho.macro_models.devices.memory import Draws
from mho.macro_models.integer.random import NORMAL_ONE, Purpose
from mho.macro_models.types import Integers, Integral, Reals

GENERATORS = ("cells", "lfsr")
"""What makes the read noise."""


@dataclass(frozen=True, kw_only=True)
class ReadNoise:
    """Fluctuation of a cell, drawn anew for each conversion and frozen during it."""

    sigma_uS: Polynomial = (0.0,)
    """Standard deviation in uS, coefficients as in :class:`Relaxation`: of white noise, or of all that there is."""
    telegraph_uS: Polynomial = ()
    """Standard deviation in uS that random telegraph noise adds, over all cells of a conductance; coefficients as
    before. Empty: none. It is drawn as normal noise of every cell; :class:`Telegraph` has single cells."""
    telegraph_fraction: float = 0.0
    """Fraction of the cells which had it: for the reader."""
    flicker_uS: Polynomial = ()
    """Standard deviation in uS that 1/f noise adds in each e-fold of time (the root of the variance that its
    logarithm multiplies). Empty: none."""
    flicker_efolds: float = 0.0
    """Logarithm of the time over which conversions are spread, in units of that of one: what 1/f noise has grown by."""
    flicker_read_s: float = 0.0
    """Duration of a read in seconds, where 1/f noise grows from programming on: ``flicker_efolds`` is then
    ``ln((t + 2 t_read) / (2 t_read))`` at the time t. 0: the same at all times."""
    g_ref_uS: float = 0.0
    """Conductance at which the argument of these polynomials is 1, in uS. 0: that of :class:`Relaxation`."""
    generator: str = "cells"
    """Of :data:`GENERATORS`: the cells, each for itself, or a shift register behind the converters
    (:mod:`mho.macro_models.integer.shift_register`), for which the deviation must be the same at all conductances."""
    source: str = ""

    def grown(self, time_s: float) -> float:
        """E-folds by which 1/f noise has grown ``time_s`` seconds after programming."""
        if self.flicker_read_s <= 0.0:
            return self.flicker_efolds
        twice = 2.0 * self.flicker_read_s
        return float(ln((time_s + twice) / twice))


@dataclass(frozen=True, kw_only=True)
class ConverterNoise:
    """What the device implies for the converters."""

    spread: bool = True
    """Whether the chip's offsets and gain spread apply."""
    sigma_output_mV: float = 0.0
    """Noise of a line's converter, referred to the integrator, drawn anew for each conversion, in mV."""
    source: str = ""


_SIZE_STEP, _OCCUPANCY_STEP = 1, 2


@dataclass(frozen=True, eq=False)
class Trapped:
    """Traps of some cells, arrays of the shape of the cells."""

    amplitude_uS: Reals
    """Difference of the two conductances, 0 of a cell without a trap."""
    occupancy: Integers
    """Of 65536 reads, how many find the upper one."""


@dataclass(frozen=True, kw_only=True)
class Telegraph:
    """The section ``[telegraph]``. Polynomials have coefficients of the powers of g / g_ref, lowest first."""

    fraction: Polynomial = ()
    """Part of the cells that have a trap, 0..1, a polynomial. Empty: none."""
    amplitude_uS: Polynomial = ()
    """Root mean square, over these cells, of the difference of their two conductances in uS, a polynomial."""
    spread: float = 0.0
    """Deviation of the logarithm of the difference between cells of one conductance."""
    occupancy: tuple[float, ...] = (0.5,)
    """Quantiles, over these cells, of the part of the reads that find the upper conductance, increasing: at even
    distances from the least to the largest, linear between. One number: that of all."""
    g_ref_uS: float = 40.0
    """Conductance at which the argument of the polynomials is 1, in uS. It is held beyond."""
    source: str = ""

    @property
    def acts(self) -> bool:
        """Whether any cell has a trap."""
        return any(self.fraction) and any(self.amplitude_uS)

    def _at(self, polynomial: Polynomial, g_uS: ArrayLike) -> Reals:
        return evaluate(polynomial, np.clip(np.asarray(g_uS, dtype=np.float64) / self.g_ref_uS, 0.0, 1.0))

    def part(self, g_uS: ArrayLike) -> Reals:
        """Part of the cells of these conductances that have a trap, 0..1."""
        return np.minimum(self._at(self.fraction, g_uS), 1.0)

    def size_uS(self, g_uS: ArrayLike) -> Reals:
        """Root mean square of the difference of the two conductances of these, in uS."""
        return self._at(self.amplitude_uS, g_uS)

    def variance_uS2(self, g_uS: ArrayLike) -> Reals:
        """Variance of the reads, over all cells of these conductances, in uS^2."""
        return self.part(g_uS) * self.size_uS(g_uS) ** 2 * self.unevenness

    @cached_property
    def unevenness(self) -> float:
        """Mean over the cells with a trap of p (1 - p), p their occupancy."""
        p = np.array(self.occupancy if len(self.occupancy) > 1 else self.occupancy * 2)
        first, square = 0.5 * (p[:-1] + p[1:]), (p[:-1] ** 2 + p[:-1] * p[1:] + p[1:] ** 2) / 3.0
        return float((first - square).mean())

    def drawn(self, g_uS: Reals, draws: Draws) -> Trapped:
        """Traps of cells that conduct ``g_uS`` on average; a cell keeps its own for its life.

        Sizes are such that the lower conductance is at least 0.
        """
        p = self._occupancies(draws.uniform(Purpose.TRAP, _OCCUPANCY_STEP))
        z = draws.normal(Purpose.TRAP, _SIZE_STEP) / NORMAL_ONE
        size = self.size_uS(g_uS) * exp_of(self.spread * z - self.spread**2)
        size = np.minimum(size, g_uS * 65536.0 / np.maximum(p, 1))
        has = draws.uniform(Purpose.TRAP) < np.rint(self.part(g_uS) * 65536.0)
        return Trapped(np.where(has, size, 0.0), p)

    def _occupancies(self, uniform: Integral) -> Integers:
        quantiles = np.array(self.occupancy)
        steps = max(len(quantiles) - 1, 1)
        at = uniform.astype(np.int64) * steps
        below, rest = at >> 16, (at & 0xFFFF) / 65536.0
        low, high = quantiles[below], quantiles[np.minimum(below + 1, len(quantiles) - 1)]
        return np.rint((low + (high - low) * rest) * 65536.0).astype(np.int64)
