"""Numpy models of memory cells, arrays and converters, and the exact arithmetic that all parts share."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from macro_models.devices import CAUSES, Device, device_names, load_device
    from macro_models.exact.masks import Masks
    from macro_models.kinds import family
    from macro_models.macro import MacroConfig, MacroModel, MvmResult

__all__ = [
    "CAUSES", "Device", "MacroConfig", "MacroModel", "Masks", "MvmResult", "device_names", "family", "load_device",
]

_HOMES = {
    "macro_models.devices": ("CAUSES", "Device", "device_names", "load_device"),
    "macro_models.exact.masks": ("Masks",),
    "macro_models.kinds": ("family",),
    "macro_models.macro": ("MacroConfig", "MacroModel", "MvmResult"),
}


def __getattr__(name: str) -> Any:
    # Lazy, so that importing the errors alone loads neither numpy nor scipy.
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(home), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
