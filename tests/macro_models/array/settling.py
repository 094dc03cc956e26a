"""How the open lines of voltage mode settle.

With stiff drivers a column is one capacitor behind its cells: ``tau_j = C / sum_i g_ij``. Drivers and wires that are
not stiff couple the columns, and only the whole network tells; both are here.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import eigh

from mho.macro_models.array.effective import eliminate
from mho.macro_models.array.wires import Wires, check_conductances, check_lines_on
from mho.macro_models.errors import InputError
from mho.macro_models.threads import one_thread

__all__ = ["MAX_NODES", "STIFF_LOAD", "ExactSettling", "OnePole", "one_pole"]

STIFF_LOAD = 0.02
"""Largest load for which one pole describes the columns, to about 1 % of the largest voltage."""

MAX_NODES = 1600
"""Most nodes (rows times columns) of an exact solution: 40 x 40, some seconds."""


@dataclass(frozen=True, kw_only=True)
class OnePole:
    """One exponential for each column."""

    tau_s: NDArray[np.float64]
    """Time constants, shape (M,), in seconds; infinite for a column without cells."""
    load: float
    """Largest conductance of a line times the mean resistance before its cells: ``r_driver + r_row * M / 3`` of a row,
    ``r_col * N / 3`` of a column (a third, because the cells share the line)."""

    @property
    def valid(self) -> bool:
        """Whether drivers and lines are stiff enough, ``load < STIFF_LOAD``."""
        return self.load < STIFF_LOAD

    def at(self, t_s: float, v_final_V: ArrayLike, v0_V: ArrayLike = 0.0) -> NDArray[np.float64]:
        """Voltages at time ``t_s`` on the way from ``v0_V`` to ``v_final_V``: shape (..., M)."""
        v_final, v0 = np.asarray(v_final_V, dtype=np.float64), np.asarray(v0_V, dtype=np.float64)
        return v_final + (v0 - v_final) * np.exp(-t_s / self.tau_s)

    def time_for(self, bits: int) -> float:
        """Seconds after which the slowest column with cells is within half a step of ``bits`` bits."""
        finite = self.tau_s[np.isfinite(self.tau_s)]
        return float(finite.max(initial=0.0)) * (bits + 1) * math.log(2.0)


def one_pole(
    g_S: ArrayLike, wires: Wires, *, c_col_F: float, c_sense_F: float = 0.0, wl: ArrayLike | None = None
) -> OnePole:
    """One-pole law of each column.

    ``g_S`` has shape (N, M), in siemens; ``c_col_F`` is the capacitance of a whole column line, ``c_sense_F`` what is
    added at its foot while it is sampled, in farads; ``wl`` are the word lines that are on, N booleans.
    """
    g = _gated(g_S, wl)
    c = _check_capacitance("c_col_F", c_col_F) + _check_capacitance("c_sense_F", c_sense_F, zero=True)
    total = g.sum(axis=0)
    tau = np.divide(c, total, out=np.full_like(total, np.inf), where=total > 0)
    row = float(g.sum(axis=1).max()) * (wires.r_driver_ohm + wires.r_row_ohm * g.shape[1] / 3)
    return OnePole(tau_s=tau, load=max(row, float(total.max()) * wires.r_col_ohm * g.shape[0] / 3))


class ExactSettling:
    """The linear differential equation of all column nodes, by its eigenvalues; for small arrays.

    The capacitance of a column line is spread evenly over its N nodes; rows have none (they settle at once, together
    with the columns' voltages). Arguments as of :func:`one_pole`.

    Raises
    ------
    InputError
        If the array has more than ``MAX_NODES`` nodes, or a value is out of range.
    """

    def __init__(
        self, g_S: ArrayLike, wires: Wires, *, c_col_F: float, c_sense_F: float = 0.0, wl: ArrayLike | None = None
    ) -> None:
        g = _gated(g_S, wl)
        if g.size > MAX_NODES:
            raise InputError(f"Exact settling takes at most {MAX_NODES} cells, not {g.shape[0]} x {g.shape[1]}")
        c_col = _check_capacitance("c_col_F", c_col_F)
        c_sense = _check_capacitance("c_sense_F", c_sense_F, zero=True)
        k, inject = _column_network(g, wires)
        per_line = k.shape[0] // g.shape[1]  # nodes of a column: N, or 1 if columns are perfect conductors
        self._live = g.any(axis=0)  # a column without cells touches nothing and keeps its charge
        nodes, lines = np.flatnonzero(np.tile(self._live, per_line)), int(self._live.sum())
        c = np.full((per_line, lines), c_col / per_line)
        c[-1] += c_sense
        root = np.sqrt(c.ravel())
        with one_thread(always=True):
            self._rate, modes = eigh(k[np.ix_(nodes, nodes)] / np.outer(root, root), check_finite=False)
        self._drive = modes.T @ (inject[nodes] / root[:, None])  # (modes, N)
        self._start = modes.T @ (root[:, None] * np.tile(np.eye(lines), (per_line, 1)))  # (modes, live columns)
        self._foot = modes[nodes.size - lines :] / root[nodes.size - lines :, None]  # (live columns, modes)

    @property
    def rates_per_s(self) -> NDArray[np.float64]:
        """Rates of all modes, slowest first, in 1/s."""
        return self._rate

    def at(self, t_s: float, x_V: ArrayLike, v0_V: ArrayLike = 0.0) -> NDArray[np.float64]:
        """Voltages of the columns' feet ``t_s`` seconds after rows step to ``x_V``, shape (..., N), from ``v0_V``.

        ``v0_V`` is one voltage, or one for each column, shape (..., M). The result has shape (..., M).
        """
        x = np.asarray(x_V, dtype=np.float64)
        if x.ndim < 1 or x.shape[-1] != self._drive.shape[1]:
            raise InputError(f"Vectors must have {self._drive.shape[1]} rows, not shape {x.shape}")
        out = np.broadcast_to(np.asarray(v0_V, dtype=np.float64), (*x.shape[:-1], self._live.size)).copy()
        grown = -np.expm1(-self._rate * t_s) / self._rate
        state = (out[..., self._live] @ self._start.T) * np.exp(-self._rate * t_s) + (x @ self._drive.T) * grown
        out[..., self._live] = state @ self._foot.T
        return out


def _gated(g_S: ArrayLike, wl: ArrayLike | None) -> NDArray[np.float64]:
    g = check_conductances(g_S)
    return np.where(check_lines_on(wl, g.shape[0])[:, None], g, 0.0)


def _check_capacitance(name: str, value: float, *, zero: bool = False) -> float:
    if not math.isfinite(value) or value < 0 or (value == 0 and not zero):
        raise InputError(f"{name} must be a {'non-negative' if zero else 'positive'} number of farads, not {value!r}")
    return float(value)


def _column_network(g: NDArray[np.float64], wires: Wires) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Nodal matrix of the column nodes with all rows eliminated, and the currents that 1 V at each row injects.

    Shapes (nodes, nodes) and (nodes, N); nodes are row-major (N, M), or (1, M) if columns have no resistance.
    """
    n, m = g.shape
    rows = eliminate(np.ascontiguousarray(g[:, ::-1].T), wires.r_row_ohm, wires.r_driver_ohm)  # foot at the driver
    k, inject = np.zeros((n, m, n, m)), np.zeros((n, m, n))
    for i in range(n):
        lower = rows.admittance(i, slice(None))
        k[i, :, i, :] = (np.tril(lower) + np.tril(lower, -1).T)[::-1, ::-1]
        inject[i, :, i] = rows.response(i, slice(None))[::-1]
    if wires.r_col_ohm == 0.0:
        return k.sum(axis=(0, 2)), inject.sum(axis=0)
    column = np.arange(m)
    for i in range(n - 1):
        for a, b, sign in ((i, i, 1), (i + 1, i + 1, 1), (i, i + 1, -1), (i + 1, i, -1)):
            k[a, column, b, column] += sign / wires.r_col_ohm
    return k.reshape(n * m, n * m), inject.reshape(n * m, n)
