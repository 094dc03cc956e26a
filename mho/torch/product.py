"""A product of a core on tensors, as far as it is alike for all kinds: where its weights are."""

from abc import abstractmethod
from typing import Any

import numpy as np
import torch

from mho.compiler.layer_run import taken_inputs
from mho.compiler.mapping.weights import Block
from mho.compiler.program import DITHER, Layer, Mvm
from mho.hw.config import Chip
from mho.torch.cells import CellTables
from mho.torch.module import Module

SINGLE_EXACT = 2.0**24
"""Sums of whole numbers below it have one value in single precision, whatever their order."""


class CoreProduct(Module):
    """One product of a layer, in passes that give the bits of the core.

    Parameters
    ----------
    mvm, layer, block
        The product, the layer of the program, and where its weights are.
    """

    def __init__(self, mvm: Mvm, layer: Layer, block: Block, chip: Chip) -> None:
        super().__init__()
        config: Any = chip.macro_config()
        self.mvm, self.config, self.copies, self.op = mvm, config, block.copies, mvm.op
        self.lsb, rows = config.lsb_uS, mvm.taken(layer.spread)
        used, place = taken_inputs(rows)
        self.constant = rows == DITHER
        self.inputs = slice(int(used[0]), int(used[-1]) + 1) if len(used) and (np.diff(used) == 1).all() else None
        self.hold(used=used, place=place, outputs=mvm.outputs)

    @abstractmethod
    def sensed(self, target_uS: np.ndarray, step_code: int, tables: CellTables | None, common: torch.Tensor) -> Any:
        """The cells of a core on one chip, or with no tables on a perfect one, for :meth:`exact`."""

    @abstractmethod
    def exact(self, codes: torch.Tensor, sensed: Any) -> torch.Tensor:
        """Output codes in half steps, (columns, vectors), for inputs of the layer (inputs, vectors)."""

    def block_cells(self, target_uS: np.ndarray) -> np.ndarray:
        """The cells of its weights of those of a core, (cells of a weight, columns, rows)."""
        cells = self.config.cell_map.take(target_uS.astype(np.float64), self.mvm.rows, self.mvm.columns)
        return cells.swapaxes(1, 2)

    def drawn_codes(self, target_uS: np.ndarray, tables: CellTables | None, common: torch.Tensor) -> torch.Tensor:
        """Codes of the same on one chip, or with no tables on a perfect one."""
        cells = torch.as_tensor(self.block_cells(target_uS)).to(common.device)
        if tables is not None:
            cells = tables.drawn(cells, common)
        return torch.round(cells / self.lsb).clamp(max=2**self.config.g_bits - 1)

    def folded(self, of_rows: torch.Tensor) -> torch.Tensor:
        """What rows have, added for each input, the constant last: (columns, inputs + 1)."""
        total = torch.zeros(len(of_rows), len(self.used) + 1, dtype=of_rows.dtype, device=of_rows.device)
        return total.index_add(1, self.place, of_rows)

    def taken(self, codes: torch.Tensor) -> torch.Tensor:
        """Inputs of the product, of those of the layer: (inputs, vectors)."""
        return codes.index_select(0, self.used) if self.inputs is None else codes[self.inputs]
