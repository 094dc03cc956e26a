"""Rows and columns of cores that weights may take, those that are not dead; what a layer takes of them."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mho.compiler.mapping.faults import FaultMaps
from mho.compiler.mapping.packing.pack import Core
from mho.compiler.mapping.parts import Parts, count_parts
from mho.macro_models.cell_map import CellMap
from mho.macro_models.errors import InputError

__all__ = ["FreeLines", "Shape", "Size", "SkipMaps"]

SkipMaps = Mapping[int, tuple[NDArray[np.bool_], NDArray[np.bool_]]]
"""Dead lines: core -> (bit lines, source lines), boolean arrays of one entry a line."""


class FreeLines:
    """Rows and columns that are not dead, per core, those with fewer faulty cells first."""

    def __init__(self, cell_map: CellMap, skip: SkipMaps, faults: FaultMaps) -> None:
        self.cell_map, self.skip, self.faults = cell_map, skip, faults
        self._known: dict[int, tuple[NDArray[np.int32], NDArray[np.int32]]] = {}
        for core, maps in skip.items():
            if any(np.shape(m) != (lines,) for m, lines in zip(maps, cell_map.shape, strict=True)):
                raise InputError(
                    f"skip maps of core {core} must have {cell_map.shape[0]} entries a direction, "
                    f"not {[np.size(m) for m in maps]}"
                )
        ones = [self.core(c) for c in skip] or [self.core(-1)]
        self.fewest_rows = min(len(c.rows) for c in ones)
        self.fewest_columns = min(len(c.columns) for c in ones)
        if not self.fewest_rows or not self.fewest_columns:
            raise InputError("skip maps leave a core without a usable row pair or column")

    def core(self, index: int) -> Core:
        """An empty core."""
        # All those without a dead line are alike.
        index = index if index in self.skip or index in self.faults else -1
        if index not in self._known:
            self._known[index] = self._lines(index)
        return Core(*self._known[index])

    def _lines(self, index: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        bit, source = self.cell_map.dead(self.skip.get(index))
        rows = np.flatnonzero(self.cell_map.per_row(bit) == 0).astype(np.int32)
        columns = np.flatnonzero(self.cell_map.per_column(source) == 0).astype(np.int32)
        if index in self.faults:
            in_rows, in_columns = self.faults[index].counts(self.cell_map)
            rows = rows[np.argsort(in_rows[rows], kind="stable")]
            columns = columns[np.argsort(in_columns[columns], kind="stable")]
        return rows, columns

Shape = tuple[int, int] | tuple[int, int, int]
"""Inputs and outputs of a layer, and the groups that they are divided into."""


@dataclass(frozen=True)
class Size:
    """What a layer takes: rows (its inputs or more), outputs, slices of each output, and copies of all of those.

    Inputs, rows and outputs are those of the largest of its parts.
    """

    inputs: int
    rows: int
    outputs: int
    copies: int
    slices: int
    parts: Parts

    @property
    def cells(self) -> int:
        """Weights that it takes."""
        return self.rows * self.outputs * self.copies * self.slices * self.parts.count

    @property
    def variance(self) -> float:
        """Variance by noise of the cells, relative to that with one for each weight."""
        return self.inputs * self.outputs * self.slices * self.parts.count / self.cells

    @classmethod
    def least(cls, shape: Shape, slices: int, free: FreeLines) -> "Size":
        """One cell for each weight."""
        inputs, outputs, groups = (*shape, 1)[:3]
        count = count_parts(groups, inputs, free.fewest_rows, free.fewest_columns // slices * groups // outputs)
        parts = Parts(count=count, groups=groups, inputs=inputs // groups, outputs=outputs // groups)
        rows, columns = (max(size for _, size in parts.edges(per_group)) for per_group in (parts.inputs, parts.outputs))
        return cls(rows, rows, columns, 1, slices, parts)
