"""Products of cores on tensors, a module for each kind that has them.

``PRODUCT`` is its class in passes with the bits of a core, ``SMOOTH`` that in passes with gradients.
"""

from typing import Any

from mho.macro_models.registry import discovered, module_of


def kinds_with_products() -> tuple[str, ...]:
    """Names of the kinds that can be computed here."""
    return discovered(__name__)


def classes_of(kind: str) -> tuple[Any, Any]:
    """Classes of the products of a kind: with a core's bits, and with gradients.

    Raises InputError if there is none.
    """
    module = module_of(__name__, kind)
    return module.PRODUCT, module.SMOOTH
