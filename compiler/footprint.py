"""Memory that work on a network takes, by estimate: what does not fit is refused before it begins.

Terms and constants are from measured peaks of processes: an estimate above 50 MB is between half of the peak and a
little more than all of it.
"""

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from mho.compiler.calibration.calibrate import images_used
from mho.compiler.calibration.trials.calls import MOST_SAMPLES
from mho.compiler.mapping import Placement
from mho.compiler.model import FloatNetwork
from mho.compiler.program.program import POSITIONS
from mho.macro_models.array.cache import LIMIT_BYTES
from mho.macro_models.cells.programming import KEPT_CELLS, KEPT_DRAWS

if TYPE_CHECKING:
    from mho.compiler.network import Network

CELL_BYTES = 24
"""A cell of a chip that runs: targets, codes, draws."""
TRIAL_BYTES, CHIP_BYTES = 40, 24
"""A cell of the layer that is calibrated, and of it for each chip on which candidates are tried."""
OUTPUT_BYTES = 90
"""An output of the layer that is calibrated, for each of its samples and chips: those of the best and the next."""
LINE_BYTES = 8
"""A line of a core, for each product in flight."""
FEATURE_BYTES = 16
"""A number of the inputs of a run."""
SEED_BYTES = 1 << 13
"""Figures of a run on one chip."""
NUMBA_BYTES = 80_000_000
"""The compiler of the compiled functions, which the first product of a process loads."""


def _kept_matrices(network: "Network", cells: int, chips: int) -> int:
    """Memory of the matrices that a process keeps of cores, where their wires are not perfect."""
    wires = "wire" in network.chip.macro_config().active_causes(network.device)
    return min(LIMIT_BYTES, 4 * cells * chips) if wires else 0


def _kept_draws(sizes: Iterable[int], chips: int) -> int:
    """Memory of the draws that a process keeps of cores of these numbers of cells: two of 16 bits for each cell."""
    cached = [size for size in sizes if size <= KEPT_CELLS]
    return 2 * min(2 * chips * sum(cached), KEPT_DRAWS * max(cached, default=0))


def _still_to_load() -> int:
    return 0 if "numba" in sys.modules else NUMBA_BYTES


def compile_bytes(net: FloatNetwork, placement: Placement, chips: int, images: int) -> int:
    """Memory of a compilation, in bytes: targets, the chips of the largest layer, values of all calibration inputs."""
    rows, columns = placement.cell_map.shape
    images, cells = images_used(net, images), rows * columns
    cores_of_layer = max(len({block.core for block in placement.of_layer(k)}) for k in range(len(net.layers)))
    at_all = max(layer.inputs * positions for layer, positions in zip(net.layers, net.positions, strict=True))
    samples, at_once = min(max(MOST_SAMPLES, images), images * max(net.positions)), net.most_positions
    return (
        _still_to_load() + cells * (8 * placement.cores + (TRIAL_BYTES + CHIP_BYTES * chips) * cores_of_layer)
        + 8 * images * (net.elements + at_all)
        + OUTPUT_BYTES * samples * chips * max(layer.outputs for layer in net.layers)
        + 2 * LINE_BYTES * rows * min(POSITIONS, images * at_once)
    )


def work_bytes(net: FloatNetwork, placement: Placement, *, samples: int, images: int) -> int:
    """Memory of compiling a network for ``samples`` inputs and then of running ``images``, in bytes, before either.

    As :func:`compile_bytes` and :func:`run_bytes`, of which the larger counts, without the compiler of functions.
    """
    rows, columns = placement.cell_map.shape
    cells = rows * columns * placement.cores
    run = CELL_BYTES * cells + FEATURE_BYTES * images * net.features + LINE_BYTES * rows * min(
        POSITIONS, images * net.most_positions
    )
    cached = LIMIT_BYTES + 2 * KEPT_DRAWS * (rows * columns if rows * columns <= KEPT_CELLS else 0)
    return max(compile_bytes(net, placement, 4, samples) - _still_to_load(), run) + cached


def run_bytes(network: "Network", images: int, seeds: int, *, codes: int, batch: int) -> int:
    """Memory of a run, in bytes: one chip and what flows through it, inputs, and what is kept of all chips.

    ``codes`` is what one chip's output codes take that are kept, ``batch`` the most images in flight.
    """
    sizes = [core.targets_uS.size for core in network.cores]
    cells = sum(sizes)
    rows = network.chip.macro_config().cell_map.rows
    flying = min(POSITIONS, min(batch, images) * network.program.most_positions)
    outputs = 4 * len(network.program.output.scale) * images
    return (
        _still_to_load() + CELL_BYTES * cells + FEATURE_BYTES * images * network.model.features
        + LINE_BYTES * rows * flying + (outputs + SEED_BYTES + codes) * seeds + _kept_matrices(network, cells, seeds)
        + _kept_draws(sizes, seeds)
    )
