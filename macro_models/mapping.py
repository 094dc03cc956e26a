"""Signed weights as pairs of conductances."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from macro_models.errors import InputError

__all__ = ["differential_targets"]


def differential_targets(
    weights: ArrayLike, *, g_min_uS: float, g_max_uS: float, w_max: float | None = None
) -> NDArray[np.float64]:
    """Target conductances of signed weights, one pair of bit lines for each row.

    A pair holds ``g_min + max(w, 0) * s`` on its even and ``g_min + max(-w, 0) * s`` on its odd bit line, with
    ``s = (g_max - g_min) / w_max``: the difference is ``w * s`` exactly, also at the floor ``g_min``, to which the
    cell that does not carry the sign is programmed (the "sign" mapping of NeuRRAM).

    Parameters
    ----------
    weights
        Finite, of shape (rows, columns): row r meets input r forward.
    g_min_uS, g_max_uS
        Range of targets in uS, ``0 <= g_min < g_max``.
    w_max
        Weight of a full difference; larger magnitudes are clipped to it. The largest magnitude if not given; all
        weights zero give pairs at the floor.

    Returns
    -------
        Array of shape (2 * rows, columns) in uS; cell [2r, c] is positive, [2r + 1, c] negative.

    Raises
    ------
    InputError
        If the shape, a weight or a limit is not as above.
    """
    w = np.asarray(weights, dtype=np.float64)
    if w.ndim != 2 or not np.isfinite(w).all():
        raise InputError(f"weights must be finite and of shape (rows, columns), not of shape {w.shape} or not finite")
    if not 0.0 <= g_min_uS < g_max_uS:
        raise InputError(f"g_min_uS must be at least 0 and less than g_max_uS = {g_max_uS:g}, not {g_min_uS:g}")
    if w_max is not None and not (np.isfinite(w_max) and w_max > 0.0):
        raise InputError(f"w_max must be positive, not {w_max!r}")
    top = float(np.abs(w).max(initial=0.0)) if w_max is None else w_max
    relative = np.clip(w / top, -1.0, 1.0) if top > 0.0 else w
    pairs = np.stack([np.maximum(relative, 0.0), np.maximum(-relative, 0.0)], axis=1)
    return g_min_uS + (g_max_uS - g_min_uS) * pairs.reshape(2 * w.shape[0], w.shape[1])
