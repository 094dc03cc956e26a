"""Laws of cells other than the measured or published spreads of :class:`~mho.macro_models.devices.device.Device`.

A law is a module here: a section of the device file, and a subclass of the device that has it. Nothing else names it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from mho.macro_models.devices.device import Device
from mho.macro_models.files.schema import Spec
from mho.macro_models.registry import discovered, module_of

__all__ = ["LawKind", "law_kinds"]


@dataclass(frozen=True, kw_only=True)
class LawKind:
    """A law, ``LAW`` of its module; its section has the name of the module, and a field ``source``."""

    spec: tuple[tuple[Spec, str], ...]
    """What the keys of its section may be, but for ``source``: several of them, with blanks between, where alike."""
    device: type[Device]
    """Class of the devices that have the section, as a field of its name."""
    check: Callable[[Any, str], None]
    """Refuses a device whose values do not fit together; the text opens the sentence."""


@cache
def law_kinds() -> dict[str, LawKind]:
    """The laws that there are, by the names of their sections."""
    return {name: module_of(__name__, name).LAW for name in discovered(__name__)}
