"""What ``mho verify core`` does where a user's own model is behind the pins: its cells are measured."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hw.config import Chip, PulseChip
from hw.core.write_verify import WriteVerifyConfig, WriteVerifyParameters
from macro_models import load_device
from macro_models.cells.pulses import PulseArray
from macro_models.errors import ToolError
from sim.cells.cosim import cell_fields, write_job
from sim.core.bench.exact_macro import LARGEST, ExactMacro, measure_cells, require_programmed
from sim.core.cosim_core import CosimCore

__all__ = ["measured_macro", "program_and_measure"]


def measured_macro(chip: Chip, core: CosimCore) -> ExactMacro:
    """The reference of the macro behind the pins of ``core``: its cells, as products of single lines give them.

    Raises
    ------
    ToolError
        If a cell is out of the range in which it can be measured.
    """
    config = chip.macro_config()
    cells = measure_cells(core, config)
    macro = chip.macro
    binary = macro is not None and (bool(macro.commands) or macro.pins.get("dec_scale", 0) != 0)
    return ExactMacro(config=config, cells=cells, binary=binary)


def program_and_measure(chip: Chip, core: CosimCore, before: ExactMacro, seed: int) -> tuple[ExactMacro, int, str]:
    """Program random codes by write-verify and measure the cells again.

    Returns
    -------
    tuple
        The reference of the programmed macro, how many cells reached their targets, and how verify codes and products
        agree.

    Raises
    ------
    ToolError
        If what is programmed is not what multiplies.
    """
    rng = np.random.default_rng([seed, 0x0AC0])
    targets = rng.integers(4, LARGEST - 8, (chip.lines, chip.lines))
    chips = WriteVerifyParameters.from_chip(chip)
    # Small steps for a model whose cells move by the amplitude; else the pulses of the chip description.
    small = replace(
        chips, tolerance=4, confirmations=0, set_start=8, set_step=0, set_ceiling=8, reset_start=8, reset_step=0,
        reset_ceiling=8, set_cycles=2, reset_cycles=2, max_reversals=255, max_at_ceiling=255,
    )
    codes, done = _program(chip, core, replace(small, passes=1, wait_cycles=0), targets)
    if done.mean() < 0.5:
        codes, done = _program(chip, core, replace(chips, form=False, passes=1, wait_cycles=0), targets)
    after = measured_macro(chip, core)
    if done.any() and np.array_equal(after.cells, before.cells):
        raise ToolError("the cells that are programmed must be those that multiply: no product changed by programming")
    return after, int(done.sum()), require_programmed(codes, after.cells, done)


def _program(
    chip: Chip, core: CosimCore, parameters: WriteVerifyParameters, targets: NDArray[np.integer]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Verify codes after a run, and the cells that were not given up."""
    # The cells are the user's; these only fill the job.
    array = PulseArray(PulseChip.of(chip).pulse_config(), device=load_device("rram-neurram"), seed=0, core=0)
    job = write_job(chip, array, targets, None, parameters, full_time=True)
    outcome = core.program(job).write
    assert outcome is not None
    fields = cell_fields(WriteVerifyConfig.from_chip(chip), outcome.cells)
    shape = targets.shape
    return fields["code"].reshape(shape), fields["fault"].reshape(shape) == 0
