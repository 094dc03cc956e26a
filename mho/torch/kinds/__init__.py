"""Products of cores in passes with gradients, a module for each kind that has them: ``SMOOTH`` is its class."""

from typing import Any

from mho.macro_models.registry import module_of


def smooth_class(kind: str) -> Any:
    """Class of the products of a kind.

    Raises InputError if there is none.
    """
    return module_of(__name__, kind).SMOOTH
