"""Noise of a network's cells, and how many cells a weight gets against it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from mho.compiler.calibration.cell_error import cell_error, error_of_outputs
from mho.compiler.calibration.trials.bench import representative_time
from mho.compiler.calibration.trials.gradients import IMAGES
from mho.compiler.calibration.trials.influence import weight_noise
from mho.compiler.mapping import Placement
from mho.compiler.mapping.place import DEFAULT_COPIES
from mho.compiler.mapping.redundancy import Redundancy, squared_error
from mho.compiler.model import FloatNetwork
from mho.compiler.options import CompileOptions
from mho.compiler.types import Float
from mho.hw.config import Chip
from mho.macro_models.devices import Device

__all__ = ["CellNoise"]

ERROR_OF_NUMBERS = 0.06
"""Error by noise of the cells up to which outputs that are numbers take no more of them: with rounding it is 0.1."""

NO_ERROR = 1e-9
"""Error of a weight below which cells have none."""

_COPIES, _NOISE = 4, 0.1
"""Copies in free columns, and the noise of the outputs by the cells, relative to them, from which tiles have them."""


@dataclass(frozen=True)
class CellNoise:
    """What noise of the cells does to the outputs of a network, at the time that it is calibrated for.

    ``x`` are inputs of shape (images, features). Nothing is computed before it is asked for.
    """

    net: FloatNetwork
    chip: Chip
    device: Device
    options: CompileOptions
    x: Float

    @cached_property
    def weights(self) -> list[float]:
        """What noise of each layer's cells does, up to a common factor."""
        return weight_noise(self.net, self.x)

    @cached_property
    def _cell(self) -> tuple[float, float]:
        return cell_error(self.chip, self.device, representative_time(self.chip, self.device, self.options))

    @property
    def ends(self) -> float:
        """As of :func:`mho.compiler.mapping.redundancy.place_within`."""
        return self._cell[1]

    @cached_property
    def layers(self) -> list[float]:
        """Squared error of the outputs by each layer with one set of cells, by estimate; empty without noise."""
        error = self._cell[0]
        if error < NO_ERROR:
            return []
        squared = (error * error_of_outputs(self.net, self.x[:: -(-len(self.x) // IMAGES)])) ** 2
        return [squared * noise for noise in self.weights]

    @property
    def limit(self) -> float:
        """Error of the outputs by noise of the cells above which weights take more of them; 1: none do."""
        if self.options.error is not None:
            return self.options.error
        return ERROR_OF_NUMBERS if self.net.gives_numbers else 1.0

    @property
    def matters(self) -> bool:
        """Whether more cells for each weight are worth cores and products."""
        return self.limit < 1.0 and bool(self.layers)

    def copies(self) -> list[int]:
        """How often tiles repeat layers at most; a second number is for outputs that are not right with the first."""
        if not self.layers:
            return [1]
        if not self.matters:
            return [_COPIES] if self._error([1] * len(self.layers)) > _NOISE else [1, _COPIES]
        counts = range(1, DEFAULT_COPIES + 1)
        count = next((n for n in counts if self._error([n] * len(self.layers)) <= self.limit), DEFAULT_COPIES)
        return [count, _COPIES] if count < _COPIES else [count]

    def redundancy(self, placement: Placement, plain: Placement, positions: Sequence[int]) -> Redundancy | None:
        """What a placement does, beside one without copies; None where nothing is asked for."""
        if not self.matters:
            return None
        layers = range(len(self.layers))
        reached, without = (
            self._error([placed.of_layer(k)[0].copies for k in layers]) for placed in (placement, plain))
        return Redundancy(
            wanted=self.limit, without=without, reached=reached, cores=plain.cores,
            products=sum(positions[block.layer] for block in plain.blocks),
        )

    def _error(self, copies: Sequence[int]) -> float:
        return squared_error(self.layers, self.ends, [1.0 / count for count in copies]) ** 0.5
