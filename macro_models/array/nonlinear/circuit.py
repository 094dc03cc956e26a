"""The nodes of an array: resistors between them, what is tied to a voltage, and which are one node."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components

from mho.macro_models.array.wires import Wires
from mho.macro_models.types import Reals

Nodes = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Circuit:
    """Nodes of an array of shape (N, M), after those that a perfect conductor joins have become one."""

    row: Nodes
    """Of shape (N, M): the row's end of each cell."""
    column: Nodes
    """The column's end."""
    middle: Nodes
    """Between a cell and its transistor; the column's end where there is none."""
    row_lead: Nodes
    """Of shape (N,): behind the lead of each row, and beside it ``row_foot``, its first node; -1: floats."""
    column_lead: Nodes
    """The same of columns."""
    resistors: tuple[Nodes, Nodes, Reals]
    """Two nodes, and siemens."""
    volts: Reals
    """Voltage of every node that is tied to one, NaN of the others."""

    @property
    def free(self) -> NDArray[np.bool_]:
        """Nodes whose voltage is not known."""
        return np.isnan(self.volts)

    def laplacian(self) -> sp.csc_array:
        """Conductances of the resistors, of shape (nodes, nodes)."""
        a, b, g = self.resistors
        n = len(self.volts)
        rows, columns = np.concatenate([a, b, a, b]), np.concatenate([a, b, b, a])
        return sp.csc_array((np.concatenate([g, g, -g, -g]), (rows, columns)), shape=(n, n))


def array_circuit(
    cells: NDArray[np.bool_], wires: Wires, rows_V: Reals, columns_V: Reals, *, access: bool, r_supply_ohm: float
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
        row=label[row], column=label[column], middle=label[middle], row_lead=label[row_lead],
        column_lead=label[column_lead], resistors=(a, b, g), volts=merged,
    )


def _across(label: Nodes, cells: NDArray[np.bool_], *pairs: tuple[Nodes, Nodes]) -> tuple[Nodes, Nodes]:
    """Ends of what conducts in cells that are there."""
    starts, ends = zip(*((label[a[cells]], label[b[cells]]) for a, b in pairs), strict=True)
    return np.concatenate(starts), np.concatenate(ends)


def _joined(count: int, a: Nodes, b: Nodes) -> Nodes:
    """Number of the group of each of ``count`` nodes, where those of ``a`` and ``b`` are in one."""
    graph = sp.coo_array((np.ones(len(a), dtype=np.int8), (a, b)), shape=(count, count))
    return connected_components(graph, directed=False)[1].astype(np.int64)
