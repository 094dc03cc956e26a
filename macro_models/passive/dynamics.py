"""How all cells of an array move under one bias, exactly: the states by their rates, the voltages by the wires.

The circuit has no memory but the cells, so that at every moment its voltages are an operating point. States are
integrated by scipy's Runge-Kutta pair of third order, and held within 0..1.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike
from scipy.integrate import solve_ivp

from mho.macro_models.array.nonlinear import OperatingPoint, Sinh, solve_array
from mho.macro_models.array.wires import Wires
from mho.macro_models.cells.bias import line_voltages
from mho.macro_models.errors import InputError, ToolError
from mho.macro_models.types import Reals


def integrate_states(
    states: ArrayLike,
    conductance_S: Callable[[Reals], Reals],
    rate: Callable[[Reals, Reals], Reals],
    solve: Callable[[Reals], OperatingPoint],
    width_s: float,
    *,
    tolerance: float = 1e-6,
) -> Reals:
    """States of shape (N, M), 0..1, after a bias of ``width_s`` seconds.

    Raises InputError if states are out of range or the width is not positive. Raises ToolError if it comes to no end.

    Parameters
    ----------
    states
        Before it.
    conductance_S
        Conductances of cells in states, of the same shape, in siemens.
    rate
        dx/dt in 1/s for states and the voltages across cells.
    solve
        The operating point for conductances: ``solve_array`` of :mod:`mho.macro_models.array.nonlinear` with wires,
        terminals and laws.
    tolerance
        Error of a step.
    """
    x = np.array(states, dtype=np.float64)
    if x.ndim != 2 or not ((x >= 0.0) & (x <= 1.0)).all() or not width_s > 0.0:
        raise InputError("states must be a matrix of numbers between 0 and 1, and width_s positive")

    def slope(_time: float, at: Reals) -> Reals:
        held = np.clip(at.reshape(x.shape), 0.0, 1.0)
        return rate(held, solve(conductance_S(held)).cell_V).ravel()

    moved = solve_ivp(slope, (0.0, width_s), x.ravel(), method="RK23", rtol=1e-12, atol=tolerance, t_eval=[width_s])
    if not moved.success:
        raise ToolError(f"The states of the array could not be integrated: {moved.message}")
    return np.clip(moved.y[:, -1].reshape(x.shape), 0.0, 1.0)


__all__ = ["pulse_shares"]


def pulse_shares(shape: tuple[int, int], wires: Wires, *, g_uS: float, volts: float, scheme: str = "half") -> Reals:
    """Part of a pulse of ``volts`` that reaches each cell, of shape (rows, columns).

    Exact at nine places of an array of ``sinh`` cells of ``g_uS``, and bilinear between. What the others
    see is not reduced by wires: the worst case, and nearly that of cells beside the drivers.
    """
    if wires.ideal:
        return np.ones(shape)
    cells, law = np.full(shape, g_uS * 1e-6), Sinh(v0_V=0.25)

    def share(row: int, column: int) -> float:
        point = solve_array(cells, wires, *line_voltages(shape, row, column, volts, scheme), law=law)
        return float(point.cell_V[row, column]) / volts

    rows, columns = (np.unique(np.linspace(0, count - 1, 3).round().astype(int)) for count in shape)
    exact = np.array([[share(int(i), int(j)) for j in columns] for i in rows])
    along = np.array([np.interp(np.arange(shape[1]), columns, line) for line in exact])
    return np.array([np.interp(np.arange(shape[0]), rows, line) for line in along.T]).T
