"""Walks over images in rings."""

from mho.hw.tile.walker.layouts import LookLayout, PlaceLayout, PlanLayout, Todo, WalkLayout, WalkPort
from mho.hw.tile.walker.walker import Walker
from mho.hw.tile.walker.window import Window

__all__ = ["LookLayout", "PlaceLayout", "PlanLayout", "Todo", "WalkLayout", "WalkPort", "Walker", "Window"]
