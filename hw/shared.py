"""Many equal parts of a design: every block is one module, so they need nothing of their own."""

from collections.abc import Callable
from typing import Any

from amaranth.lib import wiring

__all__ = ["Shared"]


def Shared(make: Callable[[], wiring.Component], members: dict[str, Any], name: str) -> wiring.Component:
    """The component that ``make`` makes."""
    return make()
