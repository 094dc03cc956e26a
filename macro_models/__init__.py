"""Numpy models of memory cells, arrays and converters, and the exact arithmetic that all parts share."""

from typing import TYPE_CHECKING

from mho.macro_models.registry import lazy_names

if TYPE_CHECKING:
    from mho.macro_models.devices import CAUSES, Device, device_names, load_device
    from mho.macro_models.integer.operation import Masks
    from mho.macro_models.kinds import family
    from mho.macro_models.macro import MacroConfig, MacroModel, MvmResult

__all__ = [
    "CAUSES", "Device", "MacroConfig", "MacroModel", "Masks", "MvmResult", "device_names", "family", "load_device",
]

# So that importing the errors alone loads neither numpy nor scipy.
__getattr__ = lazy_names(__name__, {
    "mho.macro_models.devices": ("CAUSES", "Device", "device_names", "load_device"),
    "mho.macro_models.integer.operation": ("Masks",),
    "mho.macro_models.kinds": ("family",),
    "mho.macro_models.macro": ("MacroConfig", "MacroModel", "MvmResult"),
})
