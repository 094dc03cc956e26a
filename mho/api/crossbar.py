"""Arrays without transistors as the public interface has them."""

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from numpy.typing import ArrayLike

if TYPE_CHECKING:
    from mho.macro_models.array import Wires
    from mho.sim.programming.tuning import Tuning


def tune_crossbar(
    target_uS: ArrayLike,
    *,
    device: str | os.PathLike[str] = "rram-passive",
    scheme: str = "half",
    seed: int = 0,
    fresh: bool = False,
    window: float = 0.05,
    passes: int = 12,
    wires: "Wires | None" = None,
) -> "Tuning":
    """Write an array without transistors in passes that come back to cells that others have disturbed.

    It is the engine of the preset ``passive-64``, with as many lines as the targets have.

    Raises InputError if a value is out of range.

    Parameters
    ----------
    target_uS
        Targets, of shape (rows, columns), at most 256 each, positive, in uS.
    device
        With a section ``[pulse]``: a shipped device or a TOML file.
    scheme
        ``half``: unselected lines at 0 V, the others of a line see V/2; ``third``: V/3, with all cells of the array.
    seed
        Of the chip's cells.
    fresh
        Form the cells first, one by one.
    window
        Half width of the window in which a cell is tuned, relative to its target.
    passes
        Most passes, the first of which finds the amplitudes.
    wires
        Resistances that take from the pulse of the selected cell; default: none.
    """
    import numpy as np

    from mho.hw.config import PulseChip, load_chip
    from mho.macro_models.cells.bias import WRITES
    from mho.macro_models.cells.pulses import PulseArray
    from mho.macro_models.devices import load_device
    from mho.macro_models.errors import InputError
    from mho.macro_models.passive.dynamics import pulse_shares
    from mho.sim.programming.screening import form_cells
    from mho.sim.programming.tuning import TuningConfig, tune

    target = np.asarray(target_uS, dtype=np.float64)
    if target.ndim != 2 or not (1 <= target.shape[0] <= 256 and 1 <= target.shape[1] <= 256):
        raise InputError(f"target_uS must be a matrix of 1 to 256 rows and columns, not of shape {target.shape}")
    if scheme not in WRITES:
        raise InputError(f"scheme must be {' or '.join(WRITES)}, not {scheme!r}")
    model = load_device(device)
    law, width_ns = model.pulse, model.programming.pulse_s * 1e9
    # A core has lines in steps of 8, and pairs of columns; those that are too many are left alone.
    rows, columns = (max(16, -(-count // 16) * 16) for count in target.shape)
    chip = PulseChip.of(load_chip("passive-64", {
        "core.rows": rows, "core.columns": columns, "adc.lanes": 2, "programming.bias": scheme,
        "programming.passes": passes, "programming.guard_uS": 2.0 * law.verify_sigma_uS,
        "programming.accept_uS": max(1.5, 4.0 * law.verify_sigma_uS),
        "programming.formed_uS": float(np.sqrt(max(law.fresh_uS, 1e-3) * max(law.formed_uS, 1e-3))),
        "cells.g_full_scale_uS": max(100.0, 1.5 * float(target.max(initial=0.0)), law.g_high_uS / 2.0),
        **{f"programming.t_{kind}_pulse_ns": width_ns for kind in ("set", "reset", "form")},
    }))
    array = PulseArray(chip.pulse_config(), device=model, seed=seed, fresh=fresh)
    skip, targets = np.full((rows, columns), True), np.zeros((rows, columns))
    used = tuple(slice(count) for count in target.shape)
    skip[used], targets[used] = False, target
    if wires is not None:
        g_uS = float(np.sqrt(max(model.range.g_min_uS, 1.0) * max(model.range.g_max_uS, 1.0)))
        share = np.ones((rows, columns))
        share[used] = pulse_shares(target.shape, wires, g_uS=g_uS, volts=law.set_threshold_V, scheme=scheme)
        array.share = share.ravel()
    if fresh:
        form_cells(chip, 0, array, skip)
    tuning = TuningConfig(window=window, leave=0.8 * window, aim=0.6 * window)
    tuned = tune(chip, 0, array, targets, skip, config=tuning)
    return replace(tuned, error=tuned.error[used], silent=tuned.silent[used])
