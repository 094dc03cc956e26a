"""Cells of an array as conversions see them through its wires, in integers; how wrong the ideal formula is."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from mho.macro_models.array.cache import MatrixCache
from mho.macro_models.array.effective import effective_codes, effective_matrix
from mho.macro_models.array.nonlinear.reading import Reading
from mho.macro_models.array.wires import Mode, Wires, check_conductances, check_lines_on, ideal_matrix
from mho.macro_models.types import Flags, Indices, Integral, Reals


@dataclass(frozen=True, kw_only=True)
class AnalogError:
    """Error of the ideal formula for independent inputs of mean 0 and 1 V rms."""

    rms: float
    """Root mean square over inputs and read lines, in volts (voltage mode) or amperes (current mode) for 1 V rms."""
    relative: float
    """``rms`` over the rms of the ideal output; 0 if there is no output."""
    after_gain: float
    """What is left of ``relative`` when every read line has the gain that fits it best."""


def analog_error(
    g_S: ArrayLike, wires: Wires, *, mode: Mode, wl: ArrayLike | None = None, backward: bool = False
) -> AnalogError:
    """Estimate the error of the ideal formula; arguments as of :func:`mho.macro_models.array.effective_matrix`.

    The expectation over inputs is exact, from the effective matrix: a second for 256 lines.
    """
    g = check_conductances(g_S)
    g = np.where(check_lines_on(wl, g.shape[0])[:, None], g, 0.0)
    ideal = ideal_matrix(g.T if backward else g, mode=mode)
    # Unit vectors are the inputs, each with its variance of 1 V^2.
    want, got = ideal, effective_matrix(g, wires, mode=mode, backward=backward)
    energy = np.sum(got**2, axis=0)
    gain = np.divide(np.sum(got * want, axis=0), energy, out=np.ones_like(energy), where=energy > 0)
    scale, rms, left = (float(np.sqrt(np.sum(a**2) / a.shape[1])) for a in (want, got - want, got * gain - want))
    return AnalogError(rms=rms, relative=rms / scale if scale else 0.0, after_gain=left / scale if scale else 0.0)


_MATRICES = MatrixCache()
"""Matrices of this process: the passes of an error budget, and of cores that hold the same cells, share them."""


def effective_cells(
    cells: Indices, lsb_uS: float, wires: Wires, wl: Flags, backward: bool,
    reading: Reading | None = None, mode: Mode = "voltage",
) -> Integral:
    """Integer conductances of shape (driven, converted) that give a line its charge: at least 0.

    With perfect wires the codes of the cells whose word line is on. With wires the rounded effective matrix, each
    open line multiplied by the sum of its codes (:func:`~mho.macro_models.array.effective_codes`): the matrix is
    computed in floating point, so that it is the same wherever the same BLAS runs in one thread, and another one could
    round a code otherwise, once in some 10**9. Where lines do not settle, each is multiplied by what it reaches.

    Parameters
    ----------
    cells
        Codes ``[bit line, source line]``.
    lsb_uS
        Conductance of one code.
    wires
        Resistances, and how lines settle; rows are bit lines.
    wl
        Word lines that are on.
    backward
        Source lines are driven and bit lines are converted.
    reading
        Cells that are not linear, with the matrix of their operating point (:func:`read_matrix`); None: ohmic cells.
    mode
        Converted lines are open, or in virtual grounds.
    """
    gated = cells if wl.all() else np.where(wl[:, None], cells, 0)
    k: Integral = gated.T if backward else gated
    if wires.ideal and reading is None:
        return k
    if reading is not None or not wires.settled.ideal:
        build = _MATRICES.matrix if reading is None else reading.matrix
        k = effective_codes(cells, lsb_uS * 1e-6, wires.settled, mode=mode, wl=wl, backward=backward, build=build)
    if not wires.settle_uS:
        return k
    return np.rint(k * _reached(gated.sum(axis=1 if backward else 0) * lsb_uS, wires, len(cells))).astype(np.int64)


def _reached(line_uS: Reals, wires: Wires, lines: int) -> Reals:
    """What converted lines, whose cells conduct ``line_uS``, reach in a sample of the voltage at which they settle.

    One exponential a line, from the reference on in each sample. Its time constant is the capacitance of a line times
    what is in series: the cells together, the driver, and half of the wire of a driven and of a converted line.
    """
    series_ohm = wires.r_driver_ohm + lines * (wires.r_row_ohm + wires.r_col_ohm) / 2.0
    conducting = line_uS > 0.0
    cells_Mohm = np.divide(1.0, line_uS, out=np.zeros(len(line_uS)), where=conducting)
    in_series = wires.settle_uS * (cells_Mohm + series_ohm * 1e-6)
    return -np.expm1(-np.divide(1.0, in_series, out=np.zeros(len(line_uS)), where=conducting))


RANGE_RMS = 4.0
"""A converter's range over the rms of its line's output: normal outputs leave it once in 16,000."""


@dataclass(frozen=True, kw_only=True)
class WireError:
    """What perfect wires would have given differs from what wires give by this much, rms over inputs and lines."""

    relative: float
    """Relative to the rms of the outputs."""
    steps: float
    """In steps of a converter whose range is ``RANGE_RMS`` times that rms."""


def wire_error(wires: Wires, shape: tuple[int, int], g_min_uS: float, g_max_uS: float, bits: int) -> WireError:
    """Error by the wires of an array of random cells, uniform in the range of targets, in its worse direction.

    ``shape`` is (rows, columns), ``bits`` the width of the converters' codes, the sign included. Takes seconds for 256
    lines.
    """
    if wires.settled.ideal:
        return WireError(relative=0.0, steps=0.0)
    g_S = 1e-6 * np.random.default_rng(0).uniform(g_min_uS, g_max_uS, shape)
    both = [analog_error(g_S, wires.settled, mode="voltage", backward=side).relative for side in (False, True)]
    return WireError(relative=max(both), steps=max(both) / RANGE_RMS * (2 ** (bits - 1) - 1))
