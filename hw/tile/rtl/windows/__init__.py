"""Walks over images in rings."""

from mho.hw.tile.rtl.windows.addresses import AddressGenerator
from mho.hw.tile.rtl.windows.iterator import WindowIterator
from mho.hw.tile.rtl.windows.layouts import LookLayout, PlaceLayout, WalkFaults, WalkPort, WalkRequest

__all__ = [
    "AddressGenerator", "LookLayout", "PlaceLayout", "WalkFaults", "WalkPort", "WalkRequest",
    "WindowIterator",
]
