"""What wires leave of a pulse for a cell of an array without transistors."""

import numpy as np

from mho.macro_models.array.nonlinear import Sinh, solve_array
from mho.macro_models.array.wires import Wires
from mho.macro_models.cells.bias import line_voltages
from mho.macro_models.types import Reals

__all__ = ["pulse_shares"]


def pulse_shares(
    shape: tuple[int, int], wires: Wires, *, g_uS: float, volts: float, v0_V: float = 0.25, scheme: str = "half"
) -> Reals:
    """Part of a pulse of ``volts`` that reaches each cell, of shape (rows, columns).

    Exact at nine places of an array of ``sinh`` cells of ``g_uS`` and ``v0_V``, and bilinear between. What the others
    see is not reduced by wires: the worst case, and nearly that of cells beside the drivers.
    """
    if wires.ideal:
        return np.ones(shape)
    cells, law = np.full(shape, g_uS * 1e-6), Sinh(v0_V=v0_V)

    def share(row: int, column: int) -> float:
        point = solve_array(cells, wires, *line_voltages(shape, row, column, volts, scheme), law=law)
        return float(point.cell_V[row, column]) / volts

    rows, columns = (np.unique(np.linspace(0, count - 1, 3).round().astype(int)) for count in shape)
    exact = np.array([[share(int(i), int(j)) for j in columns] for i in rows])
    along = np.array([np.interp(np.arange(shape[1]), columns, line) for line in exact])
    return np.array([np.interp(np.arange(shape[0]), rows, line) for line in along.T]).T
