"""The exact operating point of an array whose cells are not linear, by Newton's method on all of its nodes.

The unknowns are the voltages of both ends of every cell, and with an access transistor of the node between. Each step
is one sparse factorisation of a matrix whose columns are dominated by their diagonals, so that it needs no pivots.
Steps are limited where a law is steep; if that does not do, the voltages of all terminals are raised in parts.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray
from scipy.sparse.linalg import splu

from mho.macro_models.array.nonlinear.circuit import Circuit, array_circuit
from mho.macro_models.array.nonlinear.laws import CellLaw, Ohmic, Transistor
from mho.macro_models.array.wires import Wires, check_conductances
from mho.macro_models.errors import InputError, ToolError
from mho.macro_models.threads import one_thread
from mho.macro_models.types import Reals

_MOST_STEPS = 80
_SMALL = 1e-10
"""A step of Newton's method so much smaller than the largest voltage is the last: what is left is its square."""
_GATE_STEP_V = 0.5


@dataclass(frozen=True, kw_only=True)
class OperatingPoint:
    """Voltages and currents of an array of shape (N rows, M columns)."""

    row_V: Reals
    """Voltage of the row's end of each cell, (N, M)."""
    column_V: Reals
    """Voltage of the column's end."""
    cell_A: Reals
    """Current of each cell, from its row to its column."""
    row_A: Reals
    """Current out of the terminal of each row into the array, (N,); 0 of one that floats."""
    column_A: Reals
    """Current out of the array into the terminal of each column, (M,)."""
    steps: int
    """Steps that Newton's method took."""

    @property
    def cell_V(self) -> Reals:
        """Voltage across each cell, with its transistor."""
        return self.row_V - self.column_V

    @property
    def open_V(self) -> Reals:
        """Voltage at the terminal's end of each column, what an amplifier sees of one that floats, (M,)."""
        return self.column_V[-1]


def solve_array(
    g_S: ArrayLike,
    wires: Wires,
    rows_V: ArrayLike,
    columns_V: ArrayLike,
    *,
    law: CellLaw | None = None,
    access: Transistor | None = None,
    gates_V: ArrayLike | None = None,
    r_supply_ohm: float = 0.0,
) -> OperatingPoint:
    """Solve for all voltages.

    Parameters
    ----------
    g_S
        Conductances of the cells, of shape (N, M), in siemens; 0 is a missing cell.
    wires
        Resistances; ``r_driver_ohm`` is in the lead of each row, ``r_sense_ohm`` in that of each column, also of one
        that is driven.
    rows_V, columns_V
        Voltages of the terminals, of shapes (N,) and (M,), NaN for a line that floats.
    law
        Current of a cell; ``None``: linear.
    access
        A transistor between each cell and its column; ``None``: passive.
    gates_V
        Voltages of the word lines, one a row, of shape (N,). Only with ``access``, and then needed.
    r_supply_ohm
        Resistance through which all rows at one voltage, not 0, are fed together.

    Raises
    ------
    InputError
        If shapes do not fit, a conductance is negative or a voltage infinite.
    ToolError
        If there is no operating point in double precision.
    """
    g = check_conductances(g_S)
    rows, columns = _terminals("rows_V", rows_V, g.shape[0]), _terminals("columns_V", columns_V, g.shape[1])
    if (access is None) != (gates_V is None):
        raise InputError("gates_V must be given where cells have an access transistor, and only there")
    gates = None if gates_V is None else _terminals("gates_V", gates_V, g.shape[0])
    if not (np.isfinite(r_supply_ohm) and r_supply_ohm >= 0.0):
        raise InputError(f"r_supply_ohm must be a finite number of at least 0, not {r_supply_ohm!r}")
    circuit = array_circuit(g > 0.0, wires, rows, columns, access=access is not None, r_supply_ohm=r_supply_ohm)
    newton = _Newton(circuit, g, Ohmic() if law is None else law, access, gates)
    with one_thread(always=True), np.errstate(over="ignore", invalid="ignore"):
        return newton.solve()


