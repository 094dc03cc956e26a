"""Walks over images in rings."""

from hw.tile.walker.layouts import LookLayout, PlaceLayout, PlanLayout, Todo, WalkLayout, WalkPort
from hw.tile.walker.walker import Walker
from hw.tile.walker.window import Window

__all__ = ["LookLayout", "PlaceLayout", "PlanLayout", "Todo", "WalkLayout", "WalkPort", "Walker", "Window"]
