"""How wrong the ideal formula is for an array, to be compared with a converter's step."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from mho.macro_models.array.effective import effective_matrix
from mho.macro_models.array.wires import Mode, Wires, check_conductances, check_lines_on, ideal_matrix

__all__ = ["AnalogError", "analog_error"]

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
    scale, rms, left = (
        float(np.sqrt(np.sum(a**2) / a.shape[1])) for a in (want, got - want, got * gain - want)
    )
    return AnalogError(rms=rms, relative=rms / scale if scale else 0.0, after_gain=left / scale if scale else 0.0)