class _Newton:
    """Newton's method on one circuit."""

    def __init__(
        self, circuit: Circuit, g: Reals, law: CellLaw, access: Transistor | None, gates: Reals | None
    ) -> None:
        self.circuit, self.g, self.law, self.access = circuit, g, law, access
        self.gates = np.zeros_like(g) if gates is None else np.broadcast_to(gates[:, None], g.shape)
        self.linear = circuit.laplacian()
        free = circuit.free
        self.place = np.where(free, np.cumsum(free) - 1, -1)
        self.inner = self.linear[free][:, free]
        self.steps = 0

    def solve(self) -> OperatingPoint:
        tied = np.nan_to_num(self.circuit.volts)
        volts = self._from(np.zeros_like(tied), tied)
        for part in np.linspace(0.1, 1.0, 10) if volts is None else ():
            volts = self._from(np.zeros_like(tied) if volts is None else volts, tied * part)
            if volts is None:
                break
        if volts is None:
            raise ToolError("No operating point of these cells and wires can be found in double precision")
        return self._result(volts)

    def _from(self, start: Reals, tied: Reals) -> Reals | None:
        """Voltages of all nodes, None if the steps do not become small."""
        free = self.circuit.free
        volts = np.where(free, start, tied)
        top = max(float(np.abs(tied).max(initial=0.0)), 1e-3)
        for _ in range(_MOST_STEPS):
            residual, jacobian = self._linearised(volts)
            if not free.any():
                return volts
            self.steps += 1
            try:
                step = -splu(
                    jacobian, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True}
                ).solve(residual)
            except RuntimeError:  # singular
                return None
            if not np.isfinite(step).all():
                return None
            change = np.zeros_like(volts)
            change[free] = step
            part = self._part(change)
            volts = volts + part * change
            if part == 1.0 and np.abs(step).max() <= _SMALL * top:
                return volts
        return None

    def _part(self, change: Reals) -> float:
        """The part of a step that goes no further than the laws allow."""
        at = self.circuit
        largest = np.abs(change[at.row] - change[at.middle]).max()
        part = min(1.0, self.law.step_V / largest) if largest else 1.0
        if self.access is not None:
            part = min(part, _GATE_STEP_V / max(np.abs(change).max(), 1e-300))
        return part

    def _currents(self, volts: Reals) -> list[tuple[NDArray[np.int64], NDArray[np.int64], Reals, Reals, Reals]]:
        """Of all cells, and all transistors: two nodes, current, slopes to their voltages."""
        at = self.circuit
        current, slope = self.law.current(self.g, volts[at.row] - volts[at.middle])
        parts = [(at.row, at.middle, current, slope, slope)]
        if self.access is not None:
            there = self.g > 0.0  # a missing cell has no transistor
            drawn = self.access.current(self.gates, volts[at.middle], volts[at.column])
            through, from_slope, to_slope = (np.where(there, value, 0.0) for value in drawn)
            parts.append((at.middle, at.column, through, from_slope, to_slope))
        return parts

    def _linearised(self, volts: Reals) -> tuple[Reals, sp.csc_array]:
        """Current out of each free node, and its slopes."""
        free, n = self.circuit.free, len(volts)
        total, stamps = self.linear @ volts, []
        for start, end, current, from_slope, to_slope in self._currents(volts):
            a, b = start.ravel(), end.ravel()
            total += np.bincount(a, current.ravel(), n) - np.bincount(b, current.ravel(), n)
            p, q, fs, ts = self.place[a], self.place[b], from_slope.ravel(), to_slope.ravel()
            stamps += [(p, p, fs), (p, q, -ts), (q, p, -fs), (q, q, ts)]
        rows, columns, values = (np.concatenate(part) for part in zip(*stamps, strict=True))
        inside = (rows >= 0) & (columns >= 0)
        size = self.inner.shape
        slopes = sp.csc_array((values[inside], (rows[inside], columns[inside])), shape=size)
        jacobian = (self.inner + slopes).tocsc()
        return total[free], jacobian

    def _result(self, volts: Reals) -> OperatingPoint:
        at, cell_A = self.circuit, self._currents(volts)[0][2]
        return OperatingPoint(
            row_V=volts[at.row], column_V=volts[at.column], cell_A=cell_A, row_A=cell_A.sum(axis=1),
            column_A=cell_A.sum(axis=0), steps=self.steps,
        )


def _terminals(name: str, volts: ArrayLike, count: int) -> Reals:
    values = np.asarray(volts, dtype=np.float64)
    if values.shape != (count,) or np.isinf(values).any() or (name == "gates_V" and np.isnan(values).any()):
        what = "finite numbers of volts" if name == "gates_V" else "numbers of volts, NaN for a line that floats"
        raise InputError(f"{name} must be {count} {what}, not {values!r}")
    return values
