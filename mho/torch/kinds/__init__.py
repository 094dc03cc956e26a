"""Products of cores on tensors, a module for each kind that has them: ``PRODUCT`` is its class."""

from typing import Any

from mho.macro_models.registry import discovered, module_of


def kinds_with_products() -> tuple[str, ...]:
    """Names of the kinds that can be computed here."""
    return discovered(__name__)


def product_of(kind: str) -> Any:
    """Class of the products of a kind.

    Raises InputError if there is none.
    """
    return module_of(__name__, kind).PRODUCT
