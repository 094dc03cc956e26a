"""The runs behind an error budget: which causes change anything, and the network with each subset of them."""

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mho.hw.config import Chip
from mho.macro_models.devices import CAUSES, Device
from mho.results.budget import Causes, Passes, subsets

if TYPE_CHECKING:
    from mho.sim.programming.instance import Cells

__all__ = ["active_causes", "run_passes"]

_GRID = 257
"""Conductances at which a device is asked whether it has any noise."""


def active_causes(chip: Chip, device: Device, time_s: float, cells: "Cells | None" = None) -> Causes:
    """Causes that can change anything on a chip with these devices, ``time_s`` seconds after programming."""
    of_macro = chip.macro_config().active_causes(device)
    g = np.linspace(0.0, chip.cells.g_full_scale_uS, _GRID)
    active = {
        "programming": cells is not None or bool(device.law.model) or bool(device.window_uS(g).any()),
        "relaxation": device.relaxes and time_s > 0.0,
        "read-noise": bool(device.read_noise_uS(g, time_s).any()),
        "wire": "wire" in of_macro,
        "adc": "adc" in of_macro,
        "stuck": device.stuck.fraction > 0.0 if cells is None else cells.faults > 0,
    }
    return tuple(cause for cause in CAUSES if active[cause])


def run_passes(
    reference: NDArray[np.generic],
    active: Causes,
    seeds: tuple[int, ...],
    run: Callable[[int, Collection[str]], NDArray[np.generic]],
    progress: Callable[[int, int], None] | None = None,
) -> Passes:
    """Runs every subset of the active causes on the same chips, so that their scores differ by the causes alone.

    ``run`` takes a seed and the causes that are on, and gives the outputs.
    """
    sets, outputs, done = subsets(active), {}, 0
    total = 1 + (len(sets) - 1) * len(seeds)
    for on in sets:
        by_seed = []
        for seed in seeds if on else seeds[:1]:
            by_seed.append(run(seed, on))
            done += 1
            if progress:
                progress(done, total)
        outputs[on] = tuple(by_seed)
    return Passes(reference, active, outputs)
