"""Resistive devices: the model (:mod:`.device`, its :mod:`.sections`), its TOML files here and their loader."""

from mho.macro_models.devices.checks import CAUSES
from mho.macro_models.devices.device import Device
from mho.macro_models.devices.load import device_from_dict, device_names, load_device

__all__ = ["CAUSES", "Device", "device_from_dict", "device_names", "load_device"]
