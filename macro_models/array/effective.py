"""The exact effective matrix of a linear array with wires.

A resistive network is linear, so an array of N driven and M read lines is a matrix: ``out = x @ E``, in both read
modes. E is built once for a programmed state; a vector then costs a dense product, as without wires.

Method (a block Thomas algorithm): every read line is eliminated (:func:`eliminate`), which leaves
the driven lines as N chains of segments coupled by the admittance C_j of each line j. From the far end, let A be the
admittance that the chains see beyond a segment of resistance r. Then ``P = (1 + r A)^-1`` is the voltage divider of
the segment, ``A P + C_j`` is the next A, and the outputs already met are multiplied by P: one block of N x N and the
result are all that is kept. ``1 + r A`` has no eigenvalue below 1, so that Cholesky never meets a bad matrix; ``A P``
is multiplied out, because the cheaper ``(1 - P) / r`` loses digits when segments are small beside the driver.

Time is about ``2 M N^3 + M^2 N^2`` multiplications, memory about 6 blocks and 6 results. The shorter side becomes the
block: by reciprocity the array with sources and outputs exchanged has the transposed matrix. Lines without any cell
have no part in either.

A line is a ladder of resistors, eliminated without a single subtraction. Nodes 0 .. K-1 of a line are joined by
segments of resistance r; node k has a cell of conductance d_k to a source of its own; the last node, the foot, goes
through r + r_foot to 0 V, or is open. Admittances looking up and impedances looking down the ladder are sums, products
and quotients of positive numbers, so that every entry of the inverse is accurate to a few units in the last place,
however small or large the resistances are; r = 0 needs no special case.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import get_blas_funcs, get_lapack_funcs

from mho.macro_models.array.wires import Mode, Wires, check_conductances, check_lines_on, check_mode, flip
from mho.macro_models.errors import InputError, ToolError
from mho.macro_models.threads import one_thread
from mho.macro_models.types import Integers, Integral, Reals


@dataclass(frozen=True)
class Ladder:
    """All lines of an array, eliminated. Arrays have shape (K nodes, lines).

    Z is the inverse of the line's nodal matrix (cells count as conductances to ground): the voltage of node i for a
    unit current into node k.
    """

    d: Reals
    """Cells, in siemens."""
    log_rise: Reals
    """A current into node k shows at node i < k by the factor ``exp(log_rise[i] - log_rise[k])``."""
    z: Reals
    """Diagonal of Z, in ohms; 0 for an open line without cells, whose voltage is not defined."""
    foot: Reals
    """For a unit current into node k: current out of the foot, or voltage of an open foot in ohms."""

    def response(self, line: int, nodes: NDArray[np.intp] | slice) -> Reals:
        """Output of a line for unit voltages of its cells' other ends at ``nodes``: shape (nodes,)."""
        return self.foot[nodes, line] * self.d[nodes, line]

    def admittance(self, line: int, nodes: NDArray[np.intp] | slice) -> Reals:
        """D - D Z D at ``nodes``: what the line with its cells is to the other ends of those cells.

        Shape (nodes, nodes); only the lower triangle is meant.
        """
        d, rise = self.d[nodes, line], self.log_rise[nodes, line]
        a = np.subtract(rise[None, :], rise[:, None])
        np.minimum(a, 0.0, out=a)  # the upper triangle must not overflow
        np.exp(a, out=a)
        a *= (-d * self.z[nodes, line])[:, None]
        a *= d[None, :]
        a.flat[:: d.size + 1] += d
        return a


