"""Whether drift or quantiles say more of cells that were held out."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from mho.macro_models.devices.device import Device
from mho.macro_models.errors import InputError
from mho.macro_models.fit.drift.device import drift_device, follows, held_out_score, of_one_temperature
from mho.macro_models.fit.fit import fit_device
from mho.macro_models.fit.tables.measurements import Measurements

LAWS = ("auto", "parametric", "empirical", "drift")
"""What a fit may be asked for; ``auto`` is the better of drift and quantiles (:data:`mho.macro_models.fit.MODELS`)."""

_FALLING = 0.8
_ENOUGH = 60
_MARGIN = 1.02
"""A law of six numbers is preferred to quantiles that are better by less than this."""


def _seems_to_drift(data: Measurements) -> bool:
    """Whether it is worth a try: cells with names that were read at three times, most of them falling."""
    count = np.bincount(data.cell)
    cells = np.flatnonzero(count >= 3)
    if len(cells) < _ENOUGH or len(np.unique(data.time_index)) < 4:
        return False
    _, start = np.unique(data.cell, return_index=True)
    end = np.append(start[1:], len(data.cell)) - 1
    fell = (data.g_uS[end] < data.g_uS[start])[np.bincount(data.cell)[data.cell[start]] >= 3]
    return float(fell.mean()) > _FALLING


def _judged(data: Measurements, options: dict[str, Any]) -> tuple[float, float]:
    """Scores of drift and of quantiles, fitted without every second cell and the last time, on just these readings."""
    last = int(data.time_index.max())
    odd, late = data.cell % 2 == 1, data.time_index == last
    training, held_out = data.where(~odd & ~late), data.where(odd & (data.time_index > 0))
    training = replace(training, cell=np.unique(training.cell, return_inverse=True)[1])
    drift = drift_device(training, **options)
    quantiles = fit_device(training, model="parametric", **options)
    return held_out_score(drift, held_out), held_out_score(quantiles, held_out)


def fit_law(
    data: Measurements, *, name: str, model: str = "auto", progress: Callable[[int, int], None] | None = None,
    **options: Any,
) -> Device:
    """A device with the law that the user asks for, or of drift and quantiles the one that foresees more.

    Parameters
    ----------
    model
        Of :data:`LAWS`. ``auto``: where nearly all cells fall, both laws are fitted to half of the cells without their
        last time, and compared on the other half (:func:`~mho.macro_models.fit.drift.device.held_out_score`), at the
        temperature of the law. Drift must then follow the data at all times and temperatures.
    options
        As of :func:`mho.macro_models.fit.fit_device`.

    Raises
    ------
    InputError
        If the model is not known, or as the fits.
    """
    if model not in LAWS:
        raise InputError(f"model must be one of {', '.join(LAWS)}, not {model!r}")
    if model == "drift":
        return drift_device(data, name=name, **options)
    if model != "auto":
        return fit_device(data, name=name, model=model, progress=progress, **options)
    single = of_one_temperature(data)
    if _seems_to_drift(single):
        limits = {key: value for key, value in options.items() if key in ("g_min_uS", "g_max_uS")}
        drift, quantiles = _judged(single, {"name": name, **limits})
        if math.isfinite(drift) and drift < _MARGIN * quantiles:
            device = drift_device(data, name=name, **options)
            origin = (
                f"{device.fit.source}; chosen by readings of cells and a time that were held out: error {drift:.4g} "
                f"of a deviation, of quantiles {quantiles:.4g}"
            )
            if (device.temperature.acts_on or not device.heat.at_C) and follows(device):
                return replace(device, fit=replace(device.fit, source=origin))
    return fit_device(data, name=name, model="auto", progress=progress, **options)
