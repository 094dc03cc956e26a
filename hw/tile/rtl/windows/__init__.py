"""Walks over images in rings."""

from mho.hw.tile.rtl.windows.addresses import (
    AddressGenerator,
    LookLayout,
    PlaceLayout,
    WalkFaults,
    WalkPort,
    WalkRequest,
)
from mho.hw.tile.rtl.windows.iterator import WindowIterator

__all__ = [
    "AddressGenerator", "LookLayout", "PlaceLayout", "WalkFaults", "WalkPort", "WalkRequest",
    "WindowIterator",
]
