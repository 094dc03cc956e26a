"""What a layer takes of cores, and the least of it."""

from dataclasses import dataclass

from mho.compiler.mapping.packing.free_lines import FreeLines
from mho.compiler.mapping.parts import Parts, count_parts

__all__ = ["Shape", "Size"]

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
