"""Kinds of core, as the chip description knows them: a module here for each, with its class of chips as ``CHIP``."""

from mho.hw.config.chip import DEFAULT_KIND, Chip
from mho.hw.config.keys import KeySpec
from mho.macro_models.registry import discovered, module_of

__all__ = ["chip_class", "kind_names"]


def kind_names() -> tuple[str, ...]:
    """Names of the kinds that there are, sorted."""
    return discovered(__name__)


def chip_class(kind: object = DEFAULT_KIND) -> type[Chip]:
    """Class of the chips of a kind.

    Raises ChipError if there is none of this name.
    """
    spec = KeySpec(default=DEFAULT_KIND, doc="", choices=kind_names())
    return module_of(__name__, spec.normalise("core.kind", kind)).CHIP
