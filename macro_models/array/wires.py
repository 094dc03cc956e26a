"""What surrounds the cells of an array: line segments, drivers, sense inputs; and the array without them.

Circuit of an array of N rows and M columns, in the direction in which rows are driven::

    V_i --(driver + row)-- W[i,0] --row-- W[i,1] --row-- ... W[i,M-1]        row line i
                            g[i,0]         g[i,1]             g[i,M-1]       cells, from W[i,j] to B[i,j]
    B[0,j] --col-- B[1,j] ... B[N-1,j] --(col + sense)-- 0 V                 column line j, current mode
    B[0,j] --col-- B[1,j] ... B[N-1,j]    (open)                             column line j, voltage mode

Every line has its terminal at one end, where it is driven or sensed whatever the direction: rows at column 0, columns
at row N - 1.
"""

import math
from dataclasses import dataclass, fields, replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from mho.macro_models.errors import InputError
from mho.macro_models.types import Flags, Reals

Mode = Literal["current", "voltage"]
"""How columns are read: as the current into a virtual ground, or as the voltage of an open line."""


@dataclass(frozen=True, kw_only=True)
class Wires:
    """Resistances around the cells, in ohms, finite and not negative, 0 a perfect conductor; and what lines settle in.

    Raises InputError if a value is negative, infinite or not a number.
    """

    r_row_ohm: float = 0.0
    """One segment of a row line: between neighbouring cells, and between the terminal and the first cell."""
    r_col_ohm: float = 0.0
    """One segment of a column line, counted in the same way."""
    r_driver_ohm: float = 0.0
    """Output resistance of the driver of one line (of a row forward, of a column backward)."""
    r_sense_ohm: float = 0.0
    """Input resistance of the sense amplifier of one line. Without effect in voltage mode, where the line is open."""
    settle_uS: float = 0.0
    """Capacitance of a line over the duration of a sample, in uS (fF / ns): an open line whose cells conduct that much
    together has one time constant. 0: lines settle."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value, unit = getattr(self, field.name), "microsiemens" if field.name == "settle_uS" else "ohms"
            if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
                raise InputError(f"{field.name} must be a number of {unit}, not {value!r}")
            if not math.isfinite(value) or value < 0:
                number = f"a finite, non-negative number of {unit}"
                raise InputError(f"{field.name} must be {number}, not {float(value)!r}")
            object.__setattr__(self, field.name, float(value))

    @property
    def ideal(self) -> bool:
        """True if nothing has resistance and lines settle, so that the array is its ideal formula."""
        return not any(getattr(self, field.name) for field in fields(self))

    @property
    def settled(self) -> "Wires":
        """The same where lines settle."""
        return replace(self, settle_uS=0.0)

    def turned(self) -> "Wires":
        """Wires as the other direction sees them: rows and columns change places."""
        return replace(self, r_row_ohm=self.r_col_ohm, r_col_ohm=self.r_row_ohm)


def flip(a: Reals) -> Reals:
    """The array of shape (N, M) seen with rows and columns exchanged, terminals at the same places: (M, N)."""
    return a[::-1, ::-1].T


def check_conductances(g_S: ArrayLike) -> Reals:
    """``g_S`` as a matrix of doubles; an :class:`InputError` that names the first cell that is none."""
    try:
        g = np.asarray(g_S, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError("Conductances must be a matrix of real numbers in siemens") from error
    if g.ndim != 2 or g.size == 0:
        raise InputError(f"Conductances must be a matrix with at least one cell, not of shape {g.shape}")
    wrong = ~(np.isfinite(g) & (g >= 0))
    if wrong.any():
        i, j = (int(index) for index in np.argwhere(wrong)[0])
        raise InputError(
            f"Conductance of cell ({i}, {j}) must be a finite, non-negative number of siemens, not {float(g[i, j])!r}"
        )
    return g


def check_lines_on(on: ArrayLike | None, rows: int) -> Flags:
    """Mask of word lines as booleans of shape (rows,); ``None`` stands for all on."""
    if on is None:
        return np.ones(rows, dtype=np.bool_)
    mask = np.asarray(on)
    if mask.dtype != np.bool_ or mask.shape != (rows,):
        raise InputError(f"Word-line mask must be {rows} booleans, not {mask.dtype} of shape {mask.shape}")
    return mask


def check_mode(mode: str) -> Mode:
    """``mode`` if it is one."""
    if mode not in get_args(Mode):
        raise InputError(f"mode must be one of {', '.join(get_args(Mode))}, not {mode!r}")
    return mode  # type: ignore[return-value]


def ideal_matrix(g_S: ArrayLike, *, mode: Mode) -> Reals:
    """Effective matrix of perfect wires, shape (N, M): ``g`` (current), or ``g`` over its column's sum (voltage).

    A column without conductance reads 0 in voltage mode.
    """
    g = check_conductances(g_S)
    if check_mode(mode) == "current":
        return g.copy()
    total = g.sum(axis=0)
    return np.divide(g, total, out=np.zeros_like(g), where=total > 0)
