"""Numpy models of memory cells, arrays and converters, and the exact arithmetic that all parts share."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from macro_models.config import TnsaConfig
    from macro_models.devices import CAUSES, Device, device_names, load_device
    from macro_models.mapping import differential_targets
    from macro_models.tnsa import Masks, MvmResult, TnsaModel

__all__ = [
    "CAUSES", "Device", "Masks", "MvmResult", "TnsaConfig", "TnsaModel", "device_names", "differential_targets",
    "load_device",
]

_HOMES = {
    "macro_models.config": ("TnsaConfig",),
    "macro_models.devices": ("CAUSES", "Device", "device_names", "load_device"),
    "macro_models.mapping": ("differential_targets",),
    "macro_models.tnsa": ("Masks", "MvmResult", "TnsaModel"),
}


def __getattr__(name: str) -> Any:
    # Lazy, so that importing the errors alone loads neither numpy nor scipy.
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(home), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
