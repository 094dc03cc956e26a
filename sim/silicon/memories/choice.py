"""Which memories of a design are macros, and which flip-flops: what is smaller."""

from collections.abc import Sequence
from pathlib import Path

from mho.macro_models.errors import InputError
from mho.sim.silicon.liberty.cell import Cells
from mho.sim.silicon.memories.macro import read_memory_macros
from mho.sim.silicon.memories.tiling import Shape, Tiling, cheapest

__all__ = ["Memories"]

_MOST_BITS = 8192
"""Bits up to which a memory that no macro can be is flip-flops."""


class Memories:
    """The macros that a user names, beside the flip-flops of a library.

    Raises
    ------
    InputError
        If a file is no Liberty file of memories.
    """

    def __init__(self, files: Sequence[Path], cells: Cells) -> None:
        self.macros = [macro for file in files for macro in read_memory_macros(file)]
        self._flip_flop = cells.least_flip_flop()
        self._files = files

    def tiling(self, module: str, prefix: str) -> Tiling | None:
        """Macros of a memory; None where it must be flip-flops.

        Raises
        ------
        InputError
            If it is too large for these.
        """
        shape = Shape.of(module, prefix)
        tiling = cheapest(shape, self.macros)
        if tiling is None and shape.depth * shape.width > _MOST_BITS:
            need = f"a mask of {shape.width // shape.lanes} bits" if shape.registered else "reading in the same cycle"
            raise InputError(
                f"{self._files[0]}: no macro can be {module.removeprefix(prefix)}, which takes {need}, and it is too "
                "large for flip-flops"
            )
        return tiling

    def may_be_flip_flops(self, tiling: Tiling | None) -> bool:
        """Whether the flip-flops of a memory alone are smaller than its macros."""
        if tiling is None:
            return True
        return tiling.shape.depth * tiling.shape.width * self._flip_flop < tiling.area
