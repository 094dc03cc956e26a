"""Before cells are programmed: forming of fresh ones, and a search for those that do not move.

A dead cell whose conductance is what the network wants of it converges at once, and would be found only when another
network wants something else. So cells that are found near their targets are moved away before they are programmed: one
that stays is faulty. All of it is runs of the write-verify engine, so that it happens in the generated Verilog as well.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mho.hw.config import Chip, PulseChip
from mho.hw.core.write_verify.config import WriteVerifyParameters
from mho.macro_models.cells.pulses import PulseArray
from mho.macro_models.errors import InputError
from mho.sim.programming.write_verify import Programmer, ProgramRun, reference_run, target_codes


@dataclass(frozen=True, kw_only=True, eq=False)
class Preparation:
    """What was done before programming."""

    runs: Sequence[ProgramRun]
    """The runs of the engine, in their order."""
    cells: int
    """Cells that got pulses or were meant to."""
    faults: NDArray[np.bool_]
    """Those that did not do what they were meant to, of shape (N, N)."""

    @property
    def pulses(self) -> int:
        """Pulses of all runs."""
        return sum(len(run.pulses) for run in self.runs)

    @property
    def cycles(self) -> int:
        """Clock cycles of all runs."""
        return sum(run.cycles for run in self.runs)


def form_cells(
    chip: Chip, core: int, array: PulseArray, skip: NDArray[np.bool_], programmer: Programmer | None = None
) -> Preparation:
    """Forms the cells of ``array``, which changes, but those of ``skip``, of shape (N, N), in one run.

    Raises InputError if the device says nothing about forming.
    """
    law = array.device.pulse
    if not (law.form_threshold_V > 0.0 and law.formed_uS > 0.0):
        raise InputError(
            f"{array.device.name}: pulse.form_threshold_V and pulse.formed_uS must be positive to form fresh cells, "
            f"not {law.form_threshold_V:g} and {law.formed_uS:g}"
        )
    targets = np.full(skip.shape, PulseChip.of(chip).programming.formed_uS)
    run = _run(chip, core, array, targets, skip, WriteVerifyParameters.from_chip(chip, form=True), programmer)
    return Preparation(runs=(run,), cells=int((~skip).sum()), faults=run.fault_map)


def screen_cells(
    chip: Chip,
    core: int,
    array: PulseArray,
    targets_uS: NDArray[np.floating],
    skip: NDArray[np.bool_],
    parameters: WriteVerifyParameters,
    programmer: Programmer | None = None,
) -> Preparation:
    """Moves cells of ``array`` that are near their targets away from them, and says which of them stay.

    Near is one and a half times the acceptance band. They are sent a quarter of the range away, upwards where there is
    room, and it is enough that they leave twice the band: most do so at the first pulse that moves them.

    Parameters
    ----------
    targets_uS
        What the network wants, of shape (N, N), in uS.
    skip
        Cells to leave alone, of the same shape.
    parameters
        Registers of the run of programming that is to follow.
    """
    band, targets = parameters.tolerance, targets_uS.astype(np.float64)
    once = replace(parameters, passes=1)
    reading = replace(once, max_pulses=0, tolerance=band + band // 2)
    first = _run(chip, core, array, targets, skip, reading, programmer)
    near = ~first.fault_map & ~skip
    if not near.any():
        return Preparation(runs=(first,), cells=0, faults=near)
    config = PulseChip.of(chip).pulse_config()
    low, high = config.codes([chip.cells.g_min_uS, chip.cells.g_max_uS])
    reach = max(int(high - low) // 4, 4 * band)
    step = reach * config.verify_step_uS
    upwards = targets + 2.0 * step <= chip.cells.g_max_uS
    away = np.clip(targets + np.where(upwards, step, -step), 0.0, chip.cells.g_full_scale_uS)
    moving = replace(once, tolerance=reach - 2 * band)
    second = _run(chip, core, array, away, ~near, moving, programmer)
    return Preparation(runs=(first, second), cells=int(near.sum()), faults=second.fault_map & near)


def _run(
    chip: Chip, core: int, array: PulseArray, targets_uS: NDArray[np.float64], skip: NDArray[np.bool_],
    parameters: WriteVerifyParameters, programmer: Programmer | None,
) -> ProgramRun:
    targets, skipped = target_codes(chip, targets_uS), skip if skip.any() else None
    if programmer is None:
        return reference_run(chip, array, targets, skipped, parameters)
    return programmer.program(core, array, targets, skipped, parameters)
