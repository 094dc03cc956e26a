"""Numpy models of memory cells, arrays and converters, and the exact arithmetic that all parts share."""

from typing import TYPE_CHECKING

from macro_models.lazy import lazy_names

if TYPE_CHECKING:
    from macro_models.devices import CAUSES, Device, device_names, load_device
    from macro_models.exact.masks import Masks
    from macro_models.kinds import family
    from macro_models.macro import MacroConfig, MacroModel, MvmResult

__all__ = [
    "CAUSES", "Device", "MacroConfig", "MacroModel", "Masks", "MvmResult", "device_names", "family", "load_device",
]

# So that importing the errors alone loads neither numpy nor scipy.
__getattr__ = lazy_names(__name__, {
    "macro_models.devices": ("CAUSES", "Device", "device_names", "load_device"),
    "macro_models.exact.masks": ("Masks",),
    "macro_models.kinds": ("family",),
    "macro_models.macro": ("MacroConfig", "MacroModel", "MvmResult"),
})
