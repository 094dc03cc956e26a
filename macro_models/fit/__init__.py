"""Devices from measurements.

Tables are read (:mod:`.table`), sorted into cells (:mod:`.measurements`) and fitted (:mod:`.fit`); :mod:`.toml` writes
the device file.
"""

from macro_models.fit.fit import MODELS, fit_device
from macro_models.fit.measurements import Measurements, read_measurements
from macro_models.fit.toml import device_toml

__all__ = ["MODELS", "Measurements", "device_toml", "fit_device", "read_measurements"]
