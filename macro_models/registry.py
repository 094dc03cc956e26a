"""Registries made of files: a folder that holds a module for each kind, found by its name."""

from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType

from mho.macro_models.errors import InputError


def discovered(package: str) -> tuple[str, ...]:
    """Names of the modules in a package, sorted: adding a file adds a name."""
    return tuple(sorted(module.name for module in iter_modules(import_module(package).__path__)))


def module_of(package: str, name: str) -> ModuleType:
    """The module ``name`` of a package.

    Raises
    ------
    InputError
        If there is none; the sentence lists what there is.
    """
    names = discovered(package)
    if name not in names:
        raise InputError(f"kind must be one of {', '.join(names)}, not {name!r}")
    return import_module(f"{package}.{name}")
