"""Devices from a lab's tables, as ``mho device fit`` has them, in Python."""

from collections.abc import Callable, Mapping
from pathlib import Path

from mho.api.device import Device
from mho.api.inputs import PathLike
from mho.macro_models.errors import InputError, argument

_LARGEST_US = 1e6


def fit(
    data: PathLike, *, model: str = "auto", columns: Mapping[str, str] | None = None, g_min_uS: float | None = None,
    g_max_uS: float | None = None, temp: float = 25.0, temp_max: float | None = None,
    temperature_from: "Device | PathLike | None" = None, name: str | None = None, description: str = "",
    source: str = "", command: str = "mho.fit", progress: Callable[[int, int], None] | None = None,
) -> Device:
    """Fit a device to measured relaxation and retention, to answers to pulses, or to both.

    Parameters
    ----------
    data
        Tidy table with a header: CSV, TSV, and what ``mho device fit --help`` names.
    model
        ``"parametric"``, ``"empirical"``, ``"drift"``, or ``"auto"``.
    columns
        The file's headers, or numbers from 1 as text, by names that are understood: ``{"t_s": "time", "g_S": "G"}``.
    g_min_uS, g_max_uS
        Range of the chip's targets, in uS; cells programmed above it are left out.
    temp, temp_max
        Temperature of what has none, and the highest that is taken, in degrees Celsius.
    temperature_from
        Another fitted device whose law of Arrhenius is taken.
    name, description, source
        What the device is called (None: as the file), one line about it, and where the data come from.
    command
        What is noted as the command of the fit.
    progress
        Called with (steps done, steps).

    Returns
    -------
    The device; its doubts are in ``model.fit.warnings``, and ``save`` writes it.

    Raises
    ------
    InputError
        If the table or an argument is wrong.
    """
    from mho.macro_models.fit import LAWS, add_pulses, fit_law, pulsed_device, read_data

    if model not in LAWS:
        raise InputError(f"{argument('model')} must be one of {', '.join(LAWS)}, not {model!r}")
    if not -273.15 < temp <= 1000.0:
        raise InputError(f"{argument('temp')} must be above -273.15 and at most 1000 C, not {temp:g}")
    for bound, value in (("g_min_uS", g_min_uS), ("g_max_uS", g_max_uS)):
        if value is not None and not 0.0 <= value <= _LARGEST_US:
            raise InputError(f"{argument(bound, bound.lower())} must be from 0 to 1e6 uS, not {value:g}")
    arrhenius = temperature_from
    if arrhenius is not None:
        source_device = arrhenius if isinstance(arrhenius, Device) else Device.load(arrhenius)
        if source_device.model.temperature.acts_on == "table":
            raise InputError(f"{source_device.name}: has a law for each temperature, and no activation energy to take")
        arrhenius = source_device.model.temperature
    path = Path(data)
    measured, pulses = read_data(path, columns=columns, g_max_uS=g_max_uS, temp_C=temp, temp_max_C=temp_max)
    called = name or path.name.split(".")[0]
    if measured is not None:
        device = fit_law(
            measured, name=called, model=model, description=description, g_min_uS=g_min_uS, g_max_uS=g_max_uS,
            temperature=arrhenius, command=command, source=source, progress=progress,
        )
        return Device(device if pulses is None else add_pulses(device, pulses, progress))
    assert pulses is not None  # a table has one or the other
    return Device(pulsed_device(
        pulses, name=called, description=description, g_min_uS=g_min_uS, g_max_uS=g_max_uS, command=command,
        progress=progress,
    ))

