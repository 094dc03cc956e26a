"""Cells as a conversion sees them through the wires, in integers."""

import numpy as np
from numpy.typing import NDArray

from macro_models.array import MatrixCache, Wires, effective_codes

__all__ = ["effective_cells"]

_MATRICES = MatrixCache()
"""Matrices of this process: the passes of an error budget, and of cores that hold the same cells, share them."""


def effective_cells(
    cells: NDArray[np.int32], lsb_uS: float, wires: Wires, wl: NDArray[np.bool_], backward: bool
) -> NDArray[np.int64]:
    """Integer conductances of shape (driven, converted) that give a line its charge: at least 0.

    With perfect wires the codes of the cells whose word line is on. With wires the rounded effective matrix, each
    converted line multiplied by the sum of its codes (:func:`~macro_models.array.effective_codes`): the matrix is
    computed in floating point, so that it is the same wherever the same BLAS runs in one thread, and another one could
    round a code otherwise, once in some 10**9.

    Parameters
    ----------
    cells
        Codes ``[bit line, source line]``, of shape (lines, lines).
    lsb_uS
        Conductance of one code.
    wires
        Resistances; rows are bit lines.
    wl
        Word lines that are on.
    backward
        Source lines are driven and bit lines are converted.
    """
    if wires.ideal:
        k = np.where(wl[:, None], cells, 0).astype(np.int64)
        return k.T if backward else k
    build = _MATRICES.matrix
    return effective_codes(cells, lsb_uS * 1e-6, wires, mode="voltage", wl=wl, backward=backward, build=build)
