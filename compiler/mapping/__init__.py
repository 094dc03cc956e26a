"""Weights on the cells of cores: which rows and columns hold what, around what is faulty."""

from compiler.mapping.place import Placement, Shape, SkipMaps, place

__all__ = ["Placement", "Shape", "SkipMaps", "place"]
