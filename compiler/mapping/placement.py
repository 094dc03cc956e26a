"""Where the weights of all layers are."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mho.compiler.mapping.block import Block
from mho.compiler.mapping.faults import FaultMaps
from mho.compiler.mapping.packing.free_lines import SkipMaps
from mho.compiler.mapping.packing.pack import MASKS
from mho.compiler.mapping.parts import Parts
from mho.macro_models.cell_map import CellMap

__all__ = ["Placement"]


@dataclass(frozen=True, kw_only=True)
class Placement:
    """Where everything is.

    ``blocks`` are in the order of execution; ``cores`` is how many instances are taken, ``least`` how many would do
    and ``bound`` below how many nothing does (:mod:`.packing.bound`): if both are equal, that is proven.
    ``rows`` is how many row pairs each layer has: at least its inputs, and more where large weights are spread over
    several rows; ``parts`` is how they are divided. ``faults`` are cells that the weights have to live with.
    """

    cell_map: CellMap
    cores: int
    least: int
    bound: int
    rows: tuple[int, ...]
    parts: tuple[Parts, ...]
    blocks: tuple[Block, ...]
    skip: SkipMaps
    faults: FaultMaps = field(default_factory=dict)

    def of_layer(self, layer: int) -> tuple[Block, ...]:
        return tuple(b for b in self.blocks if b.layer == layer)

    def word_lines(self, core: int) -> NDArray[np.bool_]:
        """The word-line masks of a core, of shape (8, lines); masks that nothing selects have every line on."""
        masks = np.ones((MASKS, self.cell_map.shape[0]), dtype=bool)
        for block in self.blocks:
            if block.core == core:
                masks[block.wl_select] = False
                masks[block.wl_select, self.cell_map.lines_of(block.rows)] = True
        return masks

    def converted_lines(self, core: int) -> NDArray[np.bool_]:
        """The masks of converted lines of a core, of shape (8, lines)."""
        masks = np.ones((MASKS, self.cell_map.shape[1]), dtype=bool)
        for block in self.blocks:
            if block.core == core:
                masks[block.line_select] = False
                masks[block.line_select, self.cell_map.converted_of(block.columns)] = True
        return masks

    def dead_lines(self, core: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Skip maps of a core: (bit lines, source lines)."""
        return self.cell_map.dead(self.skip.get(core))
