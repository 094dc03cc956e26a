"""What a device does to cells until they are read: tables over the conductance, drawn from the device's own laws."""

import numpy as np
import torch

from mho.hw.config import Chip
from mho.macro_models.cell_map import CellMap
from mho.macro_models.cells.programming import programmed
from mho.macro_models.devices import Device
from mho.macro_models.devices.checks import CAUSES
from mho.torch.module import Module

NODES = 65
"""Targets of the tables, evenly from the least to the largest."""
CHIPS, CELLS = 24, 1024
"""Chips that are drawn for the tables, and cells of each target on one."""
SHARES = 257
"""Parts of a weight in the tables of weights, from nothing to all that a cell holds, of either sign."""
FEWEST_SHARED = 0.01
"""Part of the variance that cells of a chip have in common, from which on it is drawn for the chip."""


class CellTables(Module):
    """Errors of cells at one time and temperature, and the noise of a conversion, by the conductance.

    Attributes
    ----------
    acts, spread
        Whether cells differ from their targets at all, and converters have errors.
    shared
        Part of the variance, 0 to 1, that all cells of a chip have in common.
    """

    def __init__(self, chip: Chip, device: Device, time_s: float, temp_C: float = 25.0) -> None:
        super().__init__()
        self.device, self.time_s, self.temp_C = device, time_s, temp_C
        cells = chip.cells
        self.low, self.step = cells.g_min_uS, (cells.g_max_uS - cells.g_min_uS) / (NODES - 1)
        targets = self.low + self.step * np.arange(NODES, dtype=np.float64)
        drawn = np.stack([
            programmed(np.repeat(targets, CELLS), device=device, seed=seed, core=0, time_s=time_s, temp_C=temp_C,
                       causes=frozenset(CAUSES)).g_uS.reshape(NODES, CELLS)
            for seed in range(CHIPS)
        ])
        error = np.minimum(drawn, cells.g_full_scale_uS) - targets[:, None]
        variance = error.var(axis=(0, 2))
        between = (error.mean(axis=2).var(axis=0, ddof=1) - variance / CELLS).sum() / max(variance.sum(), 1e-30)
        self.shared = float(between) if between > FEWEST_SHARED else 0.0
        self.acts = bool((error != 0).any())
        noise = device.read_noise_uS(cells.g_full_scale_uS * np.arange(NODES) / (NODES - 1), time_s)
        noise = noise if device.read_noise.generator == "cells" else 0.0 * noise
        self.read_step = cells.g_full_scale_uS / (NODES - 1)
        config = chip.macro_config()
        self.spread = device.converter.spread and "adc" in config.active_causes(device)
        tables = {"means": error.mean(axis=(0, 2)), "variances": variance, "read_variances": noise**2}
        self.hold(**{name: table.astype(np.float32) for name, table in tables.items()})

    def moments(self, target_uS: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and variance of cells less their targets, in uS and its square."""
        at, part = self._place(target_uS, self.low, self.step)
        mean, variance = (table[at] + part * (table[at + 1] - table[at]) for table in (self.means, self.variances))
        return mean, variance

    def read_variance(self, g_uS: torch.Tensor) -> torch.Tensor:
        """Variance of the noise of cells in one conversion, in the square of uS."""
        at, part = self._place(g_uS, 0.0, self.read_step)
        return self.read_variances[at] + part * (self.read_variances[at + 1] - self.read_variances[at])

    def normals(self, like: torch.Tensor, common: torch.Tensor) -> torch.Tensor:
        """Standard normals of cells, a part of which is ``common`` to the chip."""
        own = torch.randn(like.shape, dtype=torch.float32, device=like.device)
        return own if not self.shared else own * (1.0 - self.shared) ** 0.5 + common * self.shared**0.5

    @staticmethod
    def _place(value: torch.Tensor, low: float, step: float) -> tuple[torch.Tensor, torch.Tensor]:
        """The node below, and how far it is to the next one."""
        place = ((value - low) / step).clamp(0, NODES - 1).float()
        at = place.long().clamp(max=NODES - 2)
        return at, place - at


class WeightNoise(Module):
    """Errors of weights whose cells are shared out among several: tables over one cell's part of the weight.

    Parameters
    ----------
    tables
        Those of cells.
    sizes
        Over how many cells weights are stacked, as few as hold them; 1: evenly.
    cell_map
        What cells a weight has.
    low, high
        Least and largest conductance of a cell, in uS.
    """

    def __init__(self, tables: CellTables, sizes: np.ndarray, cell_map: CellMap, low: float, high: float) -> None:
        super().__init__()
        self.tables, self.top = tables, cell_map.top(low, high)
        step = np.linspace(-1.0, 1.0, 2 * SHARES - 1)
        rows, alone = list[torch.Tensor](), np.eye(cell_map.cells)
        counts = cell_map.join(alone) - cell_map.join(0.0 * alone)
        signs = np.array([counts > 0, counts < 0][: 1 + bool((counts < 0).any())])
        of_signs = torch.from_numpy(signs).float()
        for size in sizes.tolist():
            # Cells that are full, the one that takes the rest, and those that hold nothing.
            parts = np.sign(step)[:, None] * np.clip(np.abs(step)[:, None] * size - np.arange(size), 0.0, 1.0)
            cells = cell_map.split(self.top * parts, low, high)
            target = torch.from_numpy(cells).float()
            mean, of_cells, of_reads = (
                of_signs @ part.mean(dim=2) for part in (*tables.moments(target), tables.read_variance(target)))
            rows.append(torch.stack([mean, (of_cells + of_reads).sqrt(), of_cells.sqrt(), of_reads.sqrt()]))
        self.register_buffer("table", torch.stack(rows, dim=2).flatten(2), persistent=False)

    def drawn(
        self, share_uS: torch.Tensor, stack_of: torch.Tensor, rows: torch.Tensor, copies: int, common: torch.Tensor,
        reads: bool = True,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Errors of weights, and sums of those of their cells, of all rows, the mean of the copies, in uS.

        ``share_uS`` are differences of one cell, ``stack_of`` says which size each input has, ``rows`` how many it has;
        ``reads``: with the noise of a conversion.
        """
        node, deviation = self._node(share_uS, stack_of), (rows / copies).sqrt()
        mean, sigma = self.table[0], self.table[1 if reads else 2]
        errors = [
            torch.addcmul(m[node] * rows, s[node] * deviation, self.tables.normals(share_uS, common))
            for m, s in zip(mean, sigma, strict=True)
        ]
        return (errors[0] - errors[1], errors[0] + errors[1]) if len(errors) > 1 else (errors[0], errors[0])

    def of_conversion(
        self, share_uS: torch.Tensor, stack_of: torch.Tensor, rows: torch.Tensor, copies: int
    ) -> torch.Tensor:
        """The noise of a conversion alone; see :meth:`drawn`."""
        sigma = self.table[3].square().sum(dim=0).sqrt()[self._node(share_uS, stack_of)]
        return sigma * (rows / copies).sqrt() * torch.randn_like(sigma)

    def _node(self, share_uS: torch.Tensor, stack_of: torch.Tensor) -> torch.Tensor:
        """The place in the tables."""
        return (share_uS * ((SHARES - 1) / self.top)).round_().long() + (SHARES - 1) + stack_of * (2 * SHARES - 1)
