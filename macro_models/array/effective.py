"""The exact effective matrix of a linear array with wires.

A resistive network is linear, so an array of N driven and M read lines is a matrix: ``out = x @ E``, in both read
modes. E is built once for a programmed state; a vector then costs a dense product, as without wires.

Method (a block Thomas algorithm): every read line is eliminated (:mod:`mho.macro_models.array.ladder`), which leaves
the driven lines as N chains of segments coupled by the admittance C_j of each line j. From the far end, let A be the
admittance that the chains see beyond a segment of resistance r. Then ``P = (1 + r A)^-1`` is the voltage divider of
the segment, ``A P + C_j`` is the next A, and the outputs already met are multiplied by P: one block of N x N and the
result are all that is kept. ``1 + r A`` has no eigenvalue below 1, so that Cholesky never meets a bad matrix; ``A P``
is multiplied out, because the cheaper ``(1 - P) / r`` loses digits when segments are small beside the driver.

Time is about ``2 M N^3 + M^2 N^2`` multiplications, memory about 6 blocks and 6 results. The shorter side becomes the
block: by reciprocity the array with sources and outputs exchanged has the transposed matrix. Lines without any cell
have no part in either.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import get_blas_funcs, get_lapack_funcs

from mho.macro_models.array.ladder import eliminate
from mho.macro_models.array.threads import one_thread
from mho.macro_models.array.wires import Mode, Wires, check_conductances, check_lines_on, check_mode, flip
from mho.macro_models.errors import InputError, ToolError

__all__ = ["effective_codes", "effective_matrix"]

posv, potrf, potri = get_lapack_funcs(("posv", "potrf", "potri"), dtype=np.float64)
(symm,) = get_blas_funcs(("symm",), dtype=np.float64)


def effective_matrix(
    g_S: ArrayLike,
    wires: Wires,
    *,
    mode: Mode,
    wl: ArrayLike | None = None,
    backward: bool = False,
) -> NDArray[np.float64]:
    """Exact response of every read line to every driven line.

    Parameters
    ----------
    g_S
        Conductances, shape (N rows, M columns), in siemens; 0 is a missing cell.
    wires
        Resistances around the cells.
    mode
        ``"current"``: amperes into the sense input for each volt at a driver. ``"voltage"``: volts of the open line
        for each volt at a driver; columns then influence each other through rows and drivers.
    wl
        Word lines that are on, N booleans (``None``: all). Word line i gates the cells of row i, whatever the
        direction; the row and the segments of the columns stay.
    backward
        Columns are driven and rows are read; terminals stay where they are.

    Returns
    -------
    NDArray
        Shape (driven, read): (N, M), backward (M, N). Never negative. In voltage mode the column of E of a read line
        sums to 1; an open line without conducting cells reads 0 by definition.

    Raises
    ------
    InputError
        If a conductance is negative or not finite, the mask does not fit, or the mode is none.
    ToolError
        If the values are so extreme that the factorisation fails.
    """
    g = check_conductances(g_S)
    g = np.where(check_lines_on(wl, g.shape[0])[:, None], g, 0.0)
    foot = wires.r_sense_ohm if check_mode(mode) == "current" else None
    with one_thread(), np.errstate(over="ignore", invalid="ignore"):  # what overflows ends in the check below
        if backward:
            e = _network(flip(g), wires.r_col_ohm, wires.r_row_ohm, wires.r_driver_ohm, foot)[::-1, ::-1].copy()
        else:
            e = _network(g, wires.r_row_ohm, wires.r_col_ohm, wires.r_driver_ohm, foot)
    _check(not np.isfinite(e).all())
    if mode == "voltage":  # an open line is a weighted mean, which shows lost digits where nothing else does
        _check(bool(np.any(np.abs(e.sum(axis=0) - e.any(axis=0)) > 1e-9)))
    return e


def effective_codes(
    cells: NDArray[np.integer],
    lsb_S: float,
    wires: Wires,
    *,
    mode: Mode,
    wl: ArrayLike | None = None,
    backward: bool = False,
    build: Callable[..., NDArray[np.float64]] | None = None,
) -> NDArray[np.int64]:
    """Effective matrix in codes of the conductance grid, rounded: shape (driven, read), never negative.

    ``cells`` are codes of shape (N, M), ``lsb_S`` is the conductance of one code in siemens. In voltage mode the
    weights of a read line are multiplied by the sum of its codes over the word lines that are on, so that the steps
    of its converter stay what they are without wires; ideal wires give back the codes of the cells. The code of a cell
    near its driver can exceed the largest code, and that of a missing cell can exceed 0, by sneak paths. ``build``
    stands for :func:`effective_matrix`, as the method of a cache does.
    """
    codes = np.asarray(cells)
    if codes.dtype.kind not in "iu" or codes.ndim != 2:
        raise InputError(f"Cells must be a matrix of integer codes, not {codes.dtype} of shape {codes.shape}")
    if not (np.isfinite(lsb_S) and lsb_S > 0):
        raise InputError(f"lsb_S must be a positive number of siemens, not {lsb_S!r}")
    on = check_lines_on(wl, codes.shape[0])
    e = (build or effective_matrix)(codes * lsb_S, wires, mode=mode, wl=on, backward=backward)
    if mode == "current":
        return np.rint(e / lsb_S).astype(np.int64)
    gated = np.where(on[:, None], codes, 0)
    return np.rint(e * gated.sum(axis=1 if backward else 0)).astype(np.int64)


def _network(
    g: NDArray[np.float64], r_row: float, r_col: float, r_lead: float | None, r_foot: float | None
) -> NDArray[np.float64]:
    """Effective matrix of shape (N, M) for drivers (``None``: current sources) and feet (``None``: open)."""
    driven, read = np.flatnonzero(g.any(axis=1)), np.flatnonzero(g.any(axis=0))
    if driven.size <= read.size:
        return _sweep(g, driven, read, r_row, r_col, r_lead, r_foot)
    # Reciprocity: sources and grounded feet change places as they are; and what flows out of row i's driver for a unit
    # current into the open column j is, as a number, the voltage of column j for a unit voltage at row i.
    n, m = g.shape
    return flip(_sweep(flip(g), m - 1 - read[::-1], n - 1 - driven[::-1], r_col, r_row, r_foot, r_lead))


def _sweep(
    g: NDArray[np.float64],
    driven: NDArray[np.intp],
    read: NDArray[np.intp],
    r_row: float,
    r_col: float,
    r_lead: float | None,
    r_foot: float | None,
) -> NDArray[np.float64]:
    """Walk along the driven rows from the far end to the drivers; ``driven`` and ``read`` are the lines with cells."""
    result = np.zeros(g.shape)
    if not driven.size:
        return result
    columns = eliminate(g[:, read], r_col, r_foot)
    e = np.zeros((driven.size, read.size), order="F")
    a = np.zeros((driven.size, driven.size), order="F")  # admittance beyond; only the lower triangle is meant
    for k in range(read.size - 1, -1, -1):
        if k < read.size - 1:
            a = _cross(a, e[:, k + 1 :], r_row * float(read[k + 1] - read[k]))
        a += columns.admittance(k, driven)
        e[:, k] = columns.response(k, driven)
    if r_lead is not None:
        a *= r_lead + r_row * float(read[0] + 1)
        _add_one(a)
    _, solved, info = posv(a, e, lower=1)
    _check(info)
    result[np.ix_(driven, read)] = solved
    return result


def _cross(a: NDArray[np.float64], e: NDArray[np.float64], r: float) -> NDArray[np.float64]:
    """Take outputs ``e`` (in place) and admittance ``a`` (returned) across a segment of ``r`` ohms."""
    if r == 0.0:
        return a
    p = a * r
    _add_one(p)
    p, info = potrf(p, lower=1, clean=0, overwrite_a=1)
    _check(info)
    p, info = potri(p, lower=1, overwrite_c=1)
    _check(info)
    e[...] = symm(1.0, p, e, lower=1)
    return symm(1.0, a, np.asfortranarray(np.tril(p) + np.tril(p, -1).T), lower=1)


def _add_one(a: NDArray[np.float64]) -> None:
    """Add the unit matrix to ``a`` in place."""
    diagonal = np.einsum("ii->i", a)
    diagonal += 1.0


def _check(failed: int | bool) -> None:
    if failed:
        raise ToolError("Cells and wires differ by so much that their network cannot be solved in double precision")
