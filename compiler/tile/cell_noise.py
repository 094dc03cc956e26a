"""Cells of a weight on tiles: how often layers are repeated in columns, against noise of the cells."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mho.compiler.calibration.cell_error import cell_error
from mho.compiler.calibration.trials.bench import representative_time
from mho.compiler.calibration.trials.influence import weight_noise
from mho.compiler.compile import NO_ERROR, output_noise, wanted_error
from mho.compiler.mapping import Placement
from mho.compiler.mapping.place import DEFAULT_COPIES
from mho.compiler.mapping.redundancy import Redundancy, squared_error
from mho.compiler.model import FloatNetwork
from mho.compiler.options import CompileOptions
from mho.hw.config import Chip
from mho.macro_models.devices import Device

__all__ = ["CellNoise"]

_COPIES, _NOISE = 4, 0.1
"""Copies in free columns, and the noise of the outputs by the cells, relative to them, from which they are made."""


@dataclass(frozen=True, kw_only=True)
class CellNoise:
    """What noise of the cells does to the outputs of a network.

    Attributes
    ----------
    layers
        Squared error of the outputs by each layer with one set of cells, by estimate; empty without noise.
    ends
        As of :func:`mho.compiler.mapping.redundancy.place_within`.
    wanted
        Error up to which nobody wants more cells; 1: nobody does.
    """

    layers: Sequence[float]
    ends: float
    wanted: float

    @classmethod
    def of(
        cls, net: FloatNetwork, chip: Chip, device: Device, options: CompileOptions, x: NDArray[np.float64]
    ) -> "CellNoise":
        """Of a network on cells of a device, at the time that it is calibrated for."""
        error, ends = cell_error(chip, device, representative_time(chip, device, options))
        layers = [] if error < NO_ERROR else output_noise(net, error, weight_noise(net, x), x)
        return cls(layers=layers, ends=ends, wanted=wanted_error(net, options))

    @property
    def asked(self) -> bool:
        """Whether copies are worth tiles and products."""
        return bool(self.layers) and self.wanted < 1.0

    def copies(self) -> list[int]:
        """How often layers are repeated at most; a second number is for outputs that are not right with the first."""
        if not self.layers:
            return [1]
        if not self.asked:
            return [_COPIES] if self._error([1] * len(self.layers)) > _NOISE else [1, _COPIES]
        every = range(1, DEFAULT_COPIES + 1)
        count = next((n for n in every if self._error([n] * len(self.layers)) <= self.wanted), DEFAULT_COPIES)
        return [count, _COPIES] if count < _COPIES else [count]

    def redundancy(self, placement: Placement, plain: Placement, positions: Sequence[int]) -> Redundancy | None:
        """What a placement does, beside one without copies; None where nothing is asked for."""
        if not self.asked:
            return None
        made, one = ([placed.of_layer(k)[0].copies for k in range(len(self.layers))] for placed in (placement, plain))
        return Redundancy(
            wanted=self.wanted, without=self._error(one), reached=self._error(made), cores=plain.cores,
            products=sum(positions[block.layer] for block in plain.blocks),
        )

    def _error(self, copies: Sequence[int]) -> float:
        return squared_error(self.layers, self.ends, [1.0 / count for count in copies]) ** 0.5
