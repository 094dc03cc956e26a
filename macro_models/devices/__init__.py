"""Resistive devices: the model (:mod:`.device`), its TOML files in this folder and their loader (:mod:`.load`)."""

from macro_models.devices.device import CAUSES, Device
from macro_models.devices.load import device_from_dict, device_names, device_text, load_device

__all__ = ["CAUSES", "Device", "device_from_dict", "device_names", "device_text", "load_device"]
