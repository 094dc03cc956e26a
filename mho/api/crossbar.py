"""Arrays without transistors as the public interface has them."""

import os
from typing import TYPE_CHECKING

from numpy.typing import ArrayLike

if TYPE_CHECKING:
    from mho.macro_models.array import Wires
    from mho.macro_models.passive.tuning import Tuning


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

    Raises
    ------
    InputError
        If a value is out of range.
    """
    import numpy as np

    from mho.macro_models.array import Wires
    from mho.macro_models.devices import load_device
    from mho.macro_models.errors import InputError
    from mho.macro_models.passive.cells import PassiveArray, PassiveConfig
    from mho.macro_models.passive.tuning import TuningConfig, form, tune

    target = np.asarray(target_uS, dtype=np.float64)
    if target.ndim != 2:
        raise InputError(f"target_uS must be a matrix of rows and columns, not of shape {target.shape}")
    rows, columns = target.shape
    model = load_device(device)
    top = max(1.5 * float(target.max(initial=0.0)), model.pulse.g_high_uS / 2.0)
    config = PassiveConfig(
        rows=rows, columns=columns, scheme=scheme, pulse_s=model.programming.pulse_s, g_full_scale_uS=top,
        wires=Wires() if wires is None else wires,
    )
    array = PassiveArray(config, device=model, seed=seed, fresh=fresh)
    if fresh:
        form(array)
    return tune(array, target, TuningConfig(window=window, aim=0.6 * window, passes=passes))
