"""Voltages of the lines of an array without transistors, for one cell that is written or read."""

from dataclasses import dataclass

import numpy as np

from mho.macro_models.errors import InputError
from mho.macro_models.types import Reals

__all__ = ["SCHEMES", "Bias", "line_voltages"]


@dataclass(frozen=True, kw_only=True)
class Bias:
    """Voltages as parts of the pulse: of the selected row and column, and of all other rows and columns.

    NaN: these lines float. The selected cell sees ``row - column``, which is 1.
    """

    row: float
    column: float
    other_rows: float
    other_columns: float

    def parts(self) -> tuple[float, float, float]:
        """What the others see, of the pulse, where no line floats.

        Cells of the selected row, of the selected column, and all that are in neither.
        """
        return (
            self.row - self.other_columns, self.other_rows - self.column, self.other_rows - self.other_columns,
        )


SCHEMES = {
    "half": Bias(row=0.5, column=-0.5, other_rows=0.0, other_columns=0.0),
    "third": Bias(row=0.5, column=-0.5, other_rows=-1.0 / 6.0, other_columns=1.0 / 6.0),
    "ground": Bias(row=1.0, column=0.0, other_rows=0.0, other_columns=0.0),
    "float": Bias(row=1.0, column=0.0, other_rows=float("nan"), other_columns=float("nan")),
}
"""By name: V/2 and V/3 for writing; for reading, other lines at 0 V or floating (sneak currents)."""


def line_voltages(shape: tuple[int, int], row: int, column: int, volts: float, scheme: str) -> tuple[Reals, Reals]:
    """Voltages of the rows (N,) and columns (M,) that put ``volts`` across one cell, NaN for lines that float.

    Raises
    ------
    InputError
        If there is no such cell or scheme.
    """
    if scheme not in SCHEMES:
        raise InputError(f"scheme must be one of {', '.join(SCHEMES)}, not {scheme!r}")
    if not (0 <= row < shape[0] and 0 <= column < shape[1]):
        raise InputError(f"cell must be in an array of {shape[0]} x {shape[1]}, not ({row}, {column})")
    bias = SCHEMES[scheme]
    rows, columns = np.full(shape[0], volts * bias.other_rows), np.full(shape[1], volts * bias.other_columns)
    rows[row], columns[column] = volts * bias.row, volts * bias.column
    return rows, columns
