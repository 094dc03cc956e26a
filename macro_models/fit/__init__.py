"""Devices from measurements.

Tables are read and sorted into cells and pulses (:mod:`.tables`, behind it :mod:`.lab`), and fitted: to a law
(:mod:`.fit` with :mod:`.reads`, :mod:`.law`, :mod:`.rows`, :mod:`.heat`), to lines of drift (:mod:`.drift`), or to
pulses (:mod:`.response`); :mod:`.toml` writes the device file.
"""

from mho.macro_models.fit.drift.device import LAWS, fit_law
from mho.macro_models.fit.fit import MODELS, fit_device
from mho.macro_models.fit.response.pulsed import add_pulses, pulsed_device
from mho.macro_models.fit.tables.measurements import Measurements, read_data
from mho.macro_models.fit.tables.pulses import Pulses
from mho.macro_models.fit.toml import device_toml

__all__ = [
    "LAWS", "MODELS", "Measurements", "Pulses", "add_pulses", "device_toml", "fit_device", "fit_law", "pulsed_device",
    "read_data",
]