def eliminate(d: Reals, r: float, r_foot: float | None) -> Ladder:
    """Eliminate every column of ``d``, shape (K, lines), in siemens. ``r_foot`` is ``None`` for an open foot."""
    k = d.shape[0]
    up = np.empty_like(d)  # admittance of node i with its cell and all above
    up[0] = d[0]
    for i in range(1, k):
        up[i] = d[i] + up[i - 1] / (1.0 + r * up[i - 1])
    log_rise = np.zeros_like(d)
    np.cumsum(np.log1p(r * up[:-1]), axis=0, out=log_rise[1:])

    down = np.empty_like(d)
    if r_foot is None:
        down[-1] = 0.0  # an admittance: an open end has no finite impedance
        for i in range(k - 2, -1, -1):
            below = d[i + 1] + down[i + 1]
            down[i] = below / (1.0 + r * below)
        total = up + down
        z = np.divide(1.0, total, out=np.zeros_like(total), where=total > 0)
        return Ladder(d=d, log_rise=log_rise, z=z, foot=z[-1] * np.exp(log_rise - log_rise[-1]))

    down[-1] = r + r_foot  # an impedance: a grounded end has no finite admittance
    passed = np.ones_like(d)  # part of the current that leaves node i downwards and reaches the foot
    for i in range(k - 2, -1, -1):
        share = 1.0 / (1.0 + down[i + 1] * d[i + 1])
        down[i] = r + down[i + 1] * share
        passed[i] = passed[i + 1] * share
    share = 1.0 / (1.0 + up * down)
    return Ladder(d=d, log_rise=log_rise, z=down * share, foot=passed * share)


posv, potrf, potri = get_lapack_funcs(("posv", "potrf", "potri"), dtype=np.float64)
(symm,) = get_blas_funcs(("symm",), dtype=np.float64)


def effective_matrix(
    g_S: ArrayLike,
    wires: Wires,
    *,
    mode: Mode,
    wl: ArrayLike | None = None,
    backward: bool = False,
) -> Reals:
    """Exact response of every read line to every driven line.

    Raises InputError if a conductance is negative or not finite, the mask does not fit, or the mode is none. Raises
    ToolError if the values are so extreme that the factorisation fails.

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
    """
    g = check_conductances(g_S)
    g = np.where(check_lines_on(wl, g.shape[0])[:, None], g, 0.0)
    foot = wires.r_sense_ohm if check_mode(mode) == "current" else None
    # What overflows ends in the check below.
    with one_thread(always=True), np.errstate(over="ignore", invalid="ignore"):
        if backward:
            e = _network(flip(g), wires.r_col_ohm, wires.r_row_ohm, wires.r_driver_ohm, foot)[::-1, ::-1].copy()
        else:
            e = _network(g, wires.r_row_ohm, wires.r_col_ohm, wires.r_driver_ohm, foot)
    _check(not np.isfinite(e).all())
    if mode == "voltage":  # an open line is a weighted mean, which shows lost digits where nothing else does
        _check(bool(np.any(np.abs(e.sum(axis=0) - e.any(axis=0)) > 1e-9)))
    return e


def effective_codes(
    cells: Integral,
    lsb_S: float,
    wires: Wires,
    *,
    mode: Mode,
    wl: ArrayLike | None = None,
    backward: bool = False,
    build: Callable[..., Reals] | None = None,
) -> Integers:
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


def _network(g: Reals, r_row: float, r_col: float, r_lead: float | None, r_foot: float | None) -> Reals:
    """Effective matrix of shape (N, M) for drivers (``None``: current sources) and feet (``None``: open)."""
    driven, read = np.flatnonzero(g.any(axis=1)), np.flatnonzero(g.any(axis=0))
    if driven.size <= read.size:
        return _sweep(g, driven, read, r_row, r_col, r_lead, r_foot)
    # Reciprocity: sources and grounded feet change places as they are; and what flows out of row i's driver for a unit
    # current into the open column j is, as a number, the voltage of column j for a unit voltage at row i.
    n, m = g.shape
    return flip(_sweep(flip(g), m - 1 - read[::-1], n - 1 - driven[::-1], r_col, r_row, r_foot, r_lead))


def _sweep(
    g: Reals,
    driven: NDArray[np.intp],
    read: NDArray[np.intp],
    r_row: float,
    r_col: float,
    r_lead: float | None,
    r_foot: float | None,
) -> Reals:
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


def _cross(a: Reals, e: Reals, r: float) -> Reals:
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


def _add_one(a: Reals) -> None:
    """Add the unit matrix to ``a`` in place."""
    diagonal = np.einsum("ii->i", a)
    diagonal += 1.0


def _check(failed: int | bool) -> None:
    if failed:
        raise ToolError("Cells and wires differ by so much that their network cannot be solved in double precision")
