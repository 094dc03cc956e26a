"""A product of a core on tensors: where its weights are, and its codes, which are those of the core's model."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from mho.compiler.layer_run import taken_inputs
from mho.compiler.mapping.weights import Block
from mho.compiler.program import DITHER, Layer, Mvm
from mho.hw.config import Chip
from mho.macro_models import MacroModel, Masks
from mho.macro_models.macro import constant_input
from mho.macro_models.types import Array
from mho.torch.module import Module

Codes = Callable[[Array], Array]
"""Output codes in half steps, (vectors, columns), of inputs of a product and its constant, (vectors, inputs + 1)."""


class CoreProduct(Module):
    """One product of a layer.

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
        used, self.place = taken_inputs(rows)
        self.constant = rows == DITHER
        self.inputs = slice(int(used[0]), int(used[-1]) + 1) if len(used) and (np.diff(used) == 1).all() else None
        self.hold(used=used, outputs=mvm.outputs)

    def bound(self, core: MacroModel, masks: Masks, mvm: Mvm, layer: Layer, first: int) -> Codes:
        """Codes on a programmed core; conversions of call after call are numbered from ``first`` on."""
        product = core.bind(mvm.op, masks, mvm.rows, self.place, len(self.used) + 1, mvm.columns)
        number = first + mvm.operation

        def codes(x: Array) -> Array:
            nonlocal number
            numbers = np.uint64(number) + np.arange(len(x), dtype=np.uint64) * np.uint64(layer.conversions)
            number += len(x) * layer.conversions
            return product.compute(x, numbers).codes

        return codes

    def exact(self, codes: torch.Tensor, bound: Codes) -> torch.Tensor:
        """Output codes in half steps, (columns, vectors), for inputs of the layer (inputs, vectors)."""
        taken = codes.index_select(0, self.used) if self.inputs is None else codes[self.inputs]
        x = torch.cat([taken, torch.full_like(taken[:1], constant_input(self.op))]).T.float().contiguous().cpu().numpy()
        return torch.from_numpy(bound(x)).T.to(codes.device).double()

    def block_cells(self, target_uS: np.ndarray) -> np.ndarray:
        """The cells of its weights of those of a core, (cells of a weight, columns, rows)."""
        cells = self.config.cell_map.take(target_uS.astype(np.float64), self.mvm.rows, self.mvm.columns)
        return cells.swapaxes(1, 2)
