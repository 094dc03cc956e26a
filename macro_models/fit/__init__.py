"""Devices from measurements.

Tables are read (:mod:`.table`), sorted into cells (:mod:`.measurements`) and pulses (:mod:`.pulses`), and fitted
(:mod:`.fit`, :mod:`.drift`, :mod:`.pulsed`); :mod:`.toml` writes the device file.
"""

from macro_models.fit.drift import LAWS, fit_law
from macro_models.fit.fit import MODELS, fit_device
from macro_models.fit.measurements import Measurements, read_data, read_measurements
from macro_models.fit.pulsed import add_pulses, pulsed_device
from macro_models.fit.pulses import Pulses
from macro_models.fit.toml import device_toml

__all__ = [
    "LAWS", "MODELS", "Measurements", "Pulses", "add_pulses", "device_toml", "fit_device", "fit_law", "pulsed_device",
    "read_data", "read_measurements",
]
