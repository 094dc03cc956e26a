"""Models of memory cells as the public interface has them."""

import os
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mho.api.inputs import PathLike
from mho.macro_models.cells.programming import programmed
from mho.macro_models.devices import Device as DeviceModel
from mho.macro_models.devices import load_device
from mho.macro_models.devices.checks import causes_without
from mho.macro_models.errors import InputError, argument
from mho.macro_models.output import write_output
from mho.macro_models.shown import Shown
from mho.units import parse_time

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Device(Shown):
    """A model of memory cells.

    Members
    -------
    model
        The constants, with their sources.
    """

    def __init__(self, model: DeviceModel) -> None:
        self.model = model

    @classmethod
    def load(cls, name_or_path: PathLike, **overrides: object) -> "Device":
        """A shipped device by its name or a TOML file by its path; overrides as in ``**{"range.g_max_uS": 30.0}``.

        Raises InputError if the file cannot be read or a key is unknown or out of range.
        """
        return cls(load_device(name_or_path, overrides))

    def save(self, path: PathLike) -> None:
        """Write a TOML file, as :meth:`load` reads it."""
        from mho.macro_models.fit import device_toml

        write_output(os.fspath(path), device_toml(self.model).encode())

    @property
    def name(self) -> str:
        """Name of the device."""
        return self.model.name

    def draw(
        self,
        target_uS: ArrayLike,
        *,
        time: str | float = "1d",
        temp: float = 25.0,
        seed: int = 0,
        without: Collection[str] = (),
    ) -> NDArray[np.float64]:
        """Cells that were programmed to ``target_uS``, some time later: conductances in uS, of the same shape.

        As the cells of a chip are drawn: one ``seed`` is one chip, on which a cell keeps its draws for all times.

        Raises InputError if a target, the time or a cause is wrong.

        Parameters
        ----------
        target_uS
            Targets of any shape, in uS, at least 0; NaN is a dead cell.
        time
            Time since programming: seconds, or a number with s, m, h, d or y.
        temp
            Temperature, in degrees Celsius.
        without
            Causes to leave out: programming, relaxation, stuck.
        """
        targets = np.asarray(target_uS, dtype=np.float64)
        wrong = (targets < 0.0) | np.isinf(targets)
        if wrong.any():
            raise InputError(f"targets must be conductances in uS of at least 0, not {targets[wrong][0]:g}")
        return programmed(
            targets, device=self.model, seed=seed, core=0, time_s=parse_time(time), temp_C=temp,
            causes=causes_without(without),
        ).g_uS

    def plot(self) -> "Figure":
        """All that the device says, a panel each, beside its data: the figure of ``mho device show``."""
        from mho.figures.device.figure import figure_of_device

        return figure_of_device(self.model)

    def _facts(self) -> dict[str, object]:
        return {"name": self.name, "description": self.model.description}


def device_model(device: "Device | DeviceModel | PathLike | None", default: DeviceModel) -> DeviceModel:
    """What the user gave as a device, as a model; ``default`` for ``None``."""
    if device is None:
        return default
    if isinstance(device, Device):
        return device.model
    return device if isinstance(device, DeviceModel) else load_device(device)


_LARGEST_US = 1e6


def fit(
    data: PathLike, *, model: str = "auto", columns: Mapping[str, str] | None = None, g_min_uS: float | None = None,
    g_max_uS: float | None = None, temp: float = 25.0, temp_max: float | None = None,
    temperature_from: "Device | PathLike | None" = None, name: str | None = None, description: str = "",
    source: str = "", command: str = "mho.fit", progress: Callable[[int, int], None] | None = None,
) -> Device:
    """Fit a device to measured relaxation and retention, to answers to pulses, or to both.

    Raises InputError if the table or an argument is wrong.

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
