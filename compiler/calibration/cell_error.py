"""What the cells of a device do to outputs that are numbers."""

import numpy as np

from mho.compiler.model import FloatNetwork
from mho.compiler.types import Float
from mho.hw.config import Chip
from mho.macro_models import CAUSES
from mho.macro_models.cells.programming import programmed
from mho.macro_models.devices import Device

__all__ = ["cell_error", "error_of_outputs"]


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
