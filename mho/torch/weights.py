"""Latent weights to differences of cells, as the compiler maps them, on tensors: the bits of its :class:`PairMap`."""

import numpy as np
import torch  # pyright: ignore[reportMissingImports]

from mho.compiler.calibration.trials.candidates import Draft
from mho.compiler.mapping.parts import Parts
from mho.compiler.mapping.weights import grid_ends, grid_step, numbered_rows, slice_reaches
from mho.compiler.model.layer import LinearLayer
from mho.compiler.program import DITHER


class WeightMap(torch.nn.Module):
    """Differences of all cells of a layer, in uS, from its weights.

    What one of them stands for stays what the compiler chose; what the cells cannot hold is clipped, and has no
    gradient.

    Attributes
    ----------
    low, high
        The range of the cells.
    """

    def __init__(self, layer: LinearLayer, draft: Draft, parts: Parts) -> None:
        super().__init__()
        pairs, cells = draft.pairs, draft.pairs.chip.cells
        self.slices, self.bits, self.copies, self.stack = pairs.slices, pairs.bits, pairs.copies, pairs.stack
        self.low, self.high = cells.g_min_uS, cells.g_max_uS
        numbers = np.arange(1.0, layer.weight.size + 1).reshape(layer.weight.shape)
        present = parts.share(np.ones_like(layer.weight), draft.spread)
        used, count = present > 0, np.ones(present.shape)
        count[used] = np.rint(1.0 / present[used])
        place = np.rint(parts.share(numbers, draft.spread) * count).astype(np.int64) - 1
        scale = layer.scaled(draft.quantiser.scale)
        with np.errstate(divide="ignore", invalid="ignore"):
            self._hold(scale=_scales(layer, draft.quantiser.scale), count=count, used=used)
        self._hold(place=np.where(used, place, 0))
        weight = parts.share(scale, draft.spread)
        largest = np.abs(weight).max(axis=1, initial=0.0)
        largest = np.where(largest > 0, largest * pairs.clip, 1.0)
        self.lsb = grid_step(pairs.chip)
        if self.slices == 1:
            self.top = pairs.map.top(self.low, self.high)
            self._hold(unit=(largest / self.top)[:, None])
            inputs = parts.taken(draft.spread)
            number, rows = numbered_rows(inputs)
            self._hold(number=number, rows=rows, inputs=inputs)
        else:
            first, last = grid_ends(pairs.chip)
            self.steps = int(pairs.map.top(first, last))
            self.reaches = slice_reaches(self.steps, self.slices, self.bits)
            self.low, self.high, self.top = self.lsb * first, self.lsb * last, self.steps * self.lsb
            self._hold(largest=largest[:, None])
        # The smooth pass: slices have equal shares, and the cells of a weight on all rows of its input.
        total = pairs.unit[0] * (2.0 ** (-self.bits * np.arange(self.slices))).sum()
        counts = np.bincount(draft.spread[draft.spread != DITHER], minlength=layer.inputs)
        share = _scales(layer, draft.quantiser.scale / counts) / total[:, None]
        self._hold(share=share.astype(np.float32))
        self.shape, self.groups = layer.weight.shape, layer.groups
        # Over how many cells a weight is stacked: those on its rows, and in the copies.
        stacked = {"even": 0, "rows": 1, "copies": self.copies}[self.stack] if self.slices == 1 else 0
        cells_of = np.maximum(counts * stacked, 1)
        self.stack_sizes, self.stack_index = np.unique(cells_of, return_inverse=True)

    def _hold(self, **arrays: np.ndarray) -> None:
        for name, array in arrays.items():
            self.register_buffer(name, torch.as_tensor(np.asarray(array)), persistent=False)

    def rows_of(self, weight: torch.Tensor, reach: torch.Tensor | None) -> torch.Tensor:
        """Weights of the rows, with the scale of the codes, (outputs, rows of a part), in double precision."""
        scaled = weight.double() * (self.scale if reach is None else self.scale * reach)
        return torch.where(self.used, scaled.flatten()[self.place] / self.count, 0.0)

    def forward(self, weight: torch.Tensor, reach: torch.Tensor | None) -> torch.Tensor:
        """Differences in uS, of shape (copies or 1, slices, outputs, rows of a part)."""
        rows = self.rows_of(weight, reach)
        if self.slices > 1:
            return self._sliced(rows)
        differences = (rows / self.unit).clamp(-self.top, self.top)
        if self.stack == "even":
            return differences[None, None]
        copies = self.copies if self.stack == "copies" else 1
        size, output = differences.abs(), torch.arange(len(differences), device=rows.device)[:, None]
        stacked = []
        for copy in range(copies):
            turn = (copy + self.inputs + output) % copies
            part = (copies * self.rows * size - (copies * self.number + turn) * self.top).clamp(0.0, self.top)
            stacked.append(torch.where(self.inputs >= 0, torch.sign(differences) * part, 0.0))
        exact = torch.stack(stacked)[:, None].detach()
        # All cells of a weight take a change of it alike, but none beyond its range.
        return exact + (differences - differences.detach())

    def shares(self, weight: torch.Tensor, reach: torch.Tensor | None) -> torch.Tensor:
        """Differences of the cells of weights in uS, all of a weight alike, of the shape of ``weight``."""
        share = self.share if reach is None else self.share * reach.float()
        return (weight.float() * share).clamp(-self.top, self.top)

    def _sliced(self, rows: torch.Tensor) -> torch.Tensor:
        value, rest, parts = self.reaches[0] * rows / self.largest, None, []
        rest = value.detach()
        for reach in self.reaches:
            rest = rest.clamp(-reach, reach)
            parts.append(torch.round(rest * (self.steps / reach)))
            rest = (rest - parts[-1]) * 2.0**self.bits
        inside = value.clamp(-self.reaches[0], self.reaches[0])
        change = (inside - inside.detach()) * (self.steps / self.reaches[0])
        return self.lsb * torch.stack([part + change for part in parts])[None]


def _scales(layer: LinearLayer, scale: np.ndarray) -> np.ndarray:
    """The scale of the codes that each weight of a layer meets, of the shape of its weights."""
    ones = LinearLayer(name="", weight=np.ones_like(layer.weight), bias=layer.bias, relu=False, groups=layer.groups)
    return ones.scaled(scale)
