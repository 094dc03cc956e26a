"""Walks over images in rings."""

from hw.tile.walker.layouts import PlaceLayout, PlanLayout, Todo, WalkPort
from hw.tile.walker.walker import Walker
from hw.tile.walker.window import Window

__all__ = ["PlaceLayout", "PlanLayout", "Todo", "WalkPort", "Walker", "Window"]
