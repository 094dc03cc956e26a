"""Modules found by their names: registries made of files, and packages whose names are imported when first used."""

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType
from typing import Any

from mho.macro_models.errors import InputError


def discovered(package: str) -> tuple[str, ...]:
    """Names of the modules in a package, sorted: adding a file adds a name."""
    return tuple(sorted(module.name for module in iter_modules(import_module(package).__path__)))


def module_of(package: str, name: str) -> ModuleType:
    """The module ``name`` of a package.

    Raises InputError if there is none; the sentence lists what there is.
    """
    names = discovered(package)
    if name not in names:
        raise InputError(f"kind must be one of {', '.join(names)}, not {name!r}")
    return import_module(f"{package}.{name}")


def lazy_names(package: str, homes: Mapping[str, Sequence[str]]) -> Callable[[str], Any]:
    """The ``__getattr__`` of a package that has the ``homes``' names, each by its module; none is that of a module."""
    home_of = {name: home for home, names in homes.items() for name in names}

    def find(name: str) -> Any:
        if name not in home_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(home_of[name]), name)
        setattr(sys.modules[package], name, value)
        return value

    return find
