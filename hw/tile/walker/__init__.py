"""Walks over images in rings."""

from hw.tile.walker.walker import PlaceLayout, Walker

__all__ = ["PlaceLayout", "Walker"]
