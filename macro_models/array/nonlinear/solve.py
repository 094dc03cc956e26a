"""The exact operating point of an array whose cells are not linear, by Newton's method on all of its nodes.

The unknowns are the voltages of both ends of every cell, and with an access transistor of the node between. Each step
is one sparse factorisation of a matrix whose columns are dominated by their diagonals, so that it needs no pivots.
Steps are limited where a law is steep; if that does not do, the voltages of all terminals are raised in parts.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import splu

from mho.macro_models.array.nonlinear.laws import CellLaw, Ohmic, Transistor
from mho.macro_models.array.wires import Wires, check_conductances
from mho.macro_models.errors import InputError, ToolError
from mho.macro_models.threads import one_thread
from mho.macro_models.types import Flags, Integers, Reals

Nodes = Integers


@dataclass(frozen=True, kw_only=True)
class Circuit:
    """Nodes of an array of shape (N, M), after those that a perfect conductor joins have become one."""

    row: Nodes
    """Of shape (N, M): the row's end of each cell."""
    column: Nodes
    """The column's end."""
    middle: Nodes
    """Between a cell and its transistor; the column's end where there is none."""
    resistors: tuple[Nodes, Nodes, Reals]
    """Two nodes, and siemens."""
    volts: Reals
    """Voltage of every node that is tied to one, NaN of the others."""

    @property
    def free(self) -> Flags:
        """Nodes whose voltage is not known."""
        return np.isnan(self.volts)

    def laplacian(self) -> sp.csc_array:
        """Conductances of the resistors, of shape (nodes, nodes)."""
        a, b, g = self.resistors
        n = len(self.volts)
        rows, columns = np.concatenate([a, b, a, b]), np.concatenate([a, b, b, a])
        return sp.csc_array((np.concatenate([g, g, -g, -g]), (rows, columns)), shape=(n, n))


def array_circuit(
    cells: Flags, wires: Wires, rows_V: Reals, columns_V: Reals, *, access: bool, r_supply_ohm: float
) -> Circuit:
    """The circuit of cells, True where there is one, of shape (N, M).

    ``rows_V`` and ``columns_V`` are voltages of the terminals, NaN for a line that floats. Rows at one voltage that is
    not 0 are fed through ``r_supply_ohm`` together. Wires that float apart from everything are at 0 V.
    """
    n, m = cells.shape
    row, column = np.arange(n * m).reshape(n, m), n * m + np.arange(n * m).reshape(n, m)
    middle = 2 * n * m + np.arange(n * m).reshape(n, m) if access else column
    count = (3 if access else 2) * n * m
    levels = np.unique(rows_V[np.isfinite(rows_V) & (rows_V != 0.0)]) if r_supply_ohm else np.empty(0)
    rails, sources = count + np.arange(len(levels)), count + len(levels) + np.arange(len(levels))
    count += 2 * len(levels)
    row_lead, column_lead = count + np.arange(n), count + n + np.arange(m)
    count += n + m
    for at, volt in enumerate(levels):
        row_lead[rows_V == volt] = rails[at]
    volts = np.full(count, np.nan)
    volts[sources], volts[column_lead] = levels, columns_V
    own = ~np.isin(rows_V, levels)
    volts[row_lead[own]] = rows_V[own]
    edges = [
        (row[:, :-1], row[:, 1:], wires.r_row_ohm), (column[:-1], column[1:], wires.r_col_ohm),
        (row_lead, row[:, 0], wires.r_driver_ohm + wires.r_row_ohm),
        (column[-1], column_lead, wires.r_sense_ohm + wires.r_col_ohm), (rails, sources, r_supply_ohm),
    ]
    a, b, ohm = (np.concatenate(part) for part in zip(
        *((start.ravel(), end.ravel(), np.full(start.size, float(r))) for start, end, r in edges), strict=True
    ))
    label = _joined(count, a[ohm == 0.0], b[ohm == 0.0])
    apart = (ohm > 0.0) & (label[a] != label[b])
    known, merged = np.isfinite(volts), np.full(label.max() + 1, np.nan)
    merged[label[known]] = volts[known]
    a, b, g = label[a[apart]], label[b[apart]], 1.0 / ohm[apart]
    lines = _across(label, cells, (row, middle), (middle, column))
    group = _joined(len(merged), np.concatenate([a, lines[0]]), np.concatenate([b, lines[1]]))
    tied = np.zeros(group.max() + 1, dtype=np.bool_)
    tied[group[np.isfinite(merged)]] = True
    merged[~tied[group]] = 0.0
    return Circuit(
        row=label[row], column=label[column], middle=label[middle], resistors=(a, b, g),
        volts=merged,
    )


def _across(label: Nodes, cells: Flags, *pairs: tuple[Nodes, Nodes]) -> tuple[Nodes, Nodes]:
    """Ends of what conducts in cells that are there."""
    starts, ends = zip(*((label[a[cells]], label[b[cells]]) for a, b in pairs), strict=True)
    return np.concatenate(starts), np.concatenate(ends)


def _joined(count: int, a: Nodes, b: Nodes) -> Nodes:
    """Number of the group of each of ``count`` nodes, where those of ``a`` and ``b`` are in one."""
    graph = sp.coo_array((np.ones(len(a), dtype=np.int8), (a, b)), shape=(count, count))
    return connected_components(graph, directed=False)[1].astype(np.int64)


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

    Raises InputError if shapes do not fit, a conductance is negative or a voltage infinite. Raises ToolError if there
    is no operating point in double precision.

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

    def _currents(self, volts: Reals) -> list[tuple[Integers, Integers, Reals, Reals, Reals]]:
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
