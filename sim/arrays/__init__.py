"""Libraries that compute the products of the functional backend in numpy's place, a module each, by name."""

import importlib
from collections.abc import Mapping
from types import MappingProxyType

from mho.macro_models.arrays import ArrayLibrary
from mho.macro_models.errors import InputError, argument

__all__ = ["LIBRARIES", "check_arrays", "open_arrays"]

LIBRARIES: Mapping[str, str] = MappingProxyType({"torch": "mho.sim.arrays.torch_arrays:TorchArrays"})
"""Where the class of a library is; it takes the name of a device, which may be empty."""


def check_arrays(name: str) -> None:
    """Refuse a library that there is not.

    Raises InputError with those that there are.
    """
    if name != "numpy" and (not isinstance(name, str) or name.partition(":")[0] not in LIBRARIES):
        names = ["numpy", *LIBRARIES]
        raise InputError(
            f"{argument('arrays')} must be {' or '.join(names)}, with a device as in torch:cuda, not {name!r}"
        )


def open_arrays(name: str) -> ArrayLibrary | None:
    """The library of that name, ``torch`` or ``torch:cuda:1``; None of numpy itself.

    Raises InputError if there is none, or no such device. Raises ToolError if it is not installed.
    """
    check_arrays(name)
    if name == "numpy":
        return None
    library, _, device = name.partition(":")
    module, _, attribute = LIBRARIES[library].partition(":")
    return getattr(importlib.import_module(module), attribute)(device)
