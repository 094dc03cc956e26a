"""Noise of reads: of the cells, and what the device implies for the converters."""

from dataclasses import dataclass

from mho.macro_models.devices.grid import Polynomial, ln

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
