"""Walks over images in rings."""

from hw.tile.walker.walker import PlaceLayout, Walker, scaled

__all__ = ["PlaceLayout", "Walker", "scaled"]
