"""Noise of a network's cells, and what it does to outputs, how many cells a weight gets against it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mho.compiler.calibration.trials.bench import representative_time
from mho.compiler.calibration.trials.influence import IMAGES, weight_noise
from mho.compiler.mapping import Placement
from mho.compiler.mapping.place import DEFAULT_COPIES
from mho.compiler.mapping.redundancy import Redundancy, squared_error
from mho.compiler.model import FloatNetwork
from mho.compiler.options import CompileOptions
from mho.compiler.types import Float
from mho.hw.config import Chip
from mho.macro_models import CAUSES
from mho.macro_models.cells.programming import programmed
from mho.macro_models.devices import Device

SMALL = 1e-3
"""Errors with which the slope of what follows the last layer is found, relative to its outputs."""

LEVELS, CELLS = 16, 256
"""Conductances from the lowest to the middle, where most weights are, and cells of each that are drawn."""

AT_THE_TOP = 0.25
"""Share of the cells at the ends of the range that are at the highest conductance: weights are a quarter of the largest
ones, root mean square, where they are as normal ones."""

LEFT = 0.47
"""What is left of a cell's error by clipping of weights, which raises all others, as measured on five autoencoders of 1
to 28 cells a weight (docs/explanation/quantisation.md): 0.42 to 0.48."""

FIRST_SEED = 0xCA11E000


def cell_error(chip: Chip, device: Device, time_s: float) -> tuple[float, float]:
    """Error of a weight in one set of cells, and the square of that of cells at the ends of their range over it.

    The error is the root mean square relative to the largest weight of an output, by what cells of one target differ
    ``time_s`` seconds after programming: what all do alike is compensated.
    """
    low, high = chip.cells.g_min_uS, chip.cells.g_max_uS
    levels = np.append(np.linspace(low, (low + high) / 2, LEVELS), high)
    g_uS = programmed(
        np.repeat(levels, CELLS).reshape(-1, CELLS), device=device, seed=FIRST_SEED, core=0, time_s=time_s, temp_C=25.0,
        causes=frozenset(CAUSES) - {"wire"},
    ).g_uS
    variance = g_uS.var(axis=1)
    cell_map = chip.macro_config().cell_map
    # One cell holds the weight, the others of a pair are at their lowest.
    lowest = (cell_map.cells - 1) * variance[0]
    middle = float(variance[:-1].mean() + lowest)
    ends = float(variance[0] + AT_THE_TOP * (variance[-1] - variance[0]) + lowest)
    return LEFT * middle**0.5 / float(cell_map.top(low, high)), min(1.0, ends / middle) if middle else 1.0


def error_of_outputs(net: FloatNetwork, x: Float) -> float:
    """Error of the outputs relative to their root mean square, for an error of 1 in what is compared.

    See :meth:`~mho.compiler.model.FloatNetwork.compared`. ``x`` are inputs of shape (images, features). What the host
    does at the end is taken to be linear. Several outputs are compared relative to their deviations: 1.
    """
    if len(net.outputs) > 1:
        return 1.0
    last = net.last(x)
    step = SMALL * max(float(np.sqrt((last**2).mean())), 1e-30)
    shifted = last + step * np.random.default_rng(0).choice([-1.0, 1.0], last.shape)
    outputs = np.asarray(net.finish(last), dtype=np.float64)
    moved = np.asarray(net.finish(shifted), dtype=np.float64) - outputs
    size = np.sqrt(((net.compared(shifted) - net.compared(last)) ** 2).mean())
    return float(np.sqrt((moved**2).mean()) / size / max(np.sqrt((outputs**2).mean()), 1e-30))


ERROR_OF_NUMBERS = 0.06
"""Error by noise of the cells up to which outputs that are numbers take no more of them: with rounding it is 0.1."""

NO_ERROR = 1e-9
"""Error of a weight below which cells have none."""

_COPIES, _NOISE, _MOST_NOISE = 4, 0.1, 0.16
"""Copies in free columns, the noise of the outputs by the cells, relative to them, from which tiles have them, and that
with them from which on they have more, on all tiles."""


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

    @property
    def enough(self) -> float:
        """Error up to which tiles take no more cells for each weight; 1 where what is free in columns will do."""
        if self.matters or not self.layers or self.options.error is not None:
            return self.limit
        return _MOST_NOISE if self.error([_COPIES] * len(self.layers)) > _MOST_NOISE else 1.0

    def copies(self) -> list[int]:
        """How often tiles repeat layers at most; a second number is for outputs that are not right with the first."""
        if not self.layers:
            return [1]
        if self.enough == 1.0:
            return [_COPIES] if self.error([1] * len(self.layers)) > _NOISE else [1, _COPIES]
        counts = range(1, DEFAULT_COPIES + 1)
        count = next((n for n in counts if self.error([n] * len(self.layers)) <= self.enough), DEFAULT_COPIES)
        return [count, _COPIES] if count < _COPIES else [count]

    def redundancy(self, placement: Placement, plain: Placement, positions: Sequence[int]) -> Redundancy | None:
        """What a placement does, beside one without copies; None where nothing is asked for."""
        if not self.matters:
            return None
        layers = range(len(self.layers))
        reached, without = (self.error([placed.of_layer(k)[0].copies for k in layers]) for placed in (placement, plain))
        return Redundancy(
            wanted=self.limit, without=without, reached=reached, cores=plain.cores,
            products=sum(positions[block.layer] for block in plain.blocks),
        )

    def error(self, copies: Sequence[int]) -> float:
        """Error of the outputs for so many copies of each layer, by estimate."""
        return squared_error(self.layers, self.ends, [1.0 / count for count in copies]) ** 0.5
