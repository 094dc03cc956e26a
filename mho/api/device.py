"""Models of memory cells as the public interface has them."""

import os
from collections.abc import Collection
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mho.macro_models.cells.programming import programmed
from mho.macro_models.devices import Device as DeviceModel
from mho.macro_models.devices import load_device
from mho.macro_models.devices.checks import CAUSES
from mho.macro_models.errors import InputError
from mho.macro_models.output import write_output
from mho.macro_models.shown import Shown
from mho.units import parse_time

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PathLike = str | os.PathLike[str]


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

        Raises
        ------
        InputError
            If the file cannot be read or a key is unknown or out of range.
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

        Raises
        ------
        InputError
            If a target, the time or a cause is wrong.
        """
        targets = np.asarray(target_uS, dtype=np.float64)
        wrong = (targets < 0.0) | np.isinf(targets)
        if wrong.any():
            raise InputError(f"targets must be conductances in uS of at least 0, not {targets[wrong][0]:g}")
        unknown = sorted(set(without) - set(CAUSES))
        if unknown:
            raise InputError(f"without must be causes of {', '.join(CAUSES)}, not {unknown[0]!r}")
        return programmed(
            targets, device=self.model, seed=seed, core=0, time_s=parse_time(time), temp_C=temp,
            causes=frozenset(CAUSES) - set(without),
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
