"""Voltages of the lines of an array without transistors, for one cell that is written or read."""

from dataclasses import dataclass

import numpy as np

from mho.macro_models.errors import InputError
from mho.macro_models.integer.pulse import Polarity
from mho.macro_models.types import Integral, Reals


@dataclass(frozen=True, kw_only=True)
class Bias:
    """Voltages as parts of the pulse: of the selected row and column, and of all other rows and columns.

    NaN: these lines float. The selected cell sees ``row - column``, which is 1.
    """

    row: float
    column: float
    other_rows: float
    other_columns: float


SCHEMES = {
    "half": Bias(row=0.5, column=-0.5, other_rows=0.0, other_columns=0.0),
    "third": Bias(row=0.5, column=-0.5, other_rows=-1.0 / 6.0, other_columns=1.0 / 6.0),
    "ground": Bias(row=1.0, column=0.0, other_rows=0.0, other_columns=0.0),
    "float": Bias(row=1.0, column=0.0, other_rows=float("nan"), other_columns=float("nan")),
}
"""By name: V/2 and V/3 for writing; for reading, other lines at 0 V or floating (sneak currents)."""

WRITES = ("half", "third")
"""Schemes for writing."""


def bias_codes(scheme: str, polarity: int, amplitude: int) -> tuple[int, int]:
    """Codes of the pulse converter for the rows and the columns that are not selected.

    A SET or FORM pulse has ``amplitude`` on the selected row and 0 on the column, a RESET pulse the other way round.
    """
    if scheme == "half":
        return amplitude // 2, amplitude // 2
    low, high = amplitude // 3, amplitude - amplitude // 3
    return (high, low) if polarity == Polarity.RESET else (low, high)


def seen_codes(scheme: str, polarity: int, amplitude: int) -> tuple[int, int, int]:
    """What cells of the selected row, of the selected column, and of neither see: above 0 as a SET pulse."""
    rows, columns = bias_codes(scheme, polarity, amplitude)
    row, column = (0, amplitude) if polarity == Polarity.RESET else (amplitude, 0)
    return row - columns, rows - column, rows - columns


def pulse_energy_J(scheme: str, row: Integral, column: Integral, volts2_s: Reals, g_S: Reals) -> tuple[float, float]:
    """Energy of pulses in ohmic cells that stay as they are, in J: in those that are meant, and in all others.

    Of pulses at ``row`` and ``column``, whose squares of the voltage last as long as ``volts2_s`` says, all of shape
    (n,); ``g_S`` is the array.
    """
    meant = g_S[row, column]
    lines = g_S.sum(axis=1)[row] + g_S.sum(axis=0)[column] - 2.0 * meant
    others = lines / 4.0 if scheme == "half" else (g_S.sum() - meant) / 9.0
    return float((volts2_s * meant).sum()), float((volts2_s * others).sum())


_LEAK = 1e-6
"""Of a line that floats, to 0 V, as a part of the smallest step: without it a line without cells has no voltage."""


def sneak_paths(g: Integral, row: int, column: int) -> int:
    """What conducts between a row and a column while all others float, rounded: the cell, and all paths around it.

    ``g`` of shape (N, M) are ohmic cells in steps of any size. Wires are perfect.
    """
    cells = g.astype(np.float64)
    other = np.delete(cells, row, axis=0)
    from_row, to_column, around = np.delete(cells[row], column), other[:, column], np.delete(other, column, axis=1)
    rows, columns = other.sum(axis=1) + _LEAK, around.sum(axis=0) + from_row + _LEAK
    # Voltages of the other columns, with 1 V at the row and 0 V at the column; those of the other rows follow.
    volts = np.linalg.solve(np.diag(columns) - around.T @ (around / rows[:, None]), from_row)
    return round(float(cells[row, column] + to_column @ (around @ volts / rows)))


def line_voltages(shape: tuple[int, int], row: int, column: int, volts: float, scheme: str) -> tuple[Reals, Reals]:
    """Voltages of the rows (N,) and columns (M,) that put ``volts`` across one cell, NaN for lines that float.

    Raises InputError if there is no such cell or scheme.
    """
    if scheme not in SCHEMES:
        raise InputError(f"scheme must be one of {', '.join(SCHEMES)}, not {scheme!r}")
    if not (0 <= row < shape[0] and 0 <= column < shape[1]):
        raise InputError(f"cell must be in an array of {shape[0]} x {shape[1]}, not ({row}, {column})")
    bias = SCHEMES[scheme]
    rows, columns = np.full(shape[0], volts * bias.other_rows), np.full(shape[1], volts * bias.other_columns)
    rows[row], columns[column] = volts * bias.row, volts * bias.column
    return rows, columns
